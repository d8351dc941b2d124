// The daemon of mount tests: mounts a MemoryFileSystem and obeys its parent over IPC. It never runs in a test's own
// process: whoever calls into a mount it serves itself can wait for ever.
import { mountNative } from "../../../src/fuse/native/mount-native.ts";
import {
  type KernelMountOptions,
  mountKernel,
  type MountSession,
} from "../../../src/fuse/session.ts";
import type { Change } from "../../../src/fs/file-system.ts";
import { MemoryFileSystem, type MemoryFileSystemOptions } from "../memory-file-system.ts";
import { SlowFileSystem } from "./slow-file-system.ts";

/** What the parent sends as the first argument. */
export interface DaemonOptions {
  readonly mount: KernelMountOptions;
  /** Through the npm package instead of the kernel's protocol. */
  readonly native?: boolean;
  readonly fileSystem: MemoryFileSystemOptions;
  /** Each call of that name waits so long first, ms. */
  readonly delays?: Readonly<Record<string, number>>;
}

/** One command of the parent. */
export type Command =
  | { readonly do: "counts" }
  | { readonly do: "calls" }
  | { readonly do: "interrupted" }
  | { readonly do: "unmount"; readonly lazy: boolean }
  | { readonly do: "delays"; readonly delays: Readonly<Record<string, number>> }
  | { readonly do: "announce"; readonly change: Change }
  | { readonly do: "remove"; readonly path: string }
  /** Of a recording daemon alone. */
  | { readonly do: "dump"; readonly path: string }
  | { readonly do: "replace"; readonly path: string; readonly text: string };

async function mount(slow: SlowFileSystem, options: DaemonOptions): Promise<MountSession> {
  if (options.native !== true) return mountKernel(slow.fileSystem, options.mount);
  const { mountWords = [] } = options.mount;
  const owner = { uid: 0, gid: 0 };
  return mountNative(slow.fileSystem, { ...options.mount, mountWords, nonempty: false, owner });
}

async function main(): Promise<void> {
  const options = JSON.parse(process.argv[2] ?? "{}") as DaemonOptions;
  const memory = new MemoryFileSystem(options.fileSystem);
  const slow = new SlowFileSystem(memory, options.delays ?? {});
  const session = await mount(slow, options);
  const obey = async (command: Command): Promise<unknown> => {
    switch (command.do) {
      case "counts":
        return session.counts();
      case "calls":
        return Object.fromEntries(slow.calls);
      case "interrupted":
        return slow.interrupted;
      case "unmount":
        return session.unmount(command.lazy);
      case "delays":
        slow.delays = command.delays;
        return undefined;
      case "announce":
        memory.announce(command.change);
        return undefined;
      case "remove":
        memory.unlink(command.path);
        return undefined;
      case "dump":
        throw new Error("this daemon does not record");
      case "replace":
        memory.replace(command.path, command.text);
        return undefined;
      default:
        return command satisfies never;
    }
  };
  const answers = new Set<Promise<unknown>>();
  process.on("message", (message: { id: number; command: Command }) => {
    const answer = obey(message.command).then(
      (result) => process.send?.({ id: message.id, result }),
      (error: unknown) => process.send?.({ id: message.id, error: String(error) }),
    );
    answers.add(answer);
    void answer.then(() => answers.delete(answer));
  });
  process.send?.({ ready: true });
  await session.closed;
  await Promise.all(answers);
  process.send?.({ closed: true });
  process.disconnect?.();
}

main().catch((error: unknown) => {
  process.send?.({ failed: String(error) });
  process.exitCode = 1;
  process.disconnect?.();
});
