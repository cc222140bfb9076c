/**
 * The hub's token in the desktop app: encrypted by Electron's safeStorage, whose key lies in the system's keychain, and
 * kept beside the settings. Without a usable keychain `unavailable` says why, and the owner's file takes its place.
 */
import {
  chmodSync,
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import path from "node:path";
import type { TokenVault } from "../host/encoders.ts";

/** The part of Electron's safeStorage that is used. Its asynchronous methods read what these write. */
export interface SafeStorage {
  isEncryptionAvailable(): boolean;
  encryptString(text: string): Buffer;
  /** @throws when the key is another one, or the keychain stays locked */
  decryptString(sealed: Buffer): string;
  /** Linux only. */
  getSelectedStorageBackend?(): string;
}

export const SEALED = "hub-token.sealed";

/** Call it after the app is ready: before that, no keychain is known. Nothing is asked of the keychain yet. */
export function tokenVault(storage: SafeStorage, folder: string, platform: NodeJS.Platform): TokenVault {
  const file = path.join(folder, SEALED);
  const backend = platform === "linux" ? (storage.getSelectedStorageBackend?.() ?? "unknown") : "";
  // Decrypting may ask the user for leave; once is enough.
  let known: { token: string | null } | null = null;
  return {
    name: `an encrypted file, its key in ${keychainName(platform, backend)}`,
    unavailable() {
      // Electron's "basic_text" encrypts with a password that stands in its source: others could read it.
      if (platform === "linux" && (backend === "basic_text" || backend === "unknown"))
        return "this desktop has no keychain that Parallax can use";
      if (storage.isEncryptionAvailable()) return null;
      return `${keychainName(platform, backend)} cannot be used now`;
    },
    read() {
      if (known !== null) return known.token;
      const sealed = bytesOf(file);
      const token = sealed === null ? null : storage.decryptString(sealed);
      known = { token: token === "" ? null : token };
      return known.token;
    },
    write(token) {
      if (token === null) rmSync(file, { force: true });
      else writePrivately(file, storage.encryptString(token));
      known = { token };
    },
  };
}

function keychainName(platform: NodeJS.Platform, backend: string): string {
  if (platform === "darwin") return "the macOS keychain";
  if (platform === "win32") return "Windows' store for your account";
  if (backend === "gnome_libsecret") return "the GNOME keyring";
  return backend.startsWith("kwallet") ? "KWallet" : "the system's keychain";
}

function bytesOf(file: string): Buffer | null {
  try {
    return readFileSync(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
}

/** Others cannot decrypt it, and need not see it either. */
function writePrivately(file: string, bytes: Buffer): void {
  const beside = `${file}.${process.pid}.tmp`;
  try {
    mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
    rmSync(beside, { force: true });
    const fd = openSync(beside, "wx", 0o600);
    try {
      for (let at = 0; at < bytes.byteLength; ) at += writeSync(fd, bytes, at);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    chmodSync(beside, 0o600);
    renameSync(beside, file);
  } catch (error) {
    rmSync(beside, { force: true });
    throw error;
  }
}
