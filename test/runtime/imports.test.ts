import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { KernelProcess } from "../support/kernel-process.ts";

let kernel: KernelProcess;
let folder: string;
const write = (name: string, text: string): void => {
  mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
  writeFileSync(path.join(folder, name), text);
};

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), "parallax-imports-"));
  kernel = await KernelProcess.start({ folder });
});
beforeEach(() => write("helper.ts", "export const one: number = 1;"));
afterAll(async () => {
  await kernel.stop();
  rmSync(folder, { recursive: true, force: true });
});

describe("imports of a cell", () => {
  it("reaches Node's modules, in every form", async () => {
    expect(
      await kernel.text(`
        import path, { join as glue } from "node:path";
        import * as fs from "fs";
        import type { Stats } from "node:fs";
        import "node:os";
        [glue("a", "b"), path.sep, typeof fs.readFileSync, (await import("node:url")).URL.name].join()`),
    ).toBe("'a/b,/,function,URL'");
  });

  it("keeps an import for later cells and hoists it", async () => {
    expect(await kernel.text("const early = basename('/a/b'); import { basename } from 'node:path'; early")).toBe(
      "'b'",
    );
    expect(await kernel.text("basename('/c/d')")).toBe("'d'");
  });

  it("reaches TypeScript, JavaScript and JSON beside the notebook, and loads them anew when they change", async () => {
    write("deep/base.ts", "export enum Level { Low = 1 }\nexport let scale = 10;");
    write(
      "helper.ts",
      'import { Level, scale } from "./deep/base.js";\nimport data from "./data.json";\nexport const one = Level.Low * scale * data.n;',
    );
    write("data.json", '{ "n": 3 }');
    write("plain.js", "export const two = 2;");
    write("old.cjs", "exports.three = 3;");
    const code =
      "import { one } from './helper'; import data from './data.json'; import { two } from './plain.js'; import { three } from './old.cjs'; [one, data.n, two, three]";
    expect(await kernel.text(code)).toBe("[ 30, 3, 2, 3 ]");
    write("deep/base.ts", "export enum Level { Low = 2 }\nexport let scale = 100;");
    expect(await kernel.text(code)).toBe("[ 600, 3, 2, 3 ]");
  });

  it("gives files beside the notebook the same parallax as the cells", async () => {
    write(
      "uses-parallax.ts",
      'import { ParallaxError, display } from "parallax";\nexport const made = new ParallaxError("a.b", "c");\nexport const show = () => display(1);',
    );
    const { text, displays } = await kernel.run(
      "import { ParallaxError } from 'parallax'; import { made, show } from './uses-parallax.ts'; show(); made instanceof ParallaxError",
    );
    expect(text).toBe("true");
    expect(displays).toHaveLength(1);
  });

  it("looks for packages in the notebook's folder first, then in Parallax's own", async () => {
    write(
      "node_modules/pocket/package.json",
      '{ "name": "pocket", "type": "module", "exports": { "import": "./i.js" } }',
    );
    write("node_modules/pocket/i.js", "export const where = 'beside the notebook';");
    expect(await kernel.text("import { where } from 'pocket'; where")).toBe("'beside the notebook'");
    expect(await kernel.text("import { z } from 'zod'; z.number().parse(5)")).toBe("5");
  });

  it("finds names that CommonJS hides", async () => {
    write(
      "node_modules/hidden/index.js",
      "const all = {}; for (const k of ['dynamic']) all[k] = 7; module.exports = all;",
    );
    expect(await kernel.text("import { dynamic } from 'hidden'; dynamic")).toBe("7");
  });

  it("follows the module's variable", async () => {
    write("live.ts", "export let count = 0;\nexport function up() { count += 1 }");
    expect(await kernel.text("import { count, up } from './live.ts'; up(); up(); count")).toBe("2");
    expect((await kernel.run("count = 5")).error!.error.message).toContain("Assignment to the imported name 'count'");
  });

  it("takes a name that is only a type", async () => {
    expect(
      await kernel.text(
        "import { EncoderSpec, display } from 'parallax'; let s: EncoderSpec | undefined; typeof display",
      ),
    ).toBe("'function'");
  });

  it("tolerates exports", async () => {
    expect(await kernel.text("export const shared = 1; export { shared as again }; export default shared + 1")).toBe(
      "2",
    );
  });
});

describe("imports that fail", () => {
  it.each([
    ["import { x } from 'no-such-package-anywhere'", "import.not-found", "There is no package"],
    ["import { x } from './nowhere.ts'", "import.not-found", "There is no file"],
    [
      "import { nothing } from './helper.ts';\nnothing",
      "import.no-export",
      '"./helper.ts" has no export named "nothing".',
    ],
    ["import x from 'https://example.org/x.js'", "import.from-network", "Modules are not loaded from the network"],
  ])("%j says so with a next step", async (code, expected, message) => {
    const { error } = await kernel.run(`\n${code}`);
    expect(error!.error).toMatchObject({ code: expected, message: expect.stringContaining(message) });
    expect(error!.error.hint).toBeTruthy();
    expect(error!.frames.at(-1)).toMatchObject({ line: 2, column: 1 });
  });

  it("names file and line of a file that does not parse, and loads it once it does", async () => {
    write("broken.ts", "export const a = 1;\nconst = 2;");
    expect((await kernel.run("import { a } from './broken.ts'; a")).error!.error.message).toMatch(
      /broken\.ts, line 2, column 7: /,
    );
    write("broken.ts", "export const a = 1;");
    expect(await kernel.text("import { a } from './broken.ts'; a")).toBe("1");
  });

  it("shows the lines of a file beside the notebook", async () => {
    write("throws.ts", "interface A { a: 1 }\n\nexport function fail(x: A): never {\n  throw new Error('inside');\n}");
    const { error } = await kernel.run("import { fail } from './throws.ts';\nfail({ a: 1 })");
    expect(error!.libraryFrames[0]).toMatch(/^fail \(.*throws\.ts:4:9\)$/);
    expect(error!.frames).toMatchObject([{ line: 2, column: 1 }]);
  });
});
