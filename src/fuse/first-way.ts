import { type ErrnoName, errnoName, FsError, toSystemFsError } from "../posix/errno.ts";
import { log } from "../log.ts";

/** One way to get something, by name. */
export interface Way<T> {
  readonly name: string;
  readonly go: () => Promise<T>;
}

/** What the first way that worked gave. */
export interface WayTaken<T> {
  readonly name: string;
  readonly result: T;
}

/** Goes the first way that works; each failure is logged. When none does, rejects with an FsError that has all reasons and the first one's errno. */
export async function firstWay<T>(ways: readonly Way<T>[]): Promise<WayTaken<T>> {
  const failures: FsError[] = [];
  for (const [index, { name, go }] of ways.entries()) {
    try {
      return { name, result: await go() };
    } catch (error) {
      const failure = toSystemFsError(error, `Cannot mount by ${name}`);
      failures.push(failure);
      const next = ways[index + 1];
      if (next) log.warn("%s; trying %s", failure.message, next.name);
    }
  }
  const [first, ...others] = failures;
  if (first === undefined) throw new FsError("ENOSYS", "Cannot mount: there is no way to");
  if (others.length === 0) throw first;
  const reasons = failures.map(({ message }, index) => `by ${ways[index]?.name}: ${message}`);
  throw new FsError(errnoName(first.errno) as ErrnoName, reasons.join("; "), { cause: first });
}
