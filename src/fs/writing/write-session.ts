// One file being written: a staged file, the handles that share it, and what of it was promised to be durable.
//
// A session lives from the first open for writing until its last writable descriptor is released. Sessions without
// O_TRUNC are visible at once (as on a local disk) and later writers join them; one that replaces existing content is
// seen only by its own handles until its first close or fsync. Its bytes reach the bucket when the last writer is gone.
import type { Nanoseconds } from "../../posix/stat.ts";
import { FsError } from "../../posix/errno.ts";
import type { StagedFile } from "../../spool/spool.ts";
import type { NamespaceEntry } from "../../state/namespace-entry.ts";
import { nowNs } from "../../posix/stat.ts";
import type { AttributeChanges } from "../file-system.ts";
import { applyChanges } from "../namespace/attribute-changes.ts";
import { hasFineTimestamps } from "../../posix/kernel-release.ts";

/** A tick of the kernel's coarse clock is up to 10 ms long (HZ=100). */
const CLOCK_TICK_NS = 10_000_000n;

/** Where a session's file is named. */
export interface SessionPlace {
  readonly path: string;
  readonly parent: number;
  readonly name: string;
}

/** The content a session began with, read until it is copied into the staged file. */
export interface SessionBase {
  readonly size: number;
  read(offset: number, length: number, signal: AbortSignal): Promise<readonly Uint8Array[]>;
  /** Copies the first `size` bytes into the staged file. */
  copyTo(staged: StagedFile, size: number): Promise<void>;
  release(): void;
}

/** What a commit needs of others. */
export interface CommitSteps {
  readonly room: () => Promise<void> | undefined;
  /** Makes this entry what the name stands for. */
  readonly publish: (entry: NamespaceEntry) => Promise<void>;
}

export class WriteSession {
  readonly ino: number;
  readonly generation: number;
  readonly staged: StagedFile;
  /** Seen by lookups; false while it replaces content that is still what the name stands for. */
  visible: boolean;
  /** Undefined after the name was unlinked or replaced. */
  place: SessionPlace | undefined;
  /** Open handles that may write, and all open handles. */
  writers = 0;
  users = 0;
  /** Ends of the last writer that are under way. */
  sealing = 0;
  /** The last commit failed, and its caller was told. */
  failed = false;
  /** Where a write failed that was not made good: the file lacks bytes that its writer wanted in it. */
  #missing: { readonly at: number; readonly error: unknown } | undefined;
  #entry: NamespaceEntry;
  #base: SessionBase | undefined;
  #hydrating: Promise<void> | undefined;
  /** Counts writes that came through us; passthrough writes show in the file's mtime only. */
  #writes = 0;
  #committed: { writes: number; size: number; mtimeNs: bigint; at: bigint } | undefined;
  /** What fstat said when mtime was last set by someone, and the mtime that holds since then. */
  #clock: { mtimeNs: bigint; mtime: Nanoseconds };
  #committing: Promise<void> = Promise.resolve();
  /** The time of the content before: what is written gets a later one, though another file may share the clock's tick. */
  readonly #floor: Nanoseconds;
  /** Whether the kernel writes to the staged file on its own. */
  handedOut = false;

  constructor(init: {
    entry: NamespaceEntry;
    generation: number;
    staged: StagedFile;
    visible: boolean;
    place: SessionPlace;
    base?: SessionBase;
  }) {
    this.ino = init.entry.ino;
    this.generation = init.generation;
    this.staged = init.staged;
    this.visible = init.visible;
    this.place = init.place;
    this.#entry = init.entry;
    this.#floor = init.entry.mtime;
    this.#base = init.base;
    this.#clock = { mtimeNs: init.staged.stat().mtimeNs, mtime: init.entry.mtime };
  }

  /** Whether the staged file holds all bytes, so that the kernel may use it directly. */
  get hydrated(): boolean {
    return this.#base === undefined;
  }

  /** The staged file's descriptor for the kernel, whose writes we do not see. */
  handOut(): number {
    this.handedOut = true;
    return this.staged.fd;
  }

