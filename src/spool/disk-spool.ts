// Staged files as plain files of one directory.
import { mkdir, stat, unlink } from "node:fs/promises";
import { join } from "node:path";
import { log } from "../log.ts";
import { Errno, errnoOf, FsError, toSystemFsError } from "../posix/errno.ts";
import type { SystemCalls } from "../posix/syscalls.ts";
import { STAT_BLOCK } from "../posix/stat.ts";
import { copyBytes, reflink } from "./copy-bytes.ts";
import { DirectorySync } from "./directory-sync.ts";
import { closeFile, IdleFiles } from "./idle-files.ts";
import { findLeftovers } from "./leftovers.ts";
import { type OpenFileHost, openStaged, OpenStagedFile } from "./open-staged-file.ts";
import { quarantineFile } from "./quarantine.ts";
import { Room, type RoomOptions } from "./room.ts";
import { type NewFile, SpareFiles } from "./spare-files.ts";
import type { StagedFile } from "./spool.ts";
import type { QuarantineNote, StagedFiles } from "./staged-files.ts";

export interface DiskSpoolOptions {
  /** The mount's state directory: `spool/` and `quarantine/` are made below it. */
  readonly stateDir: string;
  /** Most bytes of staged files. */
  readonly spoolSize: number;
  /** Room to leave on the disk. */
  readonly minFree: RoomOptions["minFree"];
  /** How long a write waits for room, in ms; 30 s by default. */
  readonly roomWaitMs?: number;
  /** Since when S3 is away, in ms since the epoch: the wait for room counts from there. */
  readonly failingSinceMs?: () => number | undefined;
  /** From loadSystemCalls(): reflinks, fallocate, holes. */
  readonly system?: SystemCalls | undefined;
  /** Empty files kept ready for create(); 16 by default. */
  readonly spares?: number;
  /** Descriptors kept for uploads to come; 32 by default. */
  readonly idle?: number;
}

/**
 * A file is in #open while anyone uses it and in #closed (with its disk bytes) otherwise, so that the sum of both is
 * what the spool holds. It is unlinked when discard() was called and no record refers to it, in whatever order the two
 * come; descriptors outlive that.
 */
export class DiskSpool implements StagedFiles {
  readonly room: Room;
  readonly #directory: string;
  readonly #quarantine: string;
  readonly #system: SystemCalls | undefined;
  readonly #host: OpenFileHost;
  readonly #sync: DirectorySync;
  readonly #spares: SpareFiles;
  readonly #open = new Map<string, OpenStagedFile>();
  readonly #opening = new Map<string, Promise<OpenStagedFile>>();
  readonly #closed = new Map<string, number>();
  /** Of #closed those that still have a descriptor. */
  readonly #idle: IdleFiles;
  readonly #retained = new Map<string, number>();
  readonly #discarded = new Set<string>();
  /** Open files whose path is gone: they belong to no one's count once closed. */
  readonly #gone = new Set<string>();

