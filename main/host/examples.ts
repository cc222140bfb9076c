/** Shipped examples. Opening one makes a copy beside the user's notebooks; a copy that is there already is the user's. */
import { constants, readdirSync, readFileSync } from "node:fs";
import { copyFile, mkdir, readdir } from "node:fs/promises";
import path from "node:path";
import { z } from "zod";
import { ParallaxError } from "../../kernels/protocol/errors.ts";
import { saveError } from "./disk-errors.ts";
import { parseJson } from "./json-file.ts";
import { packageRoot } from "./package-root.ts";
import { ignore } from "./write-atomically.ts";

/** In the notebook's `metadata.parallax.example`. */
const exampleSchema = z.object({
  title: z.string(),
  summary: z.string(),
  minutes: z.number(),
  order: z.number(),
  /** Files and folders that the notebook reads, relative to it. */
  files: z.array(z.string()),
});
const notebookSchema = z.object({ metadata: z.object({ parallax: z.object({ example: exampleSchema }) }) });

export interface Example extends z.infer<typeof exampleSchema> {
  id: string;
  file: string;
}

const COPIES = "parallax-examples";

export function listExamples(folder = path.join(packageRoot(), "notebooks/examples")): Example[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith(".ipynb"))
    .flatMap((name): Example[] => {
      const file = path.join(folder, name);
      const parsed = notebookSchema.safeParse(parseJson(readFileSync(file, "utf8")));
      return parsed.success
        ? [{ ...parsed.data.metadata.parallax.example, id: path.basename(name, ".ipynb"), file }]
        : [];
    })
    .sort((a, b) => a.order - b.order || (a.id < b.id ? -1 : 1));
}

/** @returns the copy's path relative to the root. Files that are there already are never touched. */
export async function copyExample(example: Example, root: string): Promise<string> {
  const from = path.dirname(example.file);
  const to = path.join(root, COPIES);
  try {
    for (const name of example.files) await copyMissing(path.join(from, name), path.join(to, name));
    await copyMissing(example.file, path.join(to, path.basename(example.file)));
  } catch (error) {
    throw saveError(path.join(to, path.basename(example.file)), error, "The example was not opened.");
  }
  return `${COPIES}/${path.basename(example.file)}`;
}

export function findExample(id: string, folder?: string): Example {
  const examples = listExamples(folder);
  const found = examples.find((example) => example.id === id);
  if (found !== undefined) return found;
  const known = examples.map((example) => example.id).join(", ");
  throw new ParallaxError("example.unknown", `There is no example ${JSON.stringify(id)} (there are: ${known}).`, {
    hint: "Choose one of the start page.",
  });
}

async function copyMissing(from: string, to: string): Promise<void> {
  const entries = await readdir(from, { withFileTypes: true }).catch(ignore("ENOTDIR"));
  if (entries !== undefined) {
    for (const entry of entries) await copyMissing(path.join(from, entry.name), path.join(to, entry.name));
    return;
  }
  await mkdir(path.dirname(to), { recursive: true });
  await copyFile(from, to, constants.COPYFILE_EXCL).catch(ignore("EEXIST"));
}
