/**
 * The hub's token in the desktop app. Electron's binary is not here, so an object with safeStorage's interface stands in
 * for it; everything behind it (service, host, kernel, files) is real.
 */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import type { EncoderSettings } from "../../kernels/protocol/encoders.ts";
import { type SafeStorage, SEALED, tokenVault } from "../../main/electron/token-vault.ts";
import { Encoders } from "../../main/host/encoders.ts";
import { hubPlace, ID } from "../hub/workplace.ts";
import { KernelProcess } from "../support/kernel-process.ts";

const TOKEN = "hf_QqWwEeRrTtYyUuIiOoPp";
vi.setConfig({ testTimeout: 120_000 });

interface Fake extends SafeStorage {
  key: number;
  isAvailable: boolean;
  isLocked: boolean;
  decrypted: number;
}

/** Encrypts badly, and as safeStorage does: another key or a locked keychain throws. */
function fakeStorage(backend?: string): Fake {
  const storage: Fake = {
    key: 0x5a,
    isAvailable: true,
    isLocked: false,
    decrypted: 0,
    isEncryptionAvailable: () => storage.isAvailable,
    encryptString(text) {
      if (storage.isLocked) throw new Error(`Error while encrypting ${text}`);
      return Buffer.concat([
        Buffer.from("v10"),
        Buffer.from([storage.key]),
        Buffer.from(text).map((b) => b ^ storage.key),
      ]);
    },
    decryptString(sealed) {
      storage.decrypted++;
      if (storage.isLocked || sealed.subarray(0, 3).toString() !== "v10" || sealed[3] !== storage.key)
        throw new Error("Error while decrypting the ciphertext provided to safeStorage.decryptString.");
      return Buffer.from(sealed.subarray(4).map((b) => b ^ storage.key)).toString();
    },
    ...(backend === undefined ? {} : { getSelectedStorageBackend: () => backend }),
  };
  return storage;
}

function folder(): string {
  const made = mkdtempSync(path.join(os.tmpdir(), "parallax-vault-"));
  onTestFinished(() => rmSync(made, { recursive: true, force: true }));
  return made;
}

describe("the vault", () => {
  test("keeps the token encrypted, for the owner only, over a restart, until it is forgotten", () => {
    const at = path.join(folder(), "config");
    const storage = fakeStorage();
    const vault = tokenVault(storage, at, "darwin");
    expect([vault.read(), vault.unavailable()]).toEqual([null, null]);
    vault.write(TOKEN);
    expect(readdirSync(at)).toEqual([SEALED]);
    expect(readFileSync(path.join(at, SEALED)).includes(TOKEN)).toBe(false);
    if (process.platform !== "win32") expect(statSync(path.join(at, SEALED)).mode & 0o777).toBe(0o600);
    const later = tokenVault(storage, at, "darwin");
    expect([later.read(), later.read(), storage.decrypted]).toEqual([TOKEN, TOKEN, 1]);
    later.write("hf_another");
    expect(tokenVault(storage, at, "darwin").read()).toBe("hf_another");
    later.write(null);
    expect([later.read(), existsSync(path.join(at, SEALED))]).toEqual([null, false]);
  });

  test.each([
    ["darwin", undefined, "an encrypted file, its key in the macOS keychain", null],
    ["win32", undefined, "an encrypted file, its key in Windows' store for your account", null],
    ["linux", "gnome_libsecret", "an encrypted file, its key in the GNOME keyring", null],
    ["linux", "kwallet6", "an encrypted file, its key in KWallet", null],
    [
      "linux",
      "basic_text",
      "an encrypted file, its key in the system's keychain",
      "this desktop has no keychain that Parallax can use",
    ],
    [
      "linux",
      "unknown",
      "an encrypted file, its key in the system's keychain",
      "this desktop has no keychain that Parallax can use",
    ],
  ] as const)(
    "on %s with %s has a name, and is used only where it is more than a veil",
    (platform, backend, name, why) => {
      const vault = tokenVault(fakeStorage(backend), folder(), platform);
      expect([vault.name, vault.unavailable()]).toEqual([name, why]);
    },
  );

  test("says when encryption is not available, and throws for what it cannot decrypt", () => {
    const at = folder();
    const storage = fakeStorage();
    storage.isAvailable = false;
    expect(tokenVault(storage, at, "darwin").unavailable()).toBe("the macOS keychain cannot be used now");
    tokenVault(storage, at, "darwin").write(TOKEN);
    storage.key = 0x33;
    expect(() => tokenVault(storage, at, "darwin").read()).toThrow("Error while decrypting");
    writeFileSync(path.join(at, SEALED), "damaged");
    expect(() => tokenVault(storage, at, "darwin").read()).toThrow("Error while decrypting");
  });
});

