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
