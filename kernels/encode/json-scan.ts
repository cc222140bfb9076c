/** What JSON.parse does not tell: how deep a text is nested, and names that one object has twice. */

/**
 * One pass over the bytes of a JSON text; no value is built. Syntax errors are left to JSON.parse.
 *
 * @param maxDepth deeper parts end the scan: `depth` is then maxDepth + 1.
 * @returns twice: the first name that an object has a second time, escapes resolved.
 */
export function scanJson(bytes: Uint8Array, maxDepth: number): { depth: number; twice: string | undefined } {
  let deepest = 0;
  /** For each open object its names, null for a list. */
  const open: (Set<string> | null)[] = [];
  /** Whether a string that comes now is a name. */
  let expectsName = false;
  for (let i = 0; i < bytes.length; i++) {
    switch (bytes[i]) {
      case 0x7b: // {
      case 0x5b: // [
        open.push(bytes[i] === 0x7b ? new Set() : null);
        expectsName = bytes[i] === 0x7b;
        deepest = Math.max(deepest, open.length);
        if (deepest > maxDepth) return { depth: deepest, twice: undefined };
        break;
      case 0x7d: // }
      case 0x5d: // ]
        open.pop();
        expectsName = false;
        break;
      case 0x2c: // ,
        expectsName = open.at(-1) instanceof Set;
        break;
      case 0x22: {
        const start = i++;
        while (i < bytes.length && bytes[i] !== 0x22) i += bytes[i] === 0x5c ? 2 : 1;
        const names = open.at(-1);
        if (expectsName && names) {
          const name = resolved(bytes.subarray(start, i + 1));
          if (names.has(name)) return { depth: deepest, twice: name };
          names.add(name);
        }
        expectsName = false;
      }
    }
  }
  return { depth: deepest, twice: undefined };
}

function resolved(quoted: Uint8Array): string {
  const text = Buffer.from(quoted).toString("utf8");
  try {
    return String(JSON.parse(text));
  } catch {
    return text;
  }
}
