// AssemblyScript, compiled to WebAssembly: masks of dropout, one byte an activation, 1 = kept.

/**
 * Fills n bytes from SplitMix64 (Steele, Lea and Flood 2014): four decisions of 16 bits each from one number.
 * @returns the state after it, for the next site. A byte is 1 when its 16 bits are below `threshold` (0 … 65536).
 */
export function fillMask(address: usize, n: u32, state: u64, threshold: u32): u64 {
  let s = state;
  let i: u32 = 0;
  while (i < n) {
    s += 0x9e3779b97f4a7c15;
    let z = s;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    z = z ^ (z >> 31);
    const left = min<u32>(4, n - i);
    for (let j: u32 = 0; j < left; j++) {
      store<u8>(address + i + j, <u8>(<u32>(z & 0xffff) < threshold));
      z >>= 16;
    }
    i += left;
  }
  return s;
}
