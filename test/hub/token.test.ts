/** The user's token: which one is used and shown, who may read it, and that it turns up nowhere. */
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { inspect } from "node:util";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { findToken, Secret, writeTokenFile } from "../../kernels/hub/token.ts";
import type { Keychain } from "../../kernels/protocol/encoders.ts";
import { toErrorData } from "../../kernels/protocol/errors.ts";
import { givesWeights, parallax } from "./command.ts";
import { type HubPlace, hubPlace, ID } from "./workplace.ts";

const TOKEN = "hf_QqWwEeRrTtYyUuIiOoPp";
const hasModes = process.platform !== "win32";
vi.setConfig({ testTimeout: 180_000 });

const keychain = (more: Partial<Keychain> = {}): Keychain => ({
  name: "the macOS keychain",
  token: null,
  unavailable: null,
  unreadable: false,
  ...more,
});
const fileOf = ({ home }: HubPlace): string => path.join(home, "config/hub-token");

describe("the token in use", () => {
  test("is HF_TOKEN's, then the keychain's, then the file's, and the choice is said", async () => {
    const place = await hubPlace();
    const file = fileOf(place);
    const none = findToken();
    expect(none).toEqual({
      secret: null,
      info: {
        present: false,
        keptIn: "none",
        where: "no token is kept",
        goesTo: `the file ${file}, readable by you only`,
        problem: null,
      },
    });
    writeTokenFile("hf_file");
    expect(findToken().secret?.header()).toBe("Bearer hf_file");
    expect(findToken().info).toMatchObject({ keptIn: "file", where: `the file ${file}, readable by you only` });
    const inKeychain = findToken(keychain({ token: "hf_keychain" }));
    expect(inKeychain.secret?.header()).toBe("Bearer hf_keychain");
    expect(inKeychain.info).toMatchObject({ keptIn: "system keychain", where: "the macOS keychain" });
    process.env.HF_TOKEN = " hf_environment\n";
    expect(findToken().secret?.header()).toBe("Bearer hf_environment");
    expect(findToken().info).toMatchObject({
      keptIn: "HF_TOKEN",
      where: `the environment variable HF_TOKEN (it goes before the one in ${file})`,
    });
    expect(findToken(keychain({ token: "hf_keychain" })).info.where).toContain("before the one in the macOS keychain");
  });

  test("stays the file's where no keychain can be used, and says why", async () => {
    await hubPlace();
    const without = keychain({ unavailable: "this desktop has no keychain that Parallax can use" });
    expect(findToken(without).info.where).toBe(`no token is kept; ${without.unavailable}`);
    expect(findToken(without).info.goesTo).toMatch(/^the file .*, readable by you only$/);
    writeTokenFile("hf_file");
    expect(findToken(without).info).toMatchObject({ present: true, where: expect.stringContaining("; this desktop") });
    const locked = findToken(keychain({ unreadable: true }));
    expect(locked.info).toMatchObject({ present: true, keptIn: "file", problem: { code: "hub.keychain-locked" } });
    writeTokenFile(null);
    expect(findToken(keychain({ unreadable: true })).info).toMatchObject({
      present: false,
      keptIn: "system keychain",
      where: "the macOS keychain, not used",
      problem: { message: "The token in the macOS keychain was not used: it could not be decrypted." },
    });
  });

  test("is not one that cannot be a token, and the bad one is not shown", async () => {
    const place = await hubPlace();
    process.env.HF_TOKEN = "hf_two words";
    const { secret, info } = findToken();
    expect([secret, info.problem?.code]).toEqual([null, "hub.bad-token"]);
    expect(JSON.stringify(info)).not.toContain("two words");
    expect(() => writeTokenFile("line\nbreak")).toThrow("What was given as a token (10 characters) is none.");
    expect(existsSync(fileOf(place))).toBe(false);
  });

  test.skipIf(!hasModes)(
    "is kept for the owner only; a file that others can read is refused, and set anew mends it",
    async () => {
      const place = await hubPlace();
      mkdirSync(path.dirname(fileOf(place)), { recursive: true });
      writeFileSync(fileOf(place), "hf_old", { mode: 0o644 });
      chmodSync(fileOf(place), 0o644);
      const shown = await parallax(place, ["encoders", "token"]);
      expect(shown.code).toBe(1);
      expect(shown.stdout).toContain("the file's rights are 644, so others on this computer can read or change it");
      expect(shown.stdout).toContain(`chmod 600 "${fileOf(place)}"`);
      const set = await parallax(place, ["encoders", "token", "set"], { input: `${TOKEN}\n` });
      expect([set.code, set.stdout]).toEqual([
        0,
        expect.stringContaining(`the file ${fileOf(place)}, readable by you only`),
      ]);
      expect(statSync(fileOf(place)).mode & 0o777).toBe(0o600);
      for (const mode of [0o640, 0o604, 0o620]) {
        chmodSync(fileOf(place), mode);
        expect(findToken().info.problem?.code).toBe("hub.token-exposed");
      }
      expect((await parallax(place, ["encoders", "token", "forget"])).stdout).toContain("no token is kept");
      expect(existsSync(fileOf(place))).toBe(false);
    },
  );
});

/** Files below a folder that hold a text. */
function holding(folder: string, text: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name))
    .filter((file) => readFileSync(file).includes(text));
}

