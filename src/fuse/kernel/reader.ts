// Two ways to read /dev/fuse without blocking the main thread: epoll through libuv's Pipe handle, which costs half the
// CPU and no thread of the pool, and fs.read loops for the day that way is gone.
import * as fs from "node:fs";
import * as net from "node:net";
import { log } from "../../log.ts";

/** Takes the message in the first `length` bytes of `buffer` and returns the buffer for the next one. */
export type OnMessage = (buffer: Buffer, length: number) => Buffer;

/** Reads messages until the connection ends. */
export interface Reader {
  readonly kind: "epoll" | "pool";
  /** Resolves when the last read has failed: unmounted (ENODEV), aborted (ECONNABORTED), or closed; the descriptor is closed when `beforeClose` has settled. */
  readonly ended: Promise<void>;
  close(): void;
}

interface ReaderOptions {
  readonly device: number;
  readonly firstBuffers: () => Buffer;
  readonly onMessage: OnMessage;
  /** Writes in flight on a thread must not meet a descriptor that has become another file's. */
  readonly beforeClose: () => Promise<void>;
}

/** The undocumented part of a net.Socket's handle (lib/net.js, src/pipe_wrap.cc). */
interface PipeHandle {
  open(fd: number): number;
  close(callback?: () => void): void;
}

/** Undefined where this Node.js has no such handle. */
function openPipe(device: number): PipeHandle | undefined {
  // connecting to a unix path makes the handle at once; the attempt itself is given up
  const probe = net.connect({ path: "/dev/null/pailfs" });
  probe.on("error", () => {});
  const handle: unknown = Reflect.get(probe, "_handle");
  probe.destroy();
  if (typeof handle !== "object" || handle === null) return undefined;
  const Pipe = handle.constructor as new (type: number) => PipeHandle;
  const pipe = new Pipe(0); // 0: SOCKET
  if (typeof pipe.open !== "function" || typeof pipe.close !== "function") return undefined;
  const failed = pipe.open(device);
  if (failed === 0 || failed === undefined) return pipe;
  pipe.close();
  return undefined;
}

function startEpoll(options: ReaderOptions): Reader | undefined {
  const handle = openPipe(options.device);
  if (handle === undefined) return undefined;
  // net.Socket closes the descriptor as soon as a read fails
  const close = handle.close.bind(handle);
  handle.close = (callback) => {
    void options.beforeClose().then(() => close(callback)); // never rejects
  };
  let next = options.firstBuffers();
  const socketOptions = {
    handle,
    readable: true,
    writable: false,
    onread: {
      buffer: (): Buffer => next,
      callback(length: number, buffer: Buffer): boolean {
        next = options.onMessage(buffer, length);
        return true;
      },
    },
  };
  const socket = new net.Socket(socketOptions as unknown as net.SocketConstructorOpts);
  socket.on("error", (error) => log.debug("FUSE device: %s", error.message));
  return {
    kind: "epoll",
    ended: new Promise((resolve) => socket.once("close", () => resolve())),
    close: () => socket.destroy(),
  };
}

// more would leave too few of libuv's 4 threads to everyone else
const LOOPS = 2;

/** errno of reads that are to be tried again: fs/fuse/dev.c, "request aborted while copied" is ENOENT. */
const RETRY = new Set(["EINTR", "ENOENT", "EAGAIN"]);

function startPool(options: ReaderOptions): Reader {
  const state = { isClosed: false };
  const loop = async (): Promise<void> => {
    let buffer = options.firstBuffers();
    while (!state.isClosed) {
      const length = await new Promise<number>((resolve) => {
        fs.read(options.device, buffer, 0, buffer.length, null, (error, bytes) => {
          if (error === null) resolve(bytes);
          else resolve(RETRY.has(error.code ?? "") ? 0 : -1);
        });
      });
      if (length < 0) return;
      if (length > 0) buffer = options.onMessage(buffer, length);
    }
  };
  const loops = Promise.all(Array.from({ length: LOOPS }, loop));
  const ended = loops.then(async () => {
    await options.beforeClose();
    fs.closeSync(options.device);
  });
  return {
    kind: "pool",
    ended,
    close() {
      state.isClosed = true;
    },
  };
}

/** Starts reading a device that is mounted; it owns and closes the descriptor from here on. */
export function startReader(options: ReaderOptions, wanted: "auto" | "pool" = "auto"): Reader {
  const reader = wanted === "auto" ? startEpoll(options) : undefined;
  if (reader !== undefined) return reader;
  if (wanted === "auto") {
    log.warn("this Node.js has no pipe handle for /dev/fuse: reading it on the thread pool");
  }
  return startPool(options);
}
