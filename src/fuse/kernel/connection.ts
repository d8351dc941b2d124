import * as fs from "node:fs";
import { Errno } from "../../posix/errno.ts";
import { log } from "../../log.ts";
import { runOperation } from "../operation.ts";
import { OperationCounts } from "../operation-counts.ts";
import { OUT_HEADER_SIZE, Opcode } from "./abi.ts";
import type { Adapter } from "./adapter.ts";
import { ProtocolError } from "./byte-reader.ts";
import { describeReply, describeRequest, isDescribing } from "./describe.ts";
import { operationFor } from "./dispatch.ts";
import type { Operation } from "./operation-row.ts";
import { type Reader, startReader } from "./reader.ts";
import { encodeReply, type Reply } from "./reply.ts";
import { bodyOf, parseRequest, type Request, uniqueOf } from "./request.ts";
import { RequestBuffers } from "./request-buffers.ts";

// the largest fixed body is CREATE's, 144 bytes
const REPLY_BUFFER_SIZE = 256;

/**
 * One mounted /dev/fuse: reads requests, runs them, writes replies. Replies are written synchronously (they never block);
 * notifications only by a thread, because the kernel may hold one back until a request in flight is answered, which is
 * this thread's work.
 */
export class Connection {
  readonly #device: number;
  readonly #adapter: Adapter;
  readonly #buffers = new RequestBuffers();
  readonly #inFlight = new Map<number, Request>();
  readonly #notifications = new Set<Promise<void>>();
  readonly #out = Buffer.alloc(REPLY_BUFFER_SIZE);
  readonly #reader: Reader;
  #isOpen = true;
  #whenIdle: (() => void) | undefined;
  /** Of what was answered. */
  readonly counts = new OperationCounts();
  /** Resolves when the kernel is gone, every operation has settled and everything was released. */
  readonly closed: Promise<void>;

  /** Takes over `device`, which must be mounted already. */
  constructor(device: number, adapter: Adapter, reader: "auto" | "pool" = "auto") {
    this.#device = device;
    this.#adapter = adapter;
    this.#reader = startReader(
      {
        device,
        firstBuffers: () => this.#buffers.take(),
        onMessage: (buffer, length) => this.#onMessage(buffer, length),
        beforeClose: async () => {
          this.#isOpen = false;
          await Promise.all(this.#notifications);
        },
      },
      reader,
    );
    this.closed = this.#reader.ended.then(() => this.#settle());
  }

  /** How requests are read. */
  get readerKind(): string {
    return this.#reader.kind;
  }

  /** Requests whose answer is still to come. */
  get inFlight(): number {
    return this.#inFlight.size;
  }

  /** Drops the connection: callers get ENOTCONN. For mounts that never came up. */
  abandon(): void {
    this.#reader.close();
  }

  /** Writes a notification on a thread; resolves to the errno the kernel has for it, 0 when it was taken. */
  async notify(message: Buffer): Promise<number> {
    if (!this.#isOpen) return Errno.ENODEV;
    let errno = 0;
    const written = new Promise<void>((resolve) => {
      fs.write(this.#device, message, 0, message.length, null, (error) => {
        if (error !== null) errno = Math.abs(error.errno ?? Errno.EIO);
        resolve();
      });
    });
    this.#notifications.add(written);
    await written;
    this.#notifications.delete(written);
    return errno;
  }

  async #settle(): Promise<void> {
    this.#isOpen = false;
    for (const request of this.#inFlight.values()) request.interrupt();
    if (this.#inFlight.size > 0) {
      await new Promise<void>((resolve) => {
        this.#whenIdle = resolve;
      });
    }
    this.#adapter.close();
  }

