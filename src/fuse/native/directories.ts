import type { DirectoryEntry, DirectoryHandle, MaybePromise } from "../../fs/file-system.ts";
import { andThen } from "../operation.ts";
import type { NativeAdapter } from "./adapter.ts";
import { type Answer, DONE, type Operation, operation } from "./operation.ts";
import { existing, isDoubtful, isHidden } from "./paths.ts";
import { statWords } from "./stat-words.ts";

/** All entries: fuse-native wants a listing in one piece. */
async function entriesOf(
  adapter: NativeAdapter,
  handle: DirectoryHandle,
): Promise<DirectoryEntry[]> {
  const all: DirectoryEntry[] = [];
  for (;;) {
    // names and types are all that libfuse 2 passes on
    const batch = await handle.read(all.length, adapter.context, false);
    if (batch.length === 0) return all;
    for (const entry of batch) all.push(entry);
  }
}

async function readdir(adapter: NativeAdapter, path: string): Promise<Answer> {
  const handle = await adapter.fileSystem.opendir(existing(path), adapter.context);
  try {
    const entries = await entriesOf(adapter, handle);
    // what cannot be looked up here is not shown either
    const shown = entries.filter(({ name }) => !isDoubtful(name) && !isHidden(`/${name}`));
    const self = await adapter.fileSystem.getattr(path, adapter.context);
    const names = [".", "..", ...shown.map(({ name }) => name)];
    const stats = [self.stat, self.stat, ...shown.map(({ stat }) => stat)];
    return { result: 0, filled: [names, stats.map(statWords)] };
  } finally {
    handle.release();
  }
}

function fsyncdir(adapter: NativeAdapter, path: string): MaybePromise<Answer> {
  const opened = adapter.fileSystem.opendir(existing(path), adapter.context);
  return andThen(opened, async (handle) => {
    try {
      await handle.fsync(adapter.context);
      return DONE;
    } finally {
      handle.release();
    }
  });
}

/** Listing. There is no opendir: fuse-native does not tell readdir which one it belongs to. */
export const directoryOperations: readonly Operation[] = [
  operation({ name: "readdir", handle: readdir }),
  operation({ name: "fsyncdir", handle: fsyncdir }),
];
