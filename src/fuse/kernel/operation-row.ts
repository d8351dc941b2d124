import type { MaybePromise } from "../../fs/file-system.ts";
import type { Adapter } from "./adapter.ts";
import type { ByteReader } from "./byte-reader.ts";
import type { Reply } from "./reply.ts";
import type { Request } from "./request.ts";

/** One row of the opcode table: dispatch, debug lines and tests all read it. */
export interface Operation<Argument = unknown> {
  readonly opcode: number;
  readonly name: string;
  /** Reads the body; what it returns owns its bytes, unless `borrows`. Throws ProtocolError. */
  parse(body: ByteReader, request: Request): Argument;
  /** Answers; throws or rejects with FsError. */
  handle(adapter: Adapter, request: Request, argument: Argument): MaybePromise<Reply>;
  /** The argument points into the request's buffer until the operation has settled. */
  readonly borrows?: boolean;
}

/** Writes down a row with the type of its argument inferred. */
export function operation<Argument>(row: Operation<Argument>): Operation {
  return row as Operation;
}
