// What the kernel was answered, counted: a plain increment for each answer, names are made when somebody asks.
import { errnoName } from "../posix/errno.ts";

/** Answers by operation and "ok" or the name of an errno. */
export type AnswerCounts = Readonly<Record<string, Readonly<Record<string, number>>>>;

/** Of one mount, from its start on. */
export class OperationCounts {
  /** Bytes that READ gave out; the kernel moves others by itself (passthrough, page cache). */
  readBytes = 0;
  /** Bytes that WRITE took. */
  writtenBytes = 0;
  readonly #counts = new Map<string, Map<number, number>>();

  /** One answer: a positive errno, or 0. */
  count(operation: string, errno: number): void {
    let byErrno = this.#counts.get(operation);
    if (byErrno === undefined) this.#counts.set(operation, (byErrno = new Map()));
    byErrno.set(errno, (byErrno.get(errno) ?? 0) + 1);
  }

  /** Operations in lower case. */
  answers(): AnswerCounts {
    return Object.fromEntries(
      [...this.#counts].map(([operation, byErrno]) => [
        operation.toLowerCase(),
        Object.fromEntries([...byErrno].map(([errno, count]) => [nameOf(errno), count])),
      ]),
    );
  }
}

function nameOf(errno: number): string {
  return errno === 0 ? "ok" : errnoName(errno);
}
