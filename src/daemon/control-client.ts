// Asks a daemon through its control socket.
import { open as openFile } from "node:fs/promises";
import { type Socket, connect } from "node:net";
import { basename, dirname } from "node:path";
import {
  type ControlProgress,
  type ControlVerb,
  type ControlVerbs,
  MAX_LINE,
  decodeReply,
  encodeLine,
} from "./control-protocol.ts";
import { readLines } from "./socket-lines.ts";
import { StartError } from "./start-error.ts";

// sun_path has 108 bytes with its NUL (unix(7))
const MAX_SOCKET_PATH_BYTES = 107;

export interface ControlCallOptions<Result> {
  /** Done with the result before the daemon hears that we are through. */
  readonly meanwhile?: (result: Result) => Promise<void>;
  /** After the result wait until the daemon has closed everything, so that the next one can start. */
  readonly untilGone?: boolean;
  readonly onProgress?: (progress: ControlProgress) => void;
  readonly signal?: AbortSignal;
}

/** No daemon listens at a socket: it is dead, or never was. */
export class NoDaemonError extends StartError {
  constructor(socketPath: string, cause: unknown) {
    super("runtime", `No pailfs answers at ${socketPath}`, { cause });
    this.name = "NoDaemonError";
  }
}

/** Sends one request and resolves to its result; rejects with NoDaemonError, or a StartError of the daemon's kind and message. */
export async function callDaemon<V extends ControlVerb>(
  socketPath: string,
  verb: V,
  given: ControlVerbs[V]["arguments"],
  options: ControlCallOptions<ControlVerbs[V]["result"]> = {},
): Promise<ControlVerbs[V]["result"]> {
  const { signal } = options;
  const interrupted = (): StartError =>
    new StartError("interrupted", `Stopped waiting for ${verb}: the daemon goes on`);
  if (signal?.aborted === true) throw interrupted();
  const socket = await open(socketPath);
  const onAbort = (): void => void socket.destroy(interrupted());
  signal?.addEventListener("abort", onAbort, { once: true });
  try {
    const result = await exchange(socket, verb, given, options);
    await options.meanwhile?.(result);
    if (options.untilGone === true) await closed(socket);
    return result;
  } finally {
    signal?.removeEventListener("abort", onAbort);
    socket.destroy();
  }
}

// bounded: what was asked for is done
async function closed(socket: Socket): Promise<void> {
  if (socket.closed) return;
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, 10_000);
    socket.once("close", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

async function open(socketPath: string): Promise<Socket> {
  if (Buffer.byteLength(socketPath) <= MAX_SOCKET_PATH_BYTES) return connectTo(socketPath);
  // a deep state folder: go through a descriptor of it
  const folder = await openFile(dirname(socketPath)).catch((error: unknown) => {
    throw new NoDaemonError(socketPath, error);
  });
  try {
    return await connectTo(`/proc/self/fd/${folder.fd}/${basename(socketPath)}`);
  } finally {
    await folder.close();
  }
}

async function connectTo(socketPath: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(socketPath);
    const onError = (error: unknown): void => reject(new NoDaemonError(socketPath, error));
    socket.once("error", onError);
    socket.once("connect", () => {
      socket.off("error", onError);
      resolve(socket);
    });
  });
}

async function exchange<V extends ControlVerb>(
  socket: Socket,
  verb: V,
  given: ControlVerbs[V]["arguments"],
  { onProgress }: Pick<ControlCallOptions<unknown>, "onProgress">,
): Promise<ControlVerbs[V]["result"]> {
  return new Promise((resolve, reject) => {
    const onLine = (line: string): void => {
      const reply = decodeReply(line);
      if (reply === undefined) {
        reject(new StartError("runtime", `Cannot ${verb}: the daemon's answer makes no sense`));
      } else if ("progress" in reply) {
        onProgress?.(reply.progress);
      } else if ("error" in reply) {
        reject(new StartError(reply.error.kind, reply.error.message));
      } else {
        resolve(reply.result as ControlVerbs[V]["result"]);
      }
    };
    readLines(socket, 16 * MAX_LINE, onLine, () => onLine(""));
    const goneAway = (cause?: unknown): StartError =>
      new StartError("runtime", `Cannot ${verb}: the daemon went away`, { cause });
    socket.on("error", (error) => reject(error instanceof StartError ? error : goneAway(error)));
    socket.on("close", () => reject(goneAway()));
    socket.write(encodeLine({ verb, arguments: { ...given } }));
  });
}
