// One ObjectReader per object version that is open, shared by its handles.
import { BLOCK_SIZE, type BlockCache, type ObjectVersion } from "../../cache/block-cache.ts";
import type { ObjectStore } from "../../s3/object-store.ts";
import { log } from "../../log.ts";
import type { CoreOptions } from "../core-options.ts";
import { MemoryBudget } from "./memory-budget.ts";
import { ObjectReader } from "./object-reader.ts";
import { type ReadMemory, WHOLE_OBJECT } from "./object-segments.ts";
import { ReadBuffers } from "./read-buffers.ts";

interface Use {
  readonly reader: ObjectReader;
  users: number;
}

export class ObjectReaders {
  readonly #uses = new Map<string, Use>();
  readonly #store: ObjectStore;
  readonly #cache: BlockCache;
  readonly #memory: ReadMemory;

  constructor(
    store: ObjectStore,
    cache: BlockCache,
    { memoryLimit, allocate }: Pick<CoreOptions, "memoryLimit" | "allocate">,
  ) {
    this.#store = store;
    this.#cache = cache;
    this.#memory = {
      budget: new MemoryBudget(memoryLimit),
      buffers: new ReadBuffers(BLOCK_SIZE, memoryLimit + WHOLE_OBJECT, allocate),
    };
  }

  /** Counts one use of the version; release() ends it. */
  use(version: ObjectVersion): ObjectReader {
    const id = versionId(version);
    const use = this.#uses.get(id);
    if (use) {
      use.users += 1;
      return use.reader;
    }
    const cached = this.#cache.use(version);
    const reader = new ObjectReader(cached, this.#store, this.#memory);
    this.#uses.set(id, { reader, users: 1 });
    return reader;
  }

  release(reader: ObjectReader): void {
    const id = versionId(reader.version);
    const use = this.#uses.get(id);
    if (!use || (use.users -= 1) > 0) return;
    this.#uses.delete(id);
    reader.close();
  }

  /** Resolves when open readers of any version at `key` have all bytes they may need on the local disk. */
  async detach(key: string): Promise<void> {
    const open = [...this.#uses.values()].filter(({ reader }) => reader.version.key === key);
    for (const use of open) {
      use.users += 1;
      try {
        await use.reader.materialise(new AbortController().signal);
      } catch (error) {
        log.warn("Open readers of %j may lose it, it is about to be replaced: %s", key, error);
      } finally {
        this.release(use.reader);
      }
    }
  }
}

function versionId(version: ObjectVersion): string {
  return `${version.etag}/${version.key}`;
}
