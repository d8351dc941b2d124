// The one error that crosses a layer, and the errno numbers of Linux (asm-generic, equal on x64 and arm64).

/** Positive errno numbers by name. */
export const Errno = {
  EPERM: 1,
  ENOENT: 2,
  EINTR: 4,
  EIO: 5,
  ENXIO: 6,
  E2BIG: 7,
  EBADF: 9,
  EAGAIN: 11,
  ENOMEM: 12,
  EACCES: 13,
  EBUSY: 16,
  EEXIST: 17,
  EXDEV: 18,
  ENODEV: 19,
  ENOTDIR: 20,
  EISDIR: 21,
  EINVAL: 22,
  ENFILE: 23,
  EMFILE: 24,
  ENOTTY: 25,
  EFBIG: 27,
  ENOSPC: 28,
  ESPIPE: 29,
  EROFS: 30,
  EMLINK: 31,
  EPIPE: 32,
  ERANGE: 34,
  ENAMETOOLONG: 36,
  ENOSYS: 38,
  ENOTEMPTY: 39,
  ELOOP: 40,
  ENODATA: 61,
  EPROTO: 71,
  EILSEQ: 84,
  EOPNOTSUPP: 95,
  ECONNABORTED: 103,
  ENOTCONN: 107,
  ETIMEDOUT: 110,
  ESTALE: 116,
  EDQUOT: 122,
} as const;

export type ErrnoName = keyof typeof Errno;
export type Errno = (typeof Errno)[ErrnoName];

const nameByNumber = new Map<number, ErrnoName>(
  Object.entries(Errno).map(([name, number]) => [number, name as ErrnoName]),
);

/** The name of an errno number, or `errno N` for one outside the table. */
export function errnoName(errno: number): string {
  return nameByNumber.get(errno) ?? `errno ${errno}`;
}

/** A failed operation: a positive errno, a message that says the action, the cause kept. */
export class FsError extends Error {
  readonly errno: Errno;

  constructor(name: ErrnoName, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = "FsError";
    this.errno = Errno[name];
  }

  /** The errno's name, as `code` of Node's own system errors. */
  get code(): ErrnoName {
    return errnoName(this.errno) as ErrnoName;
  }
}

/** The errno of anything thrown: of an FsError, of a Node system error by its `code`, else undefined. */
export function errnoOf(error: unknown): Errno | undefined {
  if (error instanceof FsError) return error.errno;
  if (error instanceof Error && "code" in error && typeof error.code === "string") {
    return Errno[error.code as ErrnoName] as Errno | undefined;
  }
  return undefined;
}

/** Turns a Node system error into an FsError of the same errno (EIO where the code is unknown), `action` first in the message. */
export function toSystemFsError(error: unknown, action: string): FsError {
  if (error instanceof FsError) return error;
  const errno = errnoOf(error);
  const name = errno === undefined ? "EIO" : (errnoName(errno) as ErrnoName);
  const reason = error instanceof Error ? error.message : String(error);
  return new FsError(name, `${action}: ${reason}`, { cause: error });
}
