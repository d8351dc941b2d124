// NODE_DEBUG=pailfs:fuse: one line per message of the kernel, one per reply.
import { debuglog, inspect } from "node:util";
import { errnoName } from "../../posix/errno.ts";
import type { Operation } from "./operation-row.ts";
import type { Reply } from "./reply.ts";
import type { Request } from "./request.ts";

const debug = debuglog("pailfs:fuse");

/** Whether anyone reads the lines; they cost more than the operations. */
export const isDescribing = debug.enabled;

const options = { breakLength: Infinity, depth: 2, maxArrayLength: 8, maxStringLength: 80 };

function shown(value: unknown): string {
  const text = inspect(value, options).replaceAll("\n", " ");
  // inspect shows 50 bytes of a buffer whatever the options
  return text.replaceAll(/<Buffer [^>]*>/g, "<bytes>");
}

/** The line of one request. */
export function requestLine(
  request: Request,
  row: Operation | undefined,
  argument: unknown,
): string {
  const { unique, nodeid, uid, gid, pid } = request;
  const name = row?.name ?? `opcode ${request.opcode}`;
  return `rx ${unique} ${name} nodeid=${nodeid} uid=${uid} gid=${gid} pid=${pid} ${shown(argument)}`;
}

/** The line of one reply. */
export function replyLine(request: Request, reply: Reply | DescribedError): string {
  if (reply.kind === "error") return `tx ${request.unique} ${errnoName(reply.errno)}`;
  if (reply.kind === "bytes") {
    const length = reply.chunks.reduce((sum, chunk) => sum + chunk.length, 0);
    return `tx ${request.unique} ${length} bytes`;
  }
  return `tx ${request.unique} ${shown(reply)}`;
}

interface DescribedError {
  readonly kind: "error";
  readonly errno: number;
}

export function describeRequest(
  request: Request,
  row: Operation | undefined,
  argument: unknown,
): void {
  debug("%s", requestLine(request, row, argument));
}

export function describeReply(request: Request, reply: Reply | DescribedError): void {
  debug("%s", replyLine(request, reply));
}
