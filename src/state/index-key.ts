// Keys of the names in index.mdb: 6 bytes of parent, then the name in UTF-8, so that LMDB's order is readdir's.

/** Bytes of the parent at the head of a key; 2^48 inodes. */
export const PARENT_BYTES = 6;

/** The key of `name` in directory `parent`; the name may be "". */
export function indexKey(parent: number, name: string): Buffer {
  // 3 bytes for each UTF-16 unit is UTF-8's worst case
  const key = Buffer.allocUnsafe(PARENT_BYTES + name.length * 3);
  key.writeUIntBE(parent, 0, PARENT_BYTES);
  return key.subarray(0, PARENT_BYTES + key.write(name, PARENT_BYTES));
}

export function nameOfIndexKey(key: Buffer): string {
  return key.toString("utf8", PARENT_BYTES);
}

/** Orders strings as their UTF-8 bytes do, which UTF-16 order does not beyond the basic plane. */
export function compareBytewise(a: string, b: string): number {
  const shorter = Math.min(a.length, b.length);
  for (let i = 0; i < shorter; i++) {
    const left = a.charCodeAt(i);
    const right = b.charCodeAt(i);
    if (left !== right) return codePointRank(left) - codePointRank(right);
  }
  return a.length - b.length;
}

/** Moves surrogates (code points from 0x10000 on) behind the rest of the basic plane. */
function codePointRank(unit: number): number {
  if (unit < 0xd800) return unit;
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800;
}
