// Answers the control socket of one mount. A peer that is slow, silent or talks nonsense costs a connection, no more.
import type { Server, Socket } from "node:net";
import { log } from "../log.ts";
import {
  type ControlProgress,
  type ControlReply,
  type ControlRequest,
  MAX_LINE,
  decodeRequest,
  encodeLine,
} from "./control-protocol.ts";
import { readLines } from "./socket-lines.ts";
import { StartError, toStartError } from "./start-error.ts";

/** Answers one verb; `signal` fires when the peer went away. */
export type ControlHandler = (
  given: Readonly<Record<string, unknown>>,
  progress: (progress: ControlProgress) => void,
  signal: AbortSignal,
) => Promise<unknown>;

export interface ControlServer {
  /**
   * Takes no new connection; resolves when requests under way were answered, or after `graceMs`. Connections stay, so
   * that a peer can tell by their end when the owner of the socket is through with all the rest.
   */
  close(graceMs: number): Promise<void>;
}

/** Serves a listening socket; the socket and its connections stay their owner's. */
export function serveControl(
  server: Server,
  handlers: Readonly<Record<string, ControlHandler>>,
): ControlServer {
  const underWay = new Set<Promise<void>>();

  const onConnection = (socket: Socket): void => {
    const gone = new AbortController();
    socket.on("error", () => socket.destroy());
    socket.on("close", () => gone.abort());
    const send = (reply: ControlReply): void => {
      if (socket.writable) socket.write(encodeLine(reply));
    };
    // one after the other, so that replies need no number
    let last = Promise.resolve();
    const onLine = (line: string): void => {
      last = last.then(async () => answer(line, handlers, send, gone.signal));
      const job = last;
      underWay.add(job);
      void job.finally(() => underWay.delete(job));
    };
    readLines(socket, MAX_LINE, onLine, () => socket.destroy());
  };
  server.on("connection", onConnection);

  return {
    close: async (graceMs) => {
      server.off("connection", onConnection);
      const grace = timer(graceMs);
      await Promise.race([Promise.allSettled(underWay), grace.done]);
      grace.cancel();
    },
  };
}

async function answer(
  line: string,
  handlers: Readonly<Record<string, ControlHandler>>,
  send: (reply: ControlReply) => void,
  signal: AbortSignal,
): Promise<void> {
  try {
    const result = await dispatch(decodeRequest(line), handlers, send, signal);
    send({ result: result ?? {} });
  } catch (error) {
    const { message, kind } = toStartError(error);
    log.debug("control request failed: %s", message);
    send({ error: { message, kind } });
  }
}

async function dispatch(
  request: ControlRequest | undefined,
  handlers: Readonly<Record<string, ControlHandler>>,
  send: (reply: ControlReply) => void,
  signal: AbortSignal,
): Promise<unknown> {
  if (request === undefined) throw new StartError("usage", "Cannot read the request: want JSON");
  const handler = Object.hasOwn(handlers, request.verb) ? handlers[request.verb] : undefined;
  if (handler === undefined) {
    throw new StartError("usage", `Cannot ${request.verb}: this daemon does not know how`);
  }
  return handler(request.arguments, (progress) => send({ progress }), signal);
}

function timer(ms: number): { done: Promise<void>; cancel: () => void } {
  let handle: NodeJS.Timeout | undefined;
  const done = new Promise<void>((resolve) => {
    handle = setTimeout(resolve, ms);
  });
  return { done, cancel: () => clearTimeout(handle) };
}
