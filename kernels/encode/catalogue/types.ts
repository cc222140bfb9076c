/** What the catalogue says of a model: facts from its own files, its card or its paper. */
import type { Family } from "../../model/architecture.ts";
import type { Pooling } from "../../model/pooling.ts";

/** Prefixes of a task, by the side they belong to: queries, documents, or all texts of a symmetric task. */
export interface TaskPrompts {
  query?: string;
  document?: string;
  text?: string;
}

export interface KnownFile {
  /** Path in the model's repository. */
  path: string;
  bytes: number;
  /** Lower-case hex. */
  sha256: string;
}

export interface CatalogueEntry {
  /** On the hub: "BAAI/bge-small-en-v1.5". */
  id: string;
  family: Family;
  layers: number;
  dimensions: number;
  /** Millions, embeddings included. */
  millions: number;
  maxTokens: number;
  pooling: Pooling;
  /** A linear layer after the pooling: its outputs and whether it has a bias. */
  dense: { out: number; bias: boolean } | null;
  normalise: boolean;
  /** "exclude": the instruction's tokens are seen by attention and left out of the pooling (InstructOR). */
  promptPooling: "include" | "exclude";
  /** Prefixes by name. */
  prompts: Readonly<Record<string, string>>;
  /** Which of `prompts` belongs to a side; null: none, on purpose. */
  roles: { query: string | null; document: string | null; text: string | null };
  /** Prompts of single tasks, by MTEB's names; before `roles`. */
  tasks?: Readonly<Record<string, TaskPrompts>>;
  /** Without a prompt the vectors are worse than the published ones. */
  needsPrompt: boolean;
  /** SPDX, or words where the card does not say one. */
  licence: string;
  /** ISO 639-1 codes; "multilingual". */
  languages: readonly string[];
  /** A sentence for people. */
  note?: string;
}

/** A known model that cannot be run, and why. */
export interface RefusedModel {
  id: string;
  why: string;
}
