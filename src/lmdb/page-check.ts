// Checks that an LMDB file can be read without crashing: LMDB trusts the pages it maps, so a damaged or truncated file
// would end the daemon by SIGBUS or SIGSEGV instead of an error. Layout: MDB_page_header, MDB_meta, MDB_db, MDB_node and
// MDB_ovpage in liblmdb/mdb.c as shipped with lmdb-js (data version 2), 64-bit little endian.
import { type FileHandle, open } from "node:fs/promises";

const META_MAGIC = 0xbeefc0de;
const META_OFFSET = 24;
const META_END = META_OFFSET + 136;
const HEADER_BYTES = 24;
const DATABASE_BYTES = 48;
const NODE_BYTES = 8;
const NO_PAGE = 0xffff_ffff_ffff_ffffn;
const PageFlag = { branch: 0x01, leaf: 0x02, overflow: 0x04 } as const;
const NodeFlag = { bigData: 0x01, subDatabase: 0x02 } as const;
// MDB's own bound on the depth of a tree (CURSOR_STACK)
const MAX_DEPTH = 32;
const CHUNK_BYTES = 1024 * 1024;

/**
 * Resolves to what is wrong with the structure of the newest snapshot in the LMDB file at `path`, or undefined. Looks at
 * pages and their links, not at values. Rejects only with the system's error when the file cannot be read.
 */
export async function findPageDamage(path: string): Promise<string | undefined> {
  return check(path, async (walk, meta) => {
    await walk.tree(meta.freeRoot);
    await walk.tree(meta.mainRoot);
  });
}

/** The same for what costs no time: the header, and the pages at the top. lmdb-js crashes on a file without a header. */
export async function findHeaderDamage(path: string): Promise<string | undefined> {
  return check(path, async (walk, meta) => {
    walk.root(meta.freeRoot);
    walk.root(meta.mainRoot);
  });
}

/**
 * The same for a file that is shorter than its meta pages say, either of them: LMDB falls back to the older. Such pages lie
 * behind the file's end (MDB_meta in mdb.c).
 */
export async function findTruncation(path: string): Promise<string | undefined> {
  const file = await open(path);
  try {
    const { size } = await file.stat();
    const metas = await readMetas(file, size);
    if (metas.length < 2) return "no valid meta page";
    const pages = Math.max(...metas.map(({ lastPage }) => Number(lastPage) + 1));
    const [{ pageSize } = { pageSize: 0 }] = metas;
    return pages * pageSize > size ? `${pages} pages do not fit into ${size} bytes` : undefined;
  } finally {
    await file.close();
  }
}

/** Whether the file has no byte but zeros. Rejects with the system's error. */
export async function isBlank(path: string): Promise<boolean> {
  const file = await open(path);
  try {
    const chunk = Buffer.alloc(CHUNK_BYTES);
    for (let at = 0; ;) {
      const { bytesRead } = await file.read(chunk, 0, CHUNK_BYTES, at);
      if (bytesRead === 0) return true;
      if (chunk.subarray(0, bytesRead).some((byte) => byte !== 0)) return false;
      at += bytesRead;
    }
  } finally {
    await file.close();
  }
}

async function check(
  path: string,
  run: (walk: TreeWalk, meta: Meta) => Promise<void>,
): Promise<string | undefined> {
  const file = await open(path);
  try {
    const { size } = await file.stat();
    const meta = await readNewestMeta(file, size);
    if (meta === undefined) return "no valid meta page";
    await run(new TreeWalk(file, size, meta.pageSize, meta.lastPage), meta);
    return undefined;
  } catch (error) {
    if (error instanceof PageDamage) return error.message;
    throw error;
  } finally {
    await file.close();
  }
}

class PageDamage extends Error {}

interface Meta {
  readonly pageSize: number;
  readonly lastPage: bigint;
  readonly txnid: bigint;
  readonly freeRoot: bigint;
  readonly mainRoot: bigint;
}

async function readNewestMeta(file: FileHandle, size: number): Promise<Meta | undefined> {
  const [first, second] = await readMetas(file, size);
  if (first === undefined || second === undefined) return first;
  return second.txnid > first.txnid ? second : first;
}

/** The meta pages that are valid. */
async function readMetas(file: FileHandle, size: number): Promise<Meta[]> {
  const first = await readMeta(file, size, 0);
  // the second meta page lies one page further; without the first its size is a guess
  const second = await readMeta(file, size, first?.pageSize ?? 4096);
  return [first, second].filter((meta) => meta !== undefined);
}

async function readMeta(file: FileHandle, size: number, offset: number): Promise<Meta | undefined> {
  if (offset + META_END > size) return undefined;
  const page = Buffer.alloc(META_END);
  await file.read(page, 0, META_END, offset);
  const pageSize = page.readUInt32LE(48);
  const powerOfTwo = (pageSize & (pageSize - 1)) === 0;
  if (page.readUInt32LE(META_OFFSET) !== META_MAGIC || !powerOfTwo || pageSize < 512) {
    return undefined;
  }
  return {
    pageSize,
    freeRoot: page.readBigUInt64LE(48 + 40),
    mainRoot: page.readBigUInt64LE(96 + 40),
    lastPage: page.readBigUInt64LE(144),
    txnid: page.readBigUInt64LE(152),
  };
}

