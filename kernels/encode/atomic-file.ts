/** Moved: see files/atomic-file.ts. */
export * from "../files/atomic-file.ts";
