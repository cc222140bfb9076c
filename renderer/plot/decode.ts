/** Arrays of our MIME types: base64 of little-endian bytes. */

function bytes(base64: string): Uint8Array<ArrayBuffer> {
  const binary = atob(base64);
  const out = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++) out[i] = binary.charCodeAt(i);
  return out;
}

/** @throws RangeError when the text is no base64 or holds another number of values. */
export function decodeFloat32(base64: string, length: number): Float32Array {
  const data = decode(base64, length);
  const out = new Float32Array(length);
  for (let i = 0; i < length; i++) out[i] = data.getFloat32(i * 4, true);
  return out;
}

export function decodeInt32(base64: string, length: number): Int32Array {
  const data = decode(base64, length);
  const out = new Int32Array(length);
  for (let i = 0; i < length; i++) out[i] = data.getInt32(i * 4, true);
  return out;
}

function decode(base64: string, length: number): DataView {
  let raw: Uint8Array<ArrayBuffer>;
  try {
    raw = bytes(base64);
  } catch (cause) {
    throw new RangeError("An array in this output is not valid base64.", { cause });
  }
  if (raw.byteLength !== length * 4)
    throw new RangeError(`An array in this output holds ${raw.byteLength / 4} values, ${length} were expected.`);
  return new DataView(raw.buffer);
}