class TreeWalk {
  private readonly file: FileHandle;
  private readonly size: number;
  private readonly pageSize: number;
  private readonly lastPage: bigint;
  private readonly seen = new Set<number>();
  private readonly chunks = new Map<number, Buffer>();

  constructor(file: FileHandle, size: number, pageSize: number, lastPage: bigint) {
    this.file = file;
    this.size = size;
    this.pageSize = pageSize;
    this.lastPage = lastPage;
  }

  /** Throws unless the root page lies in the file. */
  root(root: bigint): void {
    if (root !== NO_PAGE) this.check(root, 1);
  }

  async tree(root: bigint, depth = 0): Promise<void> {
    if (root === NO_PAGE) return;
    if (depth > MAX_DEPTH) throw new PageDamage("tree too deep");
    const number = this.check(root, 1);
    if (this.seen.has(number)) throw new PageDamage(`page ${number} is used twice`);
    this.seen.add(number);
    const page = await this.read(number);
    const flags = page.readUInt16LE(18) & 0x3f;
    if (page.readBigUInt64LE(0) !== root) throw new PageDamage(`page ${number} is another`);
    if (flags !== PageFlag.branch && flags !== PageFlag.leaf) {
      throw new PageDamage(`page ${number} is neither branch nor leaf`);
    }
    const lower = page.readUInt16LE(20);
    const upper = page.readUInt16LE(22);
    if (lower > upper || upper + HEADER_BYTES > this.pageSize || lower % 2 !== 0) {
      throw new PageDamage(`page ${number} has wrong bounds`);
    }
    if (flags === PageFlag.branch && lower === 0) throw new PageDamage(`page ${number} is empty`);
    for (let i = 0; i < lower / 2; i++) {
      const node = page.readUInt16LE(HEADER_BYTES + i * 2) + HEADER_BYTES;
      if (node < HEADER_BYTES + lower || node + NODE_BYTES > this.pageSize) {
        throw new PageDamage(`page ${number} has a node out of bounds`);
      }
      if (flags === PageFlag.branch) await this.branch(page, node, number, depth);
      else await this.leaf(page, node, number, depth);
    }
  }

  private async branch(page: Buffer, node: number, number: number, depth: number): Promise<void> {
    const keySize = page.readUInt16LE(node + 6);
    if (node + NODE_BYTES + keySize > this.pageSize) {
      throw new PageDamage(`page ${number} has a key out of bounds`);
    }
    await this.tree(BigInt(page.readUIntLE(node, 6)), depth + 1);
  }

  private async leaf(page: Buffer, node: number, number: number, depth: number): Promise<void> {
    const flags = page.readUInt16LE(node + 4);
    const data = node + NODE_BYTES + page.readUInt16LE(node + 6);
    const stored = flags & NodeFlag.bigData ? HEADER_BYTES : page.readUInt32LE(node);
    if (data + stored > this.pageSize) {
      throw new PageDamage(`page ${number} has a value out of bounds`);
    }
    if (flags & NodeFlag.bigData) {
      const pages = Number(page.readBigUInt64LE(data + 16));
      const needed = Math.ceil((HEADER_BYTES + page.readUInt32LE(node)) / this.pageSize);
      if (pages < needed) throw new PageDamage(`page ${number} has a value too long`);
      this.check(page.readBigUInt64LE(data), pages);
    } else if (flags & NodeFlag.subDatabase) {
      if (stored !== DATABASE_BYTES) throw new PageDamage(`page ${number} names no database`);
      await this.tree(page.readBigUInt64LE(data + 40), depth + 1);
    }
  }

  private check(first: bigint, pages: number): number {
    const end = Number(first) + pages;
    if (first < 2n || end > Number(this.lastPage) + 1 || end * this.pageSize > this.size) {
      throw new PageDamage(`page ${first} is outside of the file`);
    }
    return Number(first);
  }

  /** Neighbouring pages come with one read; a few chunks are kept. */
  private async read(number: number): Promise<Buffer> {
    const offset = number * this.pageSize;
    const index = Math.floor(offset / CHUNK_BYTES);
    let chunk = this.chunks.get(index);
    if (chunk === undefined) {
      chunk = Buffer.alloc(Math.min(CHUNK_BYTES, this.size - index * CHUNK_BYTES));
      await this.file.read(chunk, 0, chunk.length, index * CHUNK_BYTES);
      const [oldest] = this.chunks.keys();
      if (this.chunks.size >= 32 && oldest !== undefined) this.chunks.delete(oldest);
      this.chunks.set(index, chunk);
    }
    const start = offset - index * CHUNK_BYTES;
    return chunk.subarray(start, start + this.pageSize);
  }
}
