import type { Entry } from "../../fs/file-system.ts";
import { encodeEntry, ReplySize, writeU64 } from "./reply.ts";

// struct fuse_dirent: ino, off, namelen, type; then the name, padded to 8 bytes
const DIRENT_HEADER = 24;

/** Fills the body of a READDIR or (`plus`) READDIRPLUS reply of at most `size` bytes. */
export class DirentWriter {
  readonly plus: boolean;
  readonly #out: Buffer;
  #length = 0;

  constructor(size: number, plus: boolean) {
    this.plus = plus;
    this.#out = Buffer.alloc(size);
  }

  /** Whether a record of this name has room. */
  fits(name: string): boolean {
    return this.#length + this.#recordSize(Buffer.byteLength(name)) <= this.#out.length;
  }

  /** Adds a record unless it has no room; `cookie` is where the next one starts; without `target` the kernel links no inode. */
  add(
    name: string,
    ino: number,
    mode: number,
    cookie: number,
    target?: { readonly nodeid: number; readonly entry: Entry },
  ): boolean {
    const nameLength = Buffer.byteLength(name);
    const size = this.#recordSize(nameLength);
    if (this.#length + size > this.#out.length) return false;
    let at = this.#length;
    if (this.plus) {
      // without a target the entry stays zero: nodeid 0
      if (target !== undefined) encodeEntry(this.#out, at, target.nodeid, target.entry);
      at += ReplySize.entry;
    }
    writeU64(this.#out, at, ino);
    writeU64(this.#out, at + 8, cookie);
    this.#out.writeUInt32LE(nameLength, at + 16);
    this.#out.writeUInt32LE((mode >>> 12) & 0o17, at + 20);
    this.#out.write(name, at + DIRENT_HEADER, "utf8");
    this.#length += size;
    return true;
  }

  /** The records so far. */
  bytes(): Buffer {
    return this.#out.subarray(0, this.#length);
  }

  #recordSize(nameLength: number): number {
    const dirent = Math.ceil((DIRENT_HEADER + nameLength) / 8) * 8;
    return this.plus ? ReplySize.entry + dirent : dirent;
  }
}
