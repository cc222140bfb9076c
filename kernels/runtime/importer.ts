/** What the imports of a cell mean: Parallax itself, Node's modules, files beside the notebook, packages. */
import { builtinModules, register } from "node:module";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import vm from "node:vm";
import { packageRoot } from "../graph/package-root.ts";
import { ParallaxError } from "../protocol/errors.ts";
import { type LoaderData, versionedUrl } from "./loader.hooks.ts";
import { findLocal, isLocalModule } from "./local-modules.ts";

export type Namespace = Record<string, unknown>;

const API = Symbol.for("parallax.api");
const builtins = new Set(builtinModules);

export class Importer {
  readonly #folder: string;
  readonly #fromFolder: (specifier: string) => Promise<Namespace>;
  #hooks: Promise<void> | undefined;
  #api: Promise<typeof import("./loaded-api.ts")> | undefined;

  /** @param folder  the notebook's: where relative files and packages are looked for first. */
  constructor(folder: string) {
    this.#folder = folder;
    // The default loader resolves from the file name of the code that imports.
    this.#fromFolder = vm.compileFunction("return import(specifier)", ["specifier"], {
      filename: path.join(folder, "notebook.mjs"),
      importModuleDynamically: vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER as never,
    }) as (specifier: string) => Promise<Namespace>;
    Object.defineProperty(globalThis, API, { value: () => this.import("parallax"), configurable: true });
  }

  /**
   * @throws {ParallaxError} import.not-found  no such file or package; says where it was looked for
   * @throws {ParallaxError} import.syntax     a local file does not parse
   */
  async import(specifier: string): Promise<Namespace> {
    if (specifier === "parallax") {
      this.#api ??= import("./loaded-api.ts");
      return (await this.#api).api as unknown as Namespace;
    }
    if (specifier.startsWith("node:") || builtins.has(specifier)) return import(specifier);
    if (/^(\.|\/|file:)/.test(specifier) || path.isAbsolute(specifier)) return this.#local(specifier);
    if (/^https?:/.test(specifier))
      throw new ParallaxError("import.from-network", `Modules are not loaded from the network: ${specifier}.`, {
        hint: `Install the package in ${this.#folder} with npm, and import it by its name.`,
      });
    return this.#package(specifier);
  }

  /** What the kernel itself asks the API for, once a cell has imported it: until then there is nothing to ask about. */
  async loadedApi(): Promise<typeof import("./loaded-api.ts") | undefined> {
    return this.#api;
  }

  async #local(specifier: string): Promise<Namespace> {
    const wanted = specifier.startsWith("file:") ? fileURLToPath(specifier) : path.resolve(this.#folder, specifier);
    const file = findLocal(wanted);
    if (file === undefined)
      throw new ParallaxError("import.not-found", `There is no file ${wanted}.`, {
        hint: "Paths are relative to the notebook's folder.",
      });
    if (!isLocalModule(file)) return import(pathToFileURL(file).href);
    this.#hooks ??= this.#register();
    await this.#hooks;
    return import(versionedUrl(file));
  }

  /** Costs a thread, so only a notebook that imports files of its own pays for it. */
  async #register(): Promise<void> {
    const root = packageRoot();
    const data: LoaderData = {
      fallback: pathToFileURL(path.join(root, "package.json")).href,
      names: Object.keys(await this.import("parallax")),
    };
    register(pathToFileURL(path.join(root, "dist/kernels/runtime/loader.hooks.mjs")).href, { data });
  }

  async #package(specifier: string): Promise<Namespace> {
    try {
      return await this.#fromFolder(specifier);
    } catch (error) {
      if (!isMissing(error, specifier)) throw error;
    }
    try {
      return await import(specifier);
    } catch (error) {
      if (!isMissing(error, specifier)) throw error;
      const name = specifier
        .split("/")
        .slice(0, specifier.startsWith("@") ? 2 : 1)
        .join("/");
      throw new ParallaxError("import.not-found", `There is no package "${name}" in ${this.#folder} or above it.`, {
        hint: `Run \`npm install ${name}\` in that folder.`,
        details: { specifier },
      });
    }
  }
}

/** True when the package itself is missing, not something that it imports. */
function isMissing(error: unknown, specifier: string): boolean {
  const { code, message } = error as { code?: unknown; message?: unknown };
  return code === "ERR_MODULE_NOT_FOUND" && String(message).includes(`'${specifier.split("/")[0]}`);
}

/**
 * One exported name of a module. CommonJS modules keep names that Node cannot see from outside in their default export.
 * @returns undefined when there is none
 */
export function exported(namespace: Namespace, name: string): (() => unknown) | undefined {
  if (name === "*") return () => namespace;
  if (name in namespace) return () => namespace[name];
  const whole = namespace.default;
  if ((typeof whole === "object" || typeof whole === "function") && whole !== null && name in whole)
    return () => (whole as Namespace)[name];
  return undefined;
}