  #onMessage(buffer: Buffer, length: number): Buffer {
    let request: Request;
    try {
      request = parseRequest(buffer, length);
    } catch (error) {
      log.error("FUSE device: %s", String(error));
      return buffer;
    }
    if (request.opcode === Opcode.INTERRUPT) {
      this.#interrupt(buffer, length);
      return buffer;
    }
    const row = operationFor(request.opcode);
    if (row === undefined) {
      if (isDescribing) describeRequest(request, undefined, undefined);
      this.#replyError(request, Errno.ENOSYS);
      return buffer;
    }
    return this.#run(row, request, buffer, length);
  }

  /** Returns the buffer to read on with: another one while the operation borrows this. */
  #run(row: Operation, request: Request, buffer: Buffer, length: number): Buffer {
    let source = buffer;
    const mayLend = row.borrows === true && this.#buffers.hasSpare;
    if (row.borrows === true && !mayLend) source = Buffer.from(buffer.subarray(0, length));
    let argument: unknown;
    try {
      argument = row.parse(bodyOf(source, length), request);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      log.error("%s: %s", row.name, error.message);
      this.#replyError(request, Errno.EIO);
      return buffer;
    }
    if (isDescribing) describeRequest(request, row, argument);
    let isLent = false;
    let isPending = false;
    const settled = (): void => {
      if (!isPending) return;
      if (isLent) this.#buffers.give(buffer);
      this.#inFlight.delete(request.unique);
      if (this.#inFlight.size === 0) this.#whenIdle?.();
    };
    const state = runOperation(
      row.name,
      () => row.handle(this.#adapter, request, argument),
      (reply) => {
        this.#reply(request, reply);
        settled();
      },
      (errno) => {
        this.#replyError(request, errno);
        settled();
      },
    );
    if (state === "settled") return buffer;
    isPending = true;
    this.#inFlight.set(request.unique, request);
    if (!mayLend) return buffer;
    isLent = true;
    return this.#buffers.take();
  }

  #interrupt(buffer: Buffer, length: number): void {
    const body = bodyOf(buffer, length);
    if (body.remaining < 8) return;
    // one reader: the target was read before; if it is not here it has been answered
    this.#inFlight.get(uniqueOf(body.u32(), body.u32()))?.interrupt();
  }

  #reply(request: Request, reply: Reply): void {
    if (reply.kind === "none") return;
    if (isDescribing) describeReply(request, reply);
    if (reply.kind === "error") {
      this.#write(request, reply.errno, 0, []);
    } else if (reply.kind === "bytes") {
      this.#write(request, 0, 0, reply.chunks);
      if (request.opcode === Opcode.READ) {
        for (const chunk of reply.chunks) this.counts.readBytes += chunk.length;
      }
    } else {
      this.#write(request, 0, this.#encode(request, reply), []);
      if (reply.kind === "size" && request.opcode === Opcode.WRITE) {
        this.counts.writtenBytes += reply.size;
      }
    }
  }

  /** The size of the encoded body; a reply with impossible numbers is a bug of the core, not the end of the mount. */
  #encode(request: Request, reply: Reply): number {
    try {
      return encodeReply(reply, this.#out, OUT_HEADER_SIZE);
    } catch (error) {
      log.error("cannot encode the reply to opcode %d: %s", request.opcode, String(error));
      return -1;
    }
  }

  #replyError(request: Request, errno: number): void {
    if (isDescribing) describeReply(request, { kind: "error", errno });
    if (request.opcode === Opcode.FORGET || request.opcode === Opcode.BATCH_FORGET) return;
    this.#write(request, errno, 0, []);
  }

  #write(request: Request, errno: number, bodySize: number, chunks: readonly Uint8Array[]): void {
    if (!this.#isOpen) return;
    if (bodySize < 0) {
      this.#write(request, Errno.EIO, 0, []);
      return;
    }
    this.counts.count(operationFor(request.opcode)?.name ?? "other", errno);
    const out = this.#out;
    let length = OUT_HEADER_SIZE + bodySize;
    for (const chunk of chunks) length += chunk.length;
    out.writeUInt32LE(length, 0);
    out.writeInt32LE(-errno, 4);
    out.writeUInt32LE(request.uniqueLow, 8);
    out.writeUInt32LE(request.uniqueHigh, 12);
    try {
      if (chunks.length === 0) fs.writeSync(this.#device, out, 0, length);
      else fs.writevSync(this.#device, [out.subarray(0, OUT_HEADER_SIZE), ...chunks]);
    } catch (error) {
      this.#onWriteError(request, errno, error);
    }
  }

  #onWriteError(request: Request, errno: number, error: unknown): void {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    // the request was aborted, or the mount is gone
    if (code === "ENOENT" || code === "ENODEV") return;
    log.error("reply to opcode %d was refused: %s", request.opcode, String(error));
    if (errno === 0) this.#write(request, Errno.EIO, 0, []);
  }
}