  /** The attributes now; the size is the staged file's, or the base's until it was copied. */
  entry(): NamespaceEntry {
    const file = this.staged.stat();
    const size = this.#base ? this.#base.size : file.size;
    const isWritten = !this.#base && file.mtimeNs !== this.#clock.mtimeNs;
    const mtime = isWritten ? laterThan(this.#floor, file.mtimeNs) : this.#clock.mtime;
    const ctime = isWritten && file.mtimeNs > this.#entry.ctime ? file.mtimeNs : this.#entry.ctime;
    return { ...this.#entry, generation: this.generation, size, mtime, ctime };
  }

  /** Changes mode, owner or times; size goes through truncate(). */
  setattr(changes: AttributeChanges): void {
    const next = applyChanges(this.entry(), changes);
    this.#clock = { mtimeNs: this.staged.stat().mtimeNs, mtime: next.mtime };
    this.#entry = next;
  }

  /** Takes over what changed in the namespace entry beside us (ETag of an upload that finished, xattrs). */
  rebase(entry: NamespaceEntry): void {
    this.#entry = { ...entry, mtime: this.#entry.mtime, ctime: this.#entry.ctime };
  }

  async read(offset: number, length: number, signal: AbortSignal): Promise<readonly Uint8Array[]> {
    if (this.#base) return this.#base.read(offset, length, signal);
    const bytes = await this.staged.read(offset, length);
    return bytes.length === 0 ? [] : [bytes];
  }

  async write(offset: number | "append", data: Uint8Array): Promise<number> {
    if (this.#base) await this.hydrate(this.#base.size);
    const at = offset === "append" ? this.staged.stat().size : offset;
    try {
      await this.staged.write(at, data);
    } catch (error) {
      if (this.#missing === undefined || at < this.#missing.at) this.#missing = { at, error };
      throw error;
    }
    this.#writes += 1;
    if (this.#missing && at <= this.#missing.at && this.#missing.at < at + data.length) {
      this.#missing = undefined;
    }
    // the file's own mtime holds from now on, also when this write fell into the same tick as the last change
    this.#clock = { mtimeNs: -1n, mtime: this.#clock.mtime };
    return data.length;
  }

  async truncate(size: number): Promise<void> {
    if (this.#base) await this.hydrate(Math.min(size, this.#base.size));
    await this.staged.truncate(size);
    if (this.#missing && size <= this.#missing.at) this.#missing = undefined;
    this.#changedNow();
  }

  async allocate(mode: number, offset: number, length: number): Promise<void> {
    if (this.#base) await this.hydrate(this.#base.size);
    await this.staged.allocate(mode, offset, length);
    this.#changedNow();
  }

  /** Copies the content the session began with into the staged file; `size` bytes of it are enough. */
  async hydrate(size: number): Promise<void> {
    const base = this.#base;
    if (!base) return;
    this.#hydrating ??= base.copyTo(this.staged, size).then(
      () => {
        this.#base = undefined;
        this.#clock = { mtimeNs: this.staged.stat().mtimeNs, mtime: this.#entry.mtime };
        base.release();
      },
      (error: unknown) => {
        this.#hydrating = undefined;
        throw error;
      },
    );
    await this.#hydrating;
  }

  /** Whether anything was written, or should have been, or the name was made, since the last commit. */
  get dirty(): boolean {
    if (this.#missing) return true;
    if (this.#base) return false;
    const committed = this.#committed;
    if (!committed) return true;
    const file = this.staged.stat();
    if (committed.writes !== this.#writes || committed.size !== file.size) return true;
    if (committed.mtimeNs !== file.mtimeNs) return true;
    return this.handedOut && !hasFineTimestamps && committed.at - file.mtimeNs < CLOCK_TICK_NS;
  }

  get everCommitted(): boolean {
    return this.#committed !== undefined;
  }

  /**
   * Runs commits one after the other: waits for `room` where the kernel writes unseen, syncs the data, and publishes the
   * bytes that the staged file had before.
   */
  commit({ room, publish }: CommitSteps): Promise<void> {
    const run = async (): Promise<void> => {
      if (!this.dirty || !this.place) return;
      // what follows a hole may be whole, what was to fill it is not
      if (this.#missing) throw this.#missing.error;
      if (this.handedOut) await room();
      const writes = this.#writes;
      const before = this.staged.stat();
      await this.staged.sync();
      const entry = { ...this.entry(), size: before.size };
      await publish(entry);
      this.#committed = { writes, size: before.size, mtimeNs: before.mtimeNs, at: nowNs() };
    };
    const next = this.#committing.then(run);
    this.#committing = next.then(
      () => void (this.failed = false),
      () => void (this.failed = true),
    );
    return next;
  }

  /** The last handle is gone. */
  dispose(): void {
    this.#base?.release();
    this.#base = undefined;
    this.staged.release();
  }

  assertRoomFor(end: number): void {
    if (end > MAX_OBJECT_SIZE) {
      throw new FsError(
        "EFBIG",
        `Cannot grow a file over ${MAX_OBJECT_SIZE} bytes, the largest object`,
      );
    }
  }

  #changedNow(): void {
    this.#writes += 1;
    const now = laterThan(this.#floor, nowNs());
    this.#entry = { ...this.#entry, ctime: now };
    this.#clock = { mtimeNs: this.staged.stat().mtimeNs, mtime: now };
  }
}

const SECOND_NS = 1_000_000_000n;

/** `time`, or just after `floor` when that is as late; a floor far ahead was set by someone and does not count. */
function laterThan(floor: Nanoseconds, time: Nanoseconds): Nanoseconds {
  return time <= floor && floor - time < SECOND_NS ? floor + 1n : time;
}

/** S3's largest object: 5 TiB. */
const MAX_OBJECT_SIZE = 5 * 1024 ** 4;
