// The part of the npm package fuse-native that is used here. It has no types of its own, and is loaded only when asked for.
import { FsError } from "../../posix/errno.ts";

/** Ends one call of libfuse: 0, a count or a negative errno, then what the operation fills in. Never throws. */
export type Signal = (result: number, ...filled: readonly unknown[]) => void;

/** A handler of the package: gets the memory of libfuse's thread, the operation's number, and its arguments. */
export type Handler = (locals: Buffer, opcode: number, ...args: readonly unknown[]) => unknown;

/** A mount of the package. Its own handlers, options and unmount are replaced: see install.ts and mount-native.ts. */
export interface FuseObject {
  open(done: (error?: Error | null) => void): void;
  close(done: (error?: Error | null) => void): void;
  /** The option string for libfuse. */
  _fuseOptions: () => string;
  /** By number of the operation; some are missing. */
  _handlers: Handler[];
  /** Memory for one more thread of libfuse. */
  _malloc: (size: number) => Buffer;
  /** What _malloc() gave: nothing ever leaves it. */
  readonly _threads: ReadonlySet<Buffer>;
  [operation: `_op_${string}`]: (signal: Signal, ...args: readonly unknown[]) => void;
}

export interface FuseClass {
  /** `operations`: the names that are true are asked for. */
  new (
    mountpoint: string,
    operations: Readonly<Record<string, true>>,
    options: { readonly timeout: false },
  ): FuseObject;
  /** The package's own runs a shell with the path in the command line. */
  unmount: (mountpoint: string, done: (error: Error | null) => void) => void;
}

/** Loads the package; ENOSYS says what is missing and how to get it. */
export async function loadFuseNative(): Promise<FuseClass> {
  // a variable: the compiler must not look for a package that may be absent
  const name: string = "fuse-native";
  try {
    const loaded = (await import(name)) as { readonly default: FuseClass };
    return loaded.default;
  } catch (error) {
    const reason = error instanceof Error ? (error.message.split("\n")[0] ?? "") : String(error);
    throw new FsError("ENOSYS", `Cannot use fuse=native: ${remedyOf(reason)} (${reason})`, {
      cause: error,
    });
  }
}

function remedyOf(reason: string): string {
  if (reason.includes("libfuse.so")) {
    return "install libfuse 2 (Debian and Ubuntu: libfuse2 or libfuse2t64)";
  }
  if (/cannot find (package|module)/i.test(reason)) {
    return "install the npm package fuse-native beside pailfs";
  }
  return "fuse-native has no build for this machine; it has one for Linux on x64 with glibc";
}
