// What every operation of every adapter has in common: a value or a promise, and errors that become an errno.
import type { MaybePromise } from "../fs/file-system.ts";
import { Errno, FsError } from "../posix/errno.ts";
import { log } from "../log.ts";
import { FailureLog } from "./failure-log.ts";

const failures = new FailureLog();

/** Applies `next` to a value now or later, without a microtask hop for one that is there. */
export function andThen<T, R>(
  value: MaybePromise<T>,
  next: (value: T) => MaybePromise<R>,
): MaybePromise<R> {
  return value instanceof Promise ? value.then(next) : next(value);
}

/** The positive errno of anything thrown: of an FsError its own, else EIO and a logged stack. */
export function errnoOfFailure(error: unknown, operation: string): number {
  if (error instanceof FsError) {
    // EACCES of a mode has no cause; one that S3 was the cause of (an archived object, another's key) is news
    const isNews = error.errno === Errno.EIO || isCausedEacces(error);
    if (isNews) failures.tell(operation, error.message);
    return error.errno;
  }
  log.error("%s failed unexpectedly: %s", operation, error instanceof Error ? error.stack : error);
  return Errno.EIO;
}

function isCausedEacces({ errno, cause }: FsError): boolean {
  return errno === Errno.EACCES && cause !== undefined;
}

/** The one catch at the top: settles exactly once, synchronously when the operation does; `done` and `failed` must not throw. */
export function runOperation<T>(
  name: string,
  run: () => MaybePromise<T>,
  done: (value: T) => void,
  failed: (errno: number) => void,
): "settled" | "pending" {
  let value: MaybePromise<T>;
  try {
    value = run();
  } catch (error) {
    failed(errnoOfFailure(error, name));
    return "settled";
  }
  if (!(value instanceof Promise)) {
    done(value);
    return "settled";
  }
  // the two callbacks never throw, so nothing is left to handle
  void value.then(done, (error: unknown) => failed(errnoOfFailure(error, name)));
  return "pending";
}
