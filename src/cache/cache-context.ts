// What the files of a cache share: the disk, the room on it, and the cache that has to hear of what happened.
import type { CachedFile } from "./cached-file.ts";
import type { CatalogueEntry } from "./catalogue.ts";
import type { DirectWrites } from "./direct-writes.ts";
import type { DiskIo } from "./disk-io.ts";
import type { ObjectId } from "./object-record.ts";
import type { Room } from "./room.ts";
import type { WriteBudget } from "./write-budget.ts";

/** What a file shares with its cache. */
export interface CacheContext {
  readonly io: DiskIo;
  readonly room: Room;
  readonly budget: WriteBudget;
  readonly direct: DirectWrites;
  /** Resolves once what was at the path of `id` before is out of the way. */
  readable(id: ObjectId): Promise<void>;
  /** Moreover once it is known what is cached, and the directory is there. */
  writable(id: ObjectId): Promise<void>;
  /** False while the disk is to be left alone. */
  mayWrite(): boolean;
  /** Presence or checksums changed. */
  changed(file: CachedFile): void;
  /** Counts bytes of a file that is still in the catalogue. */
  entry(id: ObjectId): CatalogueEntry;
  grow(entry: CatalogueEntry, bytes: number): void;
  /** Work that close() waits for; it does not reject. */
  track(work: Promise<void>): void;
  /** The disk failed; writing is pointless for a while. */
  failed(error: unknown): void;
  /** The disk took a write. */
  worked(): void;
  /** The file is not there, or not whole. */
  lost(file: CachedFile, reason: string): void;
  /** A block on disk is not what was written. */
  damaged(file: CachedFile, block: number, bytes: number): void;
  /** Nothing is under way any more, and nobody uses it. */
  settled(file: CachedFile): void;
}
