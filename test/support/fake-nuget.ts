/** A NuGet v3 feed on this computer with one small package, which can misbehave. */
import { createHash } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { crc32, deflateRawSync } from "node:zlib";

/** A zip archive of deflated entries, as the names say; nothing is checked. */
export function zipOf(entries: Record<string, Uint8Array>): Buffer {
  const pieces: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const [name, data] of Object.entries(entries)) {
    const packed = deflateRawSync(data);
    const nameBytes = Buffer.from(name);
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt16LE(8, 4);
    common.writeUInt32LE(crc32(data), 10);
    common.writeUInt32LE(packed.length, 14);
    common.writeUInt32LE(data.length, 18);
    common.writeUInt16LE(nameBytes.length, 22);
    const local = Buffer.concat([Buffer.from("PK\x03\x04", "latin1"), common, nameBytes, packed]);
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE(offset, 10);
    directory.push(Buffer.concat([Buffer.from("PK\x01\x02", "latin1"), Buffer.from([20, 0]), common, tail, nameBytes]));
    pieces.push(local);
    offset += local.length;
  }
  const central = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.write("PK\x05\x06", "latin1");
  end.writeUInt16LE(directory.length, 8);
  end.writeUInt16LE(directory.length, 10);
  end.writeUInt32LE(central.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...pieces, central, end]);
}

export interface NugetFaults {
  /** The connection of the package breaks after this many bytes, this many times. */
  dropAfter?: { bytes: number; times: number };
  /** The catalogue says another hash. */
  wrongHash?: boolean;
  /** No registration: neither size nor hash is known. */
  noCatalogue?: boolean;
  noPackage?: boolean;
  /** Bytes a second would be too fast to stop: pieces of 64 kB with this pause. */
  pauseMs?: number;
  versions?: string[];
}

export async function fakeNuget(name: string, version: string, archive: Buffer) {
  const faults: NugetFaults = {};
  const asked: { path: string; range: string | undefined }[] = [];
  const id = name.toLowerCase();
  const state = { archive };
  const server = createServer(async (request, response) => {
    const path = request.url ?? "";
    asked.push({ path, range: request.headers.range });
    const json = (value: unknown) => {
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify(value));
    };
    const lost = () => {
      response.statusCode = 404;
      response.end("not found");
    };
    const { port } = server.address() as AddressInfo;
    const home = `http://127.0.0.1:${port}`;
    if (path === "/v3/index.json")
      return json({
        version: "3.0.0",
        resources: [
          { "@id": `${home}/flat/`, "@type": "PackageBaseAddress/3.0.0" },
          { "@id": `${home}/registration/`, "@type": "RegistrationsBaseUrl/3.6.0" },
        ],
      });
    if (path === `/flat/${id}/index.json`) return json({ versions: faults.versions ?? ["1.0.0", version] });
    if (faults.noCatalogue && path.startsWith("/registration/")) return lost();
    if (path === `/registration/${id}/${version}.json`) return json({ catalogEntry: `${home}/catalogue/${id}.json` });
    if (path === `/catalogue/${id}.json`) {
      const hash = createHash("sha512").update(state.archive);
      if (faults.wrongHash) hash.update("x");
      return json({
        packageHash: hash.digest("base64"),
        packageHashAlgorithm: "SHA512",
        packageSize: state.archive.length,
      });
    }
    if (faults.noPackage || path !== `/flat/${id}/${version}/${id}.${version}.nupkg`) return lost();
    const etag = `"${createHash("sha1").update(state.archive).digest("hex")}"`;
    const range = /^bytes=(\d+)-$/.exec(request.headers.range ?? "");
    const isSame = request.headers["if-range"] === undefined || request.headers["if-range"] === etag;
    const start = range && isSame ? Number(range[1]) : 0;
    response.setHeader("etag", etag);
    if (start > 0) {
      response.statusCode = 206;
      response.setHeader("content-range", `bytes ${start}-${state.archive.length - 1}/${state.archive.length}`);
    }
    response.setHeader("content-length", state.archive.length - start);
    const drop = faults.dropAfter !== undefined && faults.dropAfter.times-- > 0 ? faults.dropAfter.bytes : undefined;
    for (let at = start; at < state.archive.length && !response.destroyed; at += 65_536) {
      if (drop !== undefined && at - start >= drop) return void response.destroy();
      response.write(state.archive.subarray(at, at + 65_536));
      await new Promise((resolve) => setTimeout(resolve, faults.pauseMs ?? 0));
    }
    response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    index: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v3/index.json`,
    faults,
    asked,
    /** Another package under the same name and version. */
    replace: (other: Buffer) => {
      state.archive = other;
    },
    close: () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}
