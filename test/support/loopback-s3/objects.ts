// The bucket's content: a flat, ordered key space over bodies in memory, on disk, or generated.
import { createHash } from "node:crypto";

/** Where an object's bytes are. `ramp` bytes are (offset + seed) mod 251. */
export type Body =
  | { readonly kind: "memory"; readonly chunks: readonly Buffer[] }
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "ramp"; readonly seed: number }
  | { readonly kind: "concat"; readonly parts: readonly { body: Body; size: number }[] };

export interface StoredObject {
  readonly key: string;
  readonly size: number;
  /** Without quotes. */
  readonly etag: string;
  /** Milliseconds since the epoch. */
  readonly lastModified: number;
  /** The value of x-amz-server-side-encryption. */
  readonly kind?: string | undefined;
  /** Base64 of the MD5 of the customer's key (SSE-C). */
  readonly customerKeyMd5?: string | undefined;
  /** Headers given at upload and answered again: content-type, x-amz-meta-*, x-amz-storage-class. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Body;
}

/** Compares by code points, which is the order of UTF-8 bytes. */
export function compareUtf8(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i += 1) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x === y) continue;
    // surrogates (astral characters) sort after every other unit in UTF-8
    const high = (u: number): number => (u >= 0xd800 && u <= 0xdfff ? u + 0x10000 : u);
    return high(x) - high(y);
  }
  return a.length - b.length;
}

const surrogate = /[\ud800-\udfff]/;

/** Keys in order, objects by key. */
export class ObjectIndex {
  readonly #objects = new Map<string, StoredObject>();
  #keys: string[] = [];
  #astral = false;

  get size(): number {
    return this.#objects.size;
  }

  get(key: string): StoredObject | undefined {
    return this.#objects.get(key);
  }

  put(object: StoredObject): void {
    if (!this.#objects.has(object.key)) {
      this.#noteAstral(object.key);
      this.#keys.splice(this.firstFrom(object.key), 0, object.key);
    }
    this.#objects.set(object.key, object);
  }

  /** Many at once: one sort instead of one insertion each. */
  putMany(objects: Iterable<StoredObject>): void {
    for (const object of objects) {
      if (!this.#objects.has(object.key)) {
        this.#keys.push(object.key);
        this.#noteAstral(object.key);
      }
      this.#objects.set(object.key, object);
    }
    this.#sort();
  }

  delete(key: string): boolean {
    if (!this.#objects.delete(key)) return false;
    this.#keys.splice(this.firstFrom(key), 1);
    return true;
  }

  /** Removes the objects whose keys start with `prefix`, and returns them. */
  deleteBelow(prefix: string): StoredObject[] {
    const gone: StoredObject[] = [];
    this.#keys = this.#keys.filter((key) => {
      if (!key.startsWith(prefix)) return true;
      const object = this.#objects.get(key);
      if (object) gone.push(object);
      this.#objects.delete(key);
      return false;
    });
    return gone;
  }

  clear(): void {
    this.#objects.clear();
    this.#keys = [];
  }

  /** Keys in UTF-8 order. */
  get keys(): readonly string[] {
    return this.#keys;
  }

  /** Index of the first key >= `key`. */
  firstFrom(key: string): number {
    let low = 0;
    let high = this.#keys.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#compare(this.#keys[middle] ?? "", key) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #compare(a: string, b: string): number {
    if (this.#astral || surrogate.test(b)) return compareUtf8(a, b);
    return a < b ? -1 : a > b ? 1 : 0;
  }

  #noteAstral(key: string): void {
    if (!this.#astral && surrogate.test(key)) {
      this.#astral = true;
      this.#sort();
    }
  }

  #sort(): void {
    if (this.#astral) this.#keys.sort(compareUtf8);
    else this.#keys.sort();
  }
}

/** Hex MD5. */
export function md5Hex(data: string | Uint8Array): string {
  return createHash("md5").update(data).digest("hex");
}