/** Looks at the arguments of all processes again and again; says which had a text in them. */
function watchArguments(text: string): () => string[] {
  const found = new Set<string>();
  const look = (): void => {
    for (const pid of existsSync("/proc/self/cmdline") ? readdirSync("/proc").filter((name) => /^\d+$/.test(name)) : [])
      try {
        const line = readFileSync(`/proc/${pid}/cmdline`, "utf8");
        if (line.includes(text)) found.add(line);
      } catch {
        // It ended meanwhile.
      }
  };
  const timer = setInterval(look, 25);
  onTestFinished(() => clearInterval(timer));
  return () => [...found];
}

describe("a token", () => {
  test("is hidden in whatever shows a value", () => {
    const secret = new Secret(TOKEN);
    const shown = [
      `${secret}`,
      JSON.stringify({ secret }),
      inspect({ secret }, { showHidden: true, depth: 9 }),
      String(secret),
    ];
    expect(shown.join("\n")).not.toContain(TOKEN);
    expect(secret.redact(`a ${TOKEN} b`)).toBe("a [token] b");
  });

  test("does not turn up in errors, records or settings, although the hub repeats it in all it says", async () => {
    const echo = {
      "x-error-message": `no ${TOKEN}`,
      "x-error-code": "GatedRepo",
      "x-repo-commit": TOKEN,
      "retry-after": "0",
    };
    const place = await hubPlace({
      token: TOKEN,
      info: (_, info) => ({ ...info, tags: [`license:${TOKEN}`, TOKEN, "en"] }),
    });
    const said: string[] = [];
    const troubles: NonNullable<HubPlace["server"]["trouble"]>[] = [
      ...[400, 401, 403, 404, 429, 500].map((status) => () => ({
        status,
        headers: echo,
        text: JSON.stringify({ error: TOKEN }),
      })),
      () => ({ status: 200, text: `<p>${TOKEN}</p>` }),
      () => ({ status: 200, text: JSON.stringify({ sha: TOKEN, siblings: [{ rfilename: TOKEN }] }) }),
      () => ({ status: 200, text: JSON.stringify({ sha: "a".repeat(40), siblings: [{ rfilename: `../${TOKEN}` }] }) }),
      () => ({ status: 302, headers: { location: `/again?token=${TOKEN}` } }),
      () => ({ status: 302, headers: { location: `gopher://${TOKEN}/` } }),
      (seen) => (seen.path.includes("/resolve/") ? { say: { "x-repo-commit": TOKEN } } : undefined),
      (seen) => (givesWeights(seen) ? { body: Buffer.alloc(10, "x") } : undefined),
      (seen) => (givesWeights(seen) ? { dropAfter: 0 } : undefined),
    ];
    for (const trouble of troubles) {
      place.server.trouble = trouble;
      const error = await place.refusal({ http: place.http({ tries: 2 }) });
      said.push(error.code, inspect(error, { depth: 9, showHidden: true }), JSON.stringify(toErrorData(error)));
      expect(said.at(-1)).not.toContain(TOKEN);
    }
    place.server.trouble = undefined;
    const { record } = await place.download();
    expect(record.licence).toBe("[token]");
    expect(said.join("\n")).not.toContain(TOKEN);
    expect(holding(place.root, TOKEN)).toEqual([]);
    expect(new Set(said.filter((each) => each.startsWith("hub."))).size).toBeGreaterThan(7);
  });

  test("does not turn up in output, notebooks, specs or the arguments of a process", async () => {
    const place = await hubPlace({ token: TOKEN });
    const inArguments = watchArguments(TOKEN);
    const cells = [
      `import { downloadEncoder, listEncoders, loadEncoder } from "parallax";`,
      `try { await downloadEncoder("tiny/nobody"); } catch (error) { console.log(error); console.dir(error, { depth: 9 }); }`,
      `const encoder = await loadEncoder("${ID}", { download: true }); encoder`,
      `[encoder.identity, encoder.spec]`,
      `await listEncoders()`,
      `await downloadEncoder("tiny/nobody")`,
    ];
    const notebook = path.join(place.root, "study.ipynb");
    writeFileSync(
      notebook,
      JSON.stringify({
        nbformat: 4,
        nbformat_minor: 5,
        metadata: {},
        cells: cells.map((source, i) => ({
          cell_type: "code",
          id: `c${i}`,
          metadata: {},
          source,
          outputs: [],
          execution_count: null,
        })),
      }),
    );
    const said = [
      await parallax(place, ["encoders", "token", "set"], { input: TOKEN }),
      await parallax(place, ["encoders", "download", "tiny/nobody"]),
      await parallax(place, ["run", "--in-place", notebook]),
      await parallax(place, ["encoders", "list", "--all", "--json"], { env: { HF_TOKEN: TOKEN } }),
    ];
    expect(said.map(({ code }) => code)).toEqual([0, 1, 1, 0]);
    const text = said.map(({ stdout, stderr }) => stdout + stderr).join("\n");
    expect(text).toContain("[hub.not-found]");
    const outputs = (JSON.parse(readFileSync(notebook, "utf8")) as { cells: { outputs: { output_type: string }[] }[] })
      .cells;
    expect(outputs.map((cell) => cell.outputs.map((output) => output.output_type))).toEqual([
      [],
      ["stream"],
      ["execute_result"],
      ["execute_result"],
      ["execute_result"],
      ["error"],
    ]);
    expect(JSON.stringify(outputs[1])).toContain("hub.not-found");
    expect(place.server.seen.some((seen) => seen.authorization === `Bearer ${TOKEN}`)).toBe(true);
    expect(text).not.toContain(TOKEN);
    expect(holding(place.root, TOKEN)).toEqual([fileOf(place)]);
    expect(inArguments()).toEqual([]);
  });
});
