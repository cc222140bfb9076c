#!/usr/bin/env node
import path from "node:path";
import { pathToFileURL } from "node:url";
/** The command line. Builds first when this is a checkout whose sources changed, so no separate build is needed. */
import { ensureBuilt, root } from "../scripts/build.mjs";

await ensureBuilt((line) => process.stderr.write(`${line}\n`));
await import(pathToFileURL(path.join(root, "dist/main/cli/index.mjs")).href);
