#!/usr/bin/env node
/** The command line. Builds first when this is a checkout whose sources changed, so no separate build is needed. */
import { ensureBuilt, root } from "../scripts/build.mjs";
import path from "node:path";
import { pathToFileURL } from "node:url";

await ensureBuilt((line) => process.stderr.write(`${line}\n`));
await import(pathToFileURL(path.join(root, "dist/main/cli/index.mjs")).href);
