// The part of a mount that is kept on the local disk for good (local_prefix).
import { mkdir, readdir } from "node:fs/promises";
import type { FileSystem } from "../fs/file-system.ts";
import { log } from "../log.ts";
import { toSystemFsError } from "../posix/errno.ts";
import type { SystemCalls } from "../posix/syscalls.ts";
import { DiskRoom, type MinFree } from "./disk-room.ts";
import { LocalFileSystem } from "./local-file-system.ts";
import { type LocalStatus, LocalUsage } from "./local-usage.ts";
import { RoutedFileSystem } from "./routed-file-system.ts";

export interface LocalOptions {
  readonly directory: string;
  /** Names at the root of the mount. */
  readonly names: readonly string[];
  readonly minFree: MinFree;
}

/** What names are put over. */
export interface CoreBelow extends FileSystem {
  /** Whether a name is known to be there; no request is made. */
  knows(path: string): boolean;
  /** Looks at the bucket again for `path` and all below it. */
  refresh(path: string): Promise<void>;
}

/** A mount, of which some names may be local. */
export interface LocalPart {
  readonly fileSystem: FileSystem;
  /** Undefined where no names are local. */
  readonly status: LocalStatus | undefined;
  /** As that of the core; nothing for what is local. */
  refresh(path: string): Promise<void>;
  /** No call may be under way. */
  close(): Promise<void>;
}

/** Puts local names over `core`, if there are any; rejects with FsError. */
export async function openLocal(
  options: LocalOptions,
  core: CoreBelow,
  system: SystemCalls | undefined,
): Promise<LocalPart> {
  const { directory, names } = options;
  try {
    await tellForgotten(directory, names);
    return names.length === 0 ? withoutNames(core) : await withNames(options, core, system);
  } catch (error) {
    throw toSystemFsError(error, `Cannot open the local directory "${directory}"`);
  }
}

function withoutNames(core: CoreBelow): LocalPart {
  return {
    fileSystem: core,
    status: undefined,
    refresh: (path) => core.refresh(path),
    close: () => Promise.resolve(),
  };
}

async function withNames(
  { directory, names, minFree }: LocalOptions,
  core: CoreBelow,
  system: SystemCalls | undefined,
): Promise<LocalPart> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const room = new DiskRoom(directory, minFree);
  await room.look();
  const usage = new LocalUsage(directory);
  const local = new LocalFileSystem(directory, { system, room, changed: () => usage.changed() });
  const fileSystem = new RoutedFileSystem(core, local, names);
  const tellHidden = (): void => {
    for (const name of names) if (core.knows(`/${name}`)) fileSystem.tellHidden(name);
  };
  tellHidden();
  return {
    fileSystem,
    get status() {
      return usage.status;
    },
    refresh: async (path) => {
      if (fileSystem.isLocal(path)) return;
      await core.refresh(path);
      tellHidden();
    },
    close: async () => {
      local.close();
      await usage.close();
    },
  };
}

/** Says what an earlier mount kept here and this one does not show. */
async function tellForgotten(directory: string, names: readonly string[]): Promise<void> {
  const kept = await readdir(directory).catch((): string[] => []);
  const forgotten = kept.filter((name) => !names.includes(name));
  if (forgotten.length === 0) return;
  log.warn(
    "%s holds %s of an earlier local_prefix: not shown; move or remove what is there",
    directory,
    forgotten.join(", "),
  );
}
