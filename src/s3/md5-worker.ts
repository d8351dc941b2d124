// MD5 of file ranges in worker threads: 4 MiB take 8 ms, too long for the thread that serves the mount.
import { Worker } from "node:worker_threads";
import { FsError } from "../posix/errno.ts";
import type { ByteRange } from "./object-store.ts";

const maxWorkers = 2;

// Text, not a file of its own: the same code runs from src under vitest and from dist. Descriptors are the process's.
const workerCode = `
const { createHash } = require("node:crypto");
const { readSync } = require("node:fs");
const { parentPort } = require("node:worker_threads");
const buffer = Buffer.allocUnsafeSlow(1 << 20);
parentPort.on("message", ({ id, fd, start, end }) => {
  try {
    const hash = createHash("md5");
    for (let at = start; at < end; ) {
      const got = readSync(fd, buffer, 0, Math.min(buffer.length, end - at), at);
      if (got === 0) throw new Error("file ends at " + at + " bytes");
      hash.update(buffer.subarray(0, got));
      at += got;
    }
    parentPort.postMessage({ id, digest: hash.digest() });
  } catch (error) {
    parentPort.postMessage({ id, error: error.message });
  }
});
`;

interface Answer {
  readonly id: number;
  readonly digest?: Uint8Array;
  readonly error?: string;
}

interface Pending {
  readonly resolve: (digest: Uint8Array) => void;
  readonly reject: (error: Error) => void;
}

interface Member {
  readonly worker: Worker;
  readonly pending: Map<number, Pending>;
}

const members: Member[] = [];
let lastId = 0;

/** MD5 of [start, end) of an open file, which must stay open meanwhile; rejects with EIO. */
export async function md5OfFile(fd: number, { start, end }: ByteRange): Promise<Uint8Array> {
  const member = leastBusy();
  lastId += 1;
  const id = lastId;
  return new Promise<Uint8Array>((resolve, reject) => {
    // a process with nothing else to do waits for a digest, but not for an idle worker
    if (member.pending.size === 0) member.worker.ref();
    member.pending.set(id, { resolve, reject });
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
    member.worker.postMessage({ id, fd, start, end });
  });
}

function leastBusy(): Member {
  const idle = members.find(({ pending }) => pending.size === 0);
  if (idle !== undefined) return idle;
  const [first] = members.length < maxWorkers ? [startMember()] : members;
  return members.reduce(
    (a, b) => (b.pending.size < a.pending.size ? b : a),
    first ?? startMember(),
  );
}

function startMember(): Member {
  const worker = new Worker(workerCode, { eval: true, name: "pailfs-md5" });
  const member: Member = { worker, pending: new Map() };
  worker.on("message", ({ id, digest, error }: Answer) => {
    const waiting = member.pending.get(id);
    member.pending.delete(id);
    if (member.pending.size === 0) worker.unref();
    if (digest !== undefined) waiting?.resolve(digest);
    else waiting?.reject(new FsError("EIO", `Cannot digest a file to upload: ${error ?? ""}`));
  });
  const gone = (cause: unknown): void => {
    const at = members.indexOf(member);
    if (at >= 0) members.splice(at, 1);
    for (const { reject } of member.pending.values()) {
      reject(new FsError("EIO", "Cannot digest a file to upload: worker ended", { cause }));
    }
    member.pending.clear();
  };
  worker.on("error", gone).on("exit", gone);
  members.push(member);
  return member;
}
