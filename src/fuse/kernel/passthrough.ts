// Picks how the reads and writes of an open travel. The kernel gives EIO to an open whose flags do not fit the inode's
// other opens (fs/fuse/iomode.c): cached and passthrough exclude each other, passthrough has one backing file per inode.
import { fstatSync } from "node:fs";
import type { FileHandle } from "../../fs/file-system.ts";
import { Errno, errnoOf, FsError } from "../../posix/errno.ts";
import { S_ISGID, S_ISUID } from "../../posix/stat.ts";
import type { SystemCalls } from "../../posix/syscalls.ts";
import { log } from "../../log.ts";
import { FOPEN_DIRECT_IO, FOPEN_KEEP_CACHE, FOPEN_NOFLUSH, FOPEN_PASSTHROUGH } from "./abi.ts";
import type { IoMode, Node } from "./node.ts";

/** The flags of one OPEN reply. */
export interface IoChoice {
  readonly mode: IoMode;
  readonly openFlags: number;
  readonly backingId: number;
}

/** The two ioctls on the FUSE device. */
export type BackingCalls = Pick<SystemCalls, "backingOpen" | "backingClose">;

/** Keeps each node's mode; its own counts may only be above the kernel's (RELEASE is late), which is the safe side. */
export class IoModes {
  readonly #device: number;
  #calls: BackingCalls | undefined;
  #hasWarned = false;

  /** Without `calls` all bytes travel through the daemon. */
  constructor(device: number, calls: BackingCalls | undefined) {
    this.#device = device;
    this.#calls = calls;
  }

  get isEnabled(): boolean {
    return this.#calls !== undefined;
  }

  /** Called when INIT did not grant passthrough. */
  disable(): void {
    this.#calls = undefined;
  }

  /** Asks once, after INIT, whether this process may have backing files: CAP_SYS_ADMIN of the host, which a user namespace lacks too. */
  probe(): void {
    try {
      this.#calls?.backingOpen(this.#device, -1);
    } catch (error) {
      if (errnoOf(error) !== Errno.EPERM) return; // EBADF: there is no descriptor -1
      this.disable();
      log.info("passthrough is not available, bytes go through the daemon: it wants CAP_SYS_ADMIN");
    }
  }

  /** The flags with which `node` can take this handle besides its other opens; undefined when it cannot. */
  choose(node: Node, handle: FileHandle, writable: boolean): IoChoice | undefined {
    const { io } = node;
    if (io?.mode === "cached") return cachedChoice(handle, writable);
    const fd =
      this.#calls === undefined || (writable && isPrivileged(handle))
        ? undefined
        : handle.backing();
    if (io?.mode === "passthrough") {
      if (fd === undefined) return beside(io.backingId, writable, writable);
      return fileIdentity(fd) === io.backingFile
        ? passthroughChoice(io.backingId, writable)
        : undefined;
    }
    if (fd === undefined) return cachedChoice(handle, writable);
    const backingId = this.#register(fd);
    if (backingId === undefined) return cachedChoice(handle, writable);
    node.io = { mode: "passthrough", count: 0, backingId, backingFile: fileIdentity(fd) };
    return passthroughChoice(backingId, writable);
  }

  /** Whether choose() would find a way, without taking any step. */
  fits(node: Node, handle: FileHandle): boolean {
    if (node.io?.mode !== "passthrough") return true;
    const fd = handle.backing();
    return fd === undefined || fileIdentity(fd) === node.io.backingFile;
  }

  /** The flags of a handle that must not share the node's pages: reads and writes come to the daemon. */
  chooseDirect(node: Node, writable: boolean): IoChoice {
    if (node.io?.mode === "passthrough") return beside(node.io.backingId, writable, true);
    return { mode: "direct", openFlags: FOPEN_DIRECT_IO | noflush(writable), backingId: 0 };
  }

  /** Counts an open that is about to be answered. */
  opened(node: Node, mode: IoMode): void {
    if (mode === "direct") return;
    if (node.io === undefined) node.io = { mode: "cached", count: 1 };
    else node.io.count++;
  }

  /** Counts a RELEASE; the last one frees the backing id. */
  released(node: Node, mode: IoMode): void {
    const { io } = node;
    if (mode === "direct" || io === undefined) return;
    io.count--;
    if (io.count > 0) return;
    node.io = undefined;
    if (io.mode === "passthrough") this.#unregister(io.backingId);
  }

  #register(fd: number): number | undefined {
    try {
      return this.#calls?.backingOpen(this.#device, fd);
    } catch (error) {
      if (!this.#hasWarned) {
        this.#hasWarned = true;
        log.info("passthrough is not available, bytes go through the daemon: %s", String(error));
      }
      // no CAP_SYS_ADMIN: it will not come back; other refusals (ELOOP: a stacked file system) are the file's
      if (error instanceof FsError && error.errno === Errno.EPERM) this.disable();
      return undefined;
    }
  }

  #unregister(backingId: number): void {
    try {
      this.#calls?.backingClose(this.#device, backingId);
    } catch (error) {
      // after an abort the connection has no ids any more
      log.debug("%s", String(error));
    }
  }
}

// a write must clear setuid and setgid: with HANDLE_KILLPRIV_V2 the kernel leaves that to WRITE, which passthrough skips
function isPrivileged(handle: FileHandle): boolean {
  return (handle.entry().stat.mode & (S_ISUID | S_ISGID)) !== 0;
}

function noflush(writable: boolean): number {
  return writable ? 0 : FOPEN_NOFLUSH; // nothing to make durable: saves a round trip per close
}

function cachedChoice(handle: FileHandle, writable: boolean): IoChoice {
  const keep = handle.keepCache ? FOPEN_KEEP_CACHE : 0;
  return { mode: "cached", openFlags: keep | noflush(writable), backingId: 0 };
}

function passthroughChoice(backingId: number, writable: boolean): IoChoice {
  const openFlags = FOPEN_PASSTHROUGH | noflush(writable);
  return { mode: "passthrough", openFlags, backingId };
}

// The handle has no backing file now, but the same identity, so the same bytes: a reader may use the one that is open,
// a writer's calls come to the daemon.
function beside(backingId: number, writable: boolean, isDirect: boolean): IoChoice {
  const direct = isDirect ? FOPEN_DIRECT_IO : 0;
  return {
    mode: "passthrough",
    openFlags: FOPEN_PASSTHROUGH | direct | noflush(writable),
    backingId,
  };
}

// two descriptors of one file have different numbers
function fileIdentity(fd: number): string {
  const { dev, ino } = fstatSync(fd, { bigint: true });
  return `${dev}:${ino}`;
}