  private constructor(options: DiskSpoolOptions, sync: DirectorySync) {
    this.#directory = join(options.stateDir, "spool");
    this.#quarantine = join(options.stateDir, "quarantine");
    this.#system = options.system;
    this.#host = {
      system: options.system,
      take: (bytes) => this.room.take(bytes),
      unused: (file) => this.#close(file),
    };
    this.#sync = sync;
    this.#idle = new IdleFiles(options.idle ?? 32);
    this.#spares = new SpareFiles(this.#directory, sync, options.spares ?? 16);
    this.room = new Room({
      directory: this.#directory,
      limitBytes: options.spoolSize,
      minFree: options.minFree,
      waitMs: options.roomWaitMs ?? 30_000,
      failingSinceMs: options.failingSinceMs ?? (() => undefined),
      openBytes: () => this.#openBytes(),
    });
  }

  /** Makes the directories; rejects with FsError. */
  static async open(options: DiskSpoolOptions): Promise<DiskSpool> {
    try {
      const directory = join(options.stateDir, "spool");
      await mkdir(directory, { recursive: true, mode: 0o700 });
      await mkdir(join(options.stateDir, "quarantine"), { recursive: true, mode: 0o700 });
      const spool = new DiskSpool(options, await DirectorySync.open(directory));
      await spool.room.sample();
      return spool;
    } catch (error) {
      throw toSystemFsError(error, `Cannot open the spool in "${options.stateDir}"`);
    }
  }

  async create(): Promise<StagedFile> {
    return this.#adopt(await this.#spares.take()).use();
  }

  async open(id: string): Promise<StagedFile> {
    const file = this.#open.get(id) ?? (await this.#openOnce(id));
    return file.use();
  }

  async copy(from: StagedFile): Promise<StagedFile> {
    const source = this.#open.get(from.id);
    if (source === undefined) throw new Error(`Staged file ${from.id} is not open`);
    const { size } = source.stat();
    // a use of our own: the caller's may end meanwhile
    const reading = source.use();
    const target = this.#adopt(await this.#spares.take());
    const use = target.use();
    try {
      if (!(await reflink(source.handle, target.handle, this.#system))) {
        const wait = this.room.take(size);
        if (wait !== undefined) await wait;
        await copyBytes(source.handle, target.handle, size, this.#system);
      }
      return use;
    } catch (error) {
      this.discard(use.id);
      use.release();
      throw toSystemFsError(error, "Cannot copy a staged file");
    } finally {
      reading.release();
    }
  }

  discard(id: string): void {
    if (this.isRetained(id)) this.#discarded.add(id);
    else this.#remove(id);
  }

  settleRoom(file: StagedFile): Promise<void> | undefined {
    return this.room.settle(file.stat().blocks * STAT_BLOCK);
  }

  roomy(): boolean {
    return this.room.roomy();
  }

  path(id: string): string {
    return join(this.#directory, id);
  }

  retain(id: string): void {
    this.#retained.set(id, (this.#retained.get(id) ?? 0) + 1);
    // whoever plans with the file wants it
    this.#discarded.delete(id);
  }

  unretain(id: string): void {
    const left = (this.#retained.get(id) ?? 0) - 1;
    if (left > 0) {
      this.#retained.set(id, left);
      return;
    }
    this.#retained.delete(id);
    if (this.#discarded.delete(id)) this.#remove(id);
  }

  isRetained(id: string): boolean {
    return this.#retained.has(id);
  }

  async sizeOf(id: string): Promise<number | undefined> {
    const file = this.#gone.has(id) ? undefined : (this.#open.get(id) ?? this.#idle.peek(id));
    if (file !== undefined) return file.stat().size;
    try {
      return (await stat(this.path(id))).size;
    } catch (error) {
      if (errnoOf(error) === Errno.ENOENT) return undefined;
      throw toSystemFsError(error, "Cannot look for a staged file");
    }
  }

  async quarantine(id: string, about: QuarantineNote): Promise<string> {
    try {
      const path = await quarantineFile(this.path(id), join(this.#quarantine, id), about);
      this.forget(id);
      return path;
    } catch (error) {
      throw toSystemFsError(error, `Cannot move staged file ${id} to quarantine`);
    }
  }

  forget(id: string): void {
    this.#discarded.delete(id);
    if (this.#open.has(id)) this.#gone.add(id);
    this.#free(id);
  }

  /** Files in the directory that this run did not make; they count as staged from now on. Rejects with FsError. */
  async leftovers(): Promise<readonly { id: string; size: number }[]> {
    const spares = new Set(this.#spares.ids());
    const isKnown = (id: string): boolean =>
      spares.has(id) || this.#open.has(id) || this.#closed.has(id);
    const found = await findLeftovers(this.#directory, isKnown);
    for (const { id, bytes } of found) {
      this.#closed.set(id, bytes);
      this.room.found(bytes);
    }
    return found;
  }

  /** Removes unused spare files; descriptors of open uses stay. */
  async close(): Promise<void> {
    this.room.stop();
    this.#idle.dropAll();
    for (const { id, handle } of await this.#spares.close()) {
      await handle.close();
      await unlink(this.path(id)).catch(() => undefined);
    }
    await this.#sync.close();
  }

  #adopt({ id, handle, entrySynced }: NewFile): OpenStagedFile {
    return this.#opened(new OpenStagedFile({ id, handle, entrySynced, host: this.#host }));
  }

  #reopen(file: OpenStagedFile): OpenStagedFile {
    const bytes = this.#closed.get(file.id);
    if (bytes !== undefined) this.room.reopened(bytes);
    this.#closed.delete(file.id);
    return this.#opened(file);
  }

  #opened(file: OpenStagedFile): OpenStagedFile {
    this.#open.set(file.id, file);
    this.room.opened();
    return file;
  }

  #openOnce(id: string): Promise<OpenStagedFile> {
    const known = this.#opening.get(id);
    if (known !== undefined) return known;
    const opening = this.#openFile(id).finally(() => this.#opening.delete(id));
    this.#opening.set(id, opening);
    return opening;
  }

  async #openFile(id: string): Promise<OpenStagedFile> {
    try {
      const idle = this.#idle.take(id);
      if (idle !== undefined) return this.#reopen(idle);
      const handle = await openStaged(this.path(id));
      // a file that is opened again was acknowledged, and its directory entry with it
      const entrySynced = (): Promise<void> => Promise.resolve();
      return this.#reopen(new OpenStagedFile({ id, handle, entrySynced, host: this.#host }));
    } catch (error) {
      if (errnoOf(error) === Errno.ENOENT) {
        throw new FsError("EIO", `Cannot open staged file ${id}: it is gone`, { cause: error });
      }
      throw toSystemFsError(error, `Cannot open staged file ${id}`);
    }
  }

  #close(file: OpenStagedFile): void {
    const { id } = file;
    this.#open.delete(id);
    const bytes = file.diskBytes();
    this.room.closed(bytes);
    if (this.#gone.delete(id)) {
      this.room.freed(bytes);
      closeFile(file);
      return;
    }
    this.#closed.set(id, bytes);
    this.#idle.put(file);
  }

  #free(id: string): void {
    this.#idle.drop(id);
    const bytes = this.#closed.get(id);
    if (bytes === undefined) return;
    this.#closed.delete(id);
    this.room.freed(bytes);
  }

  #remove(id: string): void {
    this.forget(id);
    unlink(this.path(id)).catch((error: unknown) => {
      if (errnoOf(error) !== Errno.ENOENT) log.warn("Cannot delete staged file %s: %s", id, error);
    });
  }

  #openBytes(): number {
    let bytes = 0;
    for (const file of this.#open.values()) bytes += file.diskBytes();
    return bytes;
  }
}
