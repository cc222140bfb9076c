/** The one list of execution providers: code, settings, specs and the command line choose from it. */
export const PROVIDER_NAMES = ["cpu", "webgpu", "cuda", "dml", "coreml"] as const;
export type ProviderName = (typeof PROVIDER_NAMES)[number];
