// One operation of fuse-native: how it is answered, and how that reaches libfuse whatever happens.
import type { MaybePromise } from "../../fs/file-system.ts";
import { runOperation } from "../operation.ts";
import type { NativeAdapter } from "./adapter.ts";
import type { FuseObject, Signal } from "./fuse-native.ts";

/** What libfuse gets: 0 or a count, and what the operation fills in. */
export interface Answer {
  readonly result: number;
  readonly filled?: readonly unknown[];
}

export const DONE: Answer = { result: 0 };

/** An operation with its arguments' types forgotten. */
export interface Operation {
  /** As fuse-native calls it. */
  readonly name: string;
  readonly handle: (adapter: NativeAdapter, ...args: readonly unknown[]) => MaybePromise<Answer>;
  /** What must be given back at the end, also of one that failed: memory of libfuse that was lent. */
  readonly giveBack: (...args: readonly unknown[]) => readonly unknown[];
}

/** Makes a row of the table out of a handler of typed arguments. */
export function operation<Args extends readonly unknown[]>(row: {
  readonly name: string;
  readonly handle: (adapter: NativeAdapter, ...args: Args) => MaybePromise<Answer>;
  readonly giveBack?: (...args: Args) => readonly unknown[];
}): Operation {
  const { name, handle, giveBack = () => [] } = row;
  return { name, handle, giveBack } as unknown as Operation;
}

/** Puts `operations` in the place of the package's own handlers. */
export function install(
  fuse: FuseObject,
  adapter: NativeAdapter,
  operations: readonly Operation[],
): void {
  for (const { name, handle, giveBack } of operations) {
    fuse[`_op_${name}`] = (signal: Signal, ...args) => {
      adapter.inFlight++;
      const end = (result: number, filled: readonly unknown[]): void => {
        adapter.inFlight--;
        adapter.counts.count(name, Math.max(0, -result));
        if (result > 0 && name === "read") adapter.counts.readBytes += result;
        if (result > 0 && name === "write") adapter.counts.writtenBytes += result;
        signal(result, ...filled, ...giveBack(...args));
      };
      // without an answer a thread of libfuse, and its caller, would wait for ever
      runOperation(
        name,
        () => handle(adapter, ...args),
        ({ result, filled = [] }) => end(result, filled),
        (errno) => end(-errno, []),
      );
    };
  }
}
