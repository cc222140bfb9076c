/**
 * The user's token for the hub. It lives in HF_TOKEN, in the system's keychain (the desktop app hands it over), or in a
 * file that only the owner can read. A `Secret` shows itself nowhere: not in JSON, not in text, not in a log.
 */
import {
  chmodSync,
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import path from "node:path";
import { inspect } from "node:util";
import { appFolders } from "../files/app-folders.ts";
import type { EncoderSettings, Keychain } from "../protocol/encoders.ts";
import { type ErrorData, ParallaxError, toErrorData } from "../protocol/errors.ts";

const HIDDEN = "[token]";

export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  /** For the one header that needs it. */
  header(): string {
    return `Bearer ${this.#value}`;
  }

  /** A text of somebody else's with the token taken out. */
  redact(text: string): string {
    return text.replaceAll(this.#value, HIDDEN);
  }

  toString(): string {
    return HIDDEN;
  }

  toJSON(): string {
    return HIDDEN;
  }

  [inspect.custom](): string {
    return HIDDEN;
  }
}

export interface FoundToken {
  secret: Secret | null;
  info: EncoderSettings["token"];
}

export const tokenFile = (): string => path.join(appFolders().config, "hub-token");

/**
 * The token in use: HF_TOKEN, then the keychain's, then the file's.
 *
 * @param keychain undefined: there is none here (command line, browser).
 * Never throws for a token that cannot be used: `info.problem` says why, and the work goes on without one.
 */
export function findToken(keychain?: Keychain): FoundToken {
  const file = tokenFile();
  const canKeep = keychain !== undefined && keychain.unavailable === null;
  const goesTo = canKeep ? keychain.name : `the file ${file}, readable by you only`;
  const fromEnvironment = process.env.HF_TOKEN?.trim();
  if (fromEnvironment) {
    const other = keychain?.token ? keychain.name : existsSync(file) ? file : null;
    const behind = other === null ? "" : ` (it goes before the one in ${other})`;
    return found(fromEnvironment, "HF_TOKEN", `the environment variable HF_TOKEN${behind}`, goesTo);
  }
  if (keychain?.token) return found(keychain.token, "system keychain", keychain.name, goesTo);
  // Why the file, although there is a keychain.
  const reason = keychain?.unavailable == null ? "" : `; ${keychain.unavailable}`;
  const locked = keychain?.unreadable === true ? unreadable(keychain.name) : null;
  try {
    const text = readPrivately(file)?.trim();
    if (text) {
      const fromFile = found(text, "file", `the file ${file}, readable by you only${reason}`, goesTo);
      return locked === null || fromFile.secret === null
        ? fromFile
        : { ...fromFile, info: { ...fromFile.info, problem: locked } };
    }
  } catch (error) {
    if (!(error instanceof ParallaxError)) throw error;
    const where = `the file ${file}, not used`;
    return { secret: null, info: { present: false, keptIn: "file", where, goesTo, problem: toErrorData(error) } };
  }
  if (locked !== null && keychain !== undefined)
    return {
      secret: null,
      info: { present: false, keptIn: "system keychain", where: `${keychain.name}, not used`, goesTo, problem: locked },
    };
  const where = `no token is kept${reason}`;
  return { secret: null, info: { present: false, keptIn: "none", where, goesTo, problem: null } };
}

function found(
  text: string,
  keptIn: "HF_TOKEN" | "file" | "system keychain",
  where: string,
  goesTo: string,
): FoundToken {
  try {
    checkToken(text);
  } catch (error) {
    const problem = toErrorData(error);
    return { secret: null, info: { present: false, keptIn, where: `${where}, not used`, goesTo, problem } };
  }
  return { secret: new Secret(text), info: { present: true, keptIn, where, goesTo, problem: null } };
}

function unreadable(name: string): ErrorData {
  return toErrorData(
    new ParallaxError("hub.keychain-locked", `The token in ${name} was not used: it could not be decrypted.`, {
      kind: "environment",
      hint: "Unlock the keychain and start Parallax again, or set the token again.",
    }),
  );
}

/** A header takes visible ASCII only, and what is not a token must not be sent as one. */
function checkToken(token: string): void {
  if (/^[\x21-\x7e]{3,500}$/.test(token)) return;
  throw new ParallaxError("hub.bad-token", `What was given as a token (${token.length} characters) is none.`, {
    hint: "Copy it again from the hub's settings page; it begins with hf_.",
  });
}

/**
 * Keep a token in the file, readable by the owner only; null deletes it.
 * @throws {ParallaxError} hub.bad-token, hub.token-not-kept. No error holds the token.
 */
export function writeTokenFile(token: string | null): void {
  const file = tokenFile();
  if (token === null) {
    rmSync(file, { force: true });
    return;
  }
  checkToken(token.trim());
  const beside = `${file}.${process.pid}.tmp`;
  try {
    mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
    rmSync(beside, { force: true });
    const fd = openSync(beside, "wx", 0o600);
    try {
      writeSync(fd, `${token.trim()}\n`);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    chmodSync(beside, 0o600);
    renameSync(beside, file);
  } catch (error) {
    rmSync(beside, { force: true });
    const code = (error as NodeJS.ErrnoException).code ?? "unknown";
    throw new ParallaxError("hub.token-not-kept", `The token could not be kept in ${file} (${code}).`, {
      kind: "environment",
      hint: "Make the folder writable, or set HF_TOKEN instead.",
      details: { file, systemCode: code },
    });
  }
}

/** Undefined when there is no file. @throws {ParallaxError} hub.token-exposed when others could have read it */
function readPrivately(file: string): string | undefined {
  const stat = statSync(file, { throwIfNoEntry: false });
  if (stat === undefined) return undefined;
  // Windows keeps rights in lists; a user's own settings folder is closed to other users there.
  if (process.platform !== "win32") {
    const mode = stat.mode & 0o777;
    const isOurs = process.getuid === undefined || stat.uid === process.getuid();
    if ((mode & 0o077) !== 0 || !isOurs)
      throw new ParallaxError(
        "hub.token-exposed",
        `The token in ${file} was not used: ${isOurs ? `the file's rights are ${mode.toString(8)}, so others on this computer can read or change it` : "the file belongs to another user"}.`,
        {
          kind: "environment",
          hint: isOurs
            ? `chmod 600 "${file}", or take the token back at the hub and set a new one.`
            : "Delete the file and set the token again.",
          details: { file, mode: mode.toString(8) },
        },
      );
  }
  return readFileSync(file, "utf8");
}
