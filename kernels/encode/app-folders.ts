/** Moved: see files/app-folders.ts. */
export * from "../files/app-folders.ts";
