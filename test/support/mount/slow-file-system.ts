import { setTimeout as sleep } from "node:timers/promises";
import type { FileSystem } from "../../../src/fs/file-system.ts";
import { FsError } from "../../../src/posix/errno.ts";

type Method = (...args: readonly unknown[]) => unknown;

/** Puts a wait before calls of another FileSystem and its handles, counts them, and honours their signals. */
export class SlowFileSystem {
  readonly fileSystem: FileSystem;
  /** Calls so far by name; those of handles as "file.read", "directory.read". */
  readonly calls = new Map<string, number>();
  /** Waits that ended because the caller gave up. */
  interrupted = 0;
  /** ms by name before the call, by name and "!" between the call and its answer. */
  delays: Readonly<Record<string, number>>;

  constructor(target: FileSystem, delays: Readonly<Record<string, number>>) {
    this.delays = delays;
    this.fileSystem = this.#wrap(target, "") as FileSystem;
  }

  #wrap(target: object, prefix: string): object {
    return new Proxy(target, {
      get: (_, key) => {
        const value: unknown = Reflect.get(target, key, target);
        if (typeof value !== "function" || typeof key !== "string") return value;
        return (...args: readonly unknown[]) =>
          this.#call(prefix + key, value.bind(target) as Method, args);
      },
    });
  }

  #call(name: string, method: Method, args: readonly unknown[]): unknown {
    this.calls.set(name, (this.calls.get(name) ?? 0) + 1);
    const delay = this.delays[name] ?? 0;
    if (delay > 0) return this.#late(delay, name, method, args);
    const result = this.#opened(name, method(...args));
    const after = this.delays[`${name}!`] ?? 0;
    return after === 0 ? result : sleep(after, result);
  }

  async #late(
    delay: number,
    name: string,
    method: Method,
    args: readonly unknown[],
  ): Promise<unknown> {
    const signal = args.map(signalOf).find((found) => found !== undefined);
    try {
      await sleep(delay, undefined, signal === undefined ? {} : { signal });
    } catch (error) {
      this.interrupted++;
      throw new FsError("EINTR", `Cannot go on with ${name}`, { cause: error });
    }
    return this.#opened(name, method(...args));
  }

  #opened(name: string, result: unknown): unknown {
    if (typeof result !== "object" || result === null) return result;
    if (name === "open" || name === "create") return this.#wrap(result, "file.");
    return name === "opendir" ? this.#wrap(result, "directory.") : result;
  }
}

function signalOf(value: unknown): AbortSignal | undefined {
  if (typeof value !== "object" || value === null || !("signal" in value)) return undefined;
  return value.signal instanceof AbortSignal ? value.signal : undefined;
}
