/**
 * `parallax doctor`: what works here, what is missing and how to get it. Facts about encoders, ONNX Runtime and
 * drivers come from the computing process; the shell's own facts are looked up here.
 */
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import color from "picocolors";
import { EXIT } from "../../kernels/protocol/cli-messages.ts";
import { findChromium } from "../host/chromium.ts";
import { electronBinary } from "../host/electron-binary.ts";
import { packageRoot } from "../host/package-root.ts";
import { computeAnswer, type OutputOptions } from "./compute-command.ts";

export interface Check {
  name: string;
  /** "ok" works; "optional" is missing but not needed; "problem" must be mended. */
  state: "ok" | "optional" | "problem";
  found: string;
  /** The command or step that gets it. */
  fix?: string | undefined;
}

export async function runDoctor(options: OutputOptions): Promise<number> {
  const checks: Check[] = [nodeCheck(), electronCheck(), chromiumCheck()];
  const answer = await computeAnswer({ command: "doctor" });
  if (answer.kind === "result") checks.push(...(answer.json as Check[]));
  else if (answer.exitCode === EXIT.interrupted) return EXIT.interrupted;
  else
    checks.push({
      name: "Computing process",
      state: "problem",
      found: "it ended before it answered",
      fix: "reinstall the packages: npm ci",
    });
  const problems = checks.filter((check) => check.state === "problem");
  if (options.json) process.stdout.write(`${JSON.stringify({ ok: problems.length === 0, checks }, null, 2)}\n`);
  else {
    const width = Math.max(...checks.map((check) => check.name.length));
    for (const check of checks) {
      const mark = { ok: color.green("✓ ok     "), optional: color.dim("○ missing"), problem: color.red("✕ problem") }[
        check.state
      ];
      process.stdout.write(`${mark}  ${check.name.padEnd(width)}  ${check.found}\n`);
      if (check.fix) process.stdout.write(`${" ".repeat(width + 13)}${color.dim(`→ ${check.fix}`)}\n`);
    }
    process.stdout.write(
      problems.length === 0
        ? "\nNothing needs mending. Lines marked ○ are optional.\n"
        : `\n${problems.length} to mend: ${problems.map((check) => check.name).join(", ")}.\n`,
    );
  }
  return problems.length === 0 ? EXIT.done : EXIT.failed;
}

function nodeCheck(): Check {
  const [major = 0] = process.versions.node.split(".").map(Number);
  return major >= 20
    ? { name: "Node.js", state: "ok", found: process.version }
    : { name: "Node.js", state: "problem", found: process.version, fix: "install Node.js 20 or newer" };
}

function electronCheck(): Check {
  const wanted = pinnedVersion("electron");
  const binary = electronBinary();
  return binary
    ? { name: "Desktop window", state: "ok", found: `Electron ${wanted} (${binary})` }
    : {
        name: "Desktop window",
        state: "optional",
        found: `Electron ${wanted}'s binary is not downloaded; the same page runs in a browser (parallax serve)`,
        fix: "npx install-electron (about 110 MB from github.com; needs Node.js 22.12), or set ELECTRON_OVERRIDE_DIST_PATH to a copy",
      };
}

function chromiumCheck(): Check {
  const chromium = findChromium();
  return chromium
    ? { name: "Chromium (tests)", state: "ok", found: chromium }
    : {
        name: "Chromium (tests)",
        state: "optional",
        found: "none found; only the browser tests need it",
        fix: "npx playwright-core install chromium, or the package of your system (Debian: apt-get install chromium)",
      };
}

function pinnedVersion(name: string): string {
  const file = path.join(packageRoot(), "package.json");
  const json = JSON.parse(readFileSync(file, "utf8")) as { devDependencies?: Record<string, string> };
  return existsSync(file) ? (json.devDependencies?.[name] ?? "unknown") : "unknown";
}