describe("the app", () => {
  const token = (settings: EncoderSettings): EncoderSettings["token"] => settings.token;

  async function app(storage: Fake, platform: NodeJS.Platform = "darwin") {
    const place = await hubPlace({ token: TOKEN });
    const config = path.join(place.home, "config");
    const vault = tokenVault(storage, config, platform);
    const encoders = new Encoders({
      onEvent: () => undefined,
      configuration: async () => ({ runs: [], notebooks: [] }),
      onTrouble: () => undefined,
      vault,
      env: { HF_ENDPOINT: place.server.endpoint },
    });
    onTestFinished(() => encoders.dispose());
    return { place, config, vault, encoders, plain: path.join(config, "hub-token") };
  }

  test("uses the keychain's token and says where it is; a locked keychain is told, not passed over", async () => {
    const storage = fakeStorage();
    const { place, encoders, plain, config } = await app(storage);
    const name = "an encrypted file, its key in the macOS keychain";
    expect(token(await encoders.call("settings", {}))).toMatchObject({ keptIn: "none", goesTo: name });
    expect(token(await encoders.call("set-token", { token: TOKEN }))).toMatchObject({
      present: true,
      keptIn: "system keychain",
      where: name,
    });
    expect(existsSync(plain)).toBe(false);
    expect((await encoders.call("find", { query: "bert-of" })).entries).toHaveLength(1);
    expect(place.server.seen.at(-1)?.authorization).toBe(`Bearer ${TOKEN}`);

    storage.isLocked = true;
    const failed = encoders.call("set-token", { token: "hf_newer" });
    await expect(failed).rejects.toMatchObject({ code: "hub.token-not-kept" });
    await expect(failed).rejects.not.toThrow("hf_newer");
    const vault = tokenVault(storage, config, "darwin");
    const again = new Encoders({
      onEvent: () => undefined,
      configuration: async () => ({ runs: [], notebooks: [] }),
      onTrouble: () => undefined,
      vault,
    });
    onTestFinished(() => again.dispose());
    expect(token(await again.call("settings", {}))).toMatchObject({
      present: false,
      keptIn: "system keychain",
      where: `${name}, not used`,
      problem: { code: "hub.keychain-locked" },
    });
    expect(token(await again.call("set-token", { token: null }))).toMatchObject({ keptIn: "none", problem: null });
    expect(readdirSync(config)).toEqual([]);
  });

  test("without a keychain keeps it in the owner's file, and says why", async () => {
    const { encoders, plain, config } = await app(fakeStorage("basic_text"), "linux");
    const settings = token(await encoders.call("set-token", { token: TOKEN }));
    expect(settings).toMatchObject({
      present: true,
      keptIn: "file",
      where: `the file ${plain}, readable by you only; this desktop has no keychain that Parallax can use`,
    });
    expect(existsSync(path.join(config, SEALED))).toBe(false);
    if (process.platform !== "win32") expect(statSync(plain).mode & 0o777).toBe(0o600);
    expect(token(await encoders.call("set-token", { token: null }))).toMatchObject({ present: false, keptIn: "none" });
    expect(existsSync(plain)).toBe(false);
  });

  test("gives it to kernels, so that a cell can download; no cell sees it", async () => {
    const { place } = await app(fakeStorage());
    const kernel = await KernelProcess.start({
      env: { HF_ENDPOINT: place.server.endpoint, PARALLAX_HOME: place.home },
    });
    onTestFinished(() => kernel.stop());
    const code = `import { downloadEncoder } from "parallax"; (await downloadEncoder("${ID}")).id`;
    expect((await kernel.run(code)).error?.error.code).toBe("hub.not-found");
    const keychain = { name: "the macOS keychain", token: TOKEN, unavailable: null, unreadable: false };
    kernel.send({ type: "keychain", keychain });
    expect((await kernel.run(code)).text).toContain(ID);
    const isInEnvironment = `JSON.stringify(process.env).includes("${TOKEN.slice(0, 9)}" + "${TOKEN.slice(9)}")`;
    expect((await kernel.run(isInEnvironment)).text).toBe("false");
    expect(JSON.stringify(kernel.messages)).not.toContain(TOKEN);
  });
});
