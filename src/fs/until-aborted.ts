import { FsError } from "../posix/errno.ts";

/** What `promise` gives, or EINTR as soon as `signal` fires; the work itself goes on. */
export async function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  if (signal.aborted) {
    // nobody else may wait for it
    promise.catch(() => undefined);
    throw interrupted();
  }
  let onAbort = (): void => undefined;
  const aborted = new Promise<never>((_resolve, reject) => {
    onAbort = (): void => reject(interrupted());
    signal.addEventListener("abort", onAbort, { once: true });
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

function interrupted(): FsError {
  return new FsError("EINTR", "The call was interrupted");
}
