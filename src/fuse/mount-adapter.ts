// Which adapter serves a mount.
import type { FileSystem } from "../fs/file-system.ts";
import { FsError } from "../posix/errno.ts";
import { loadSystemCalls } from "../posix/syscalls.ts";
import { log } from "../log.ts";
import { firstWay } from "./first-way.ts";
import { mountNative, type NativeMountOptions } from "./native/mount-native.ts";
import { type KernelMountOptions, mountKernel, type MountSession } from "./session.ts";

export type AdapterName = "kernel" | "native";

/** What each adapter takes its part of. */
export interface AdapterOptions extends KernelMountOptions, NativeMountOptions {
  readonly mountWords: readonly string[];
}

export interface AdaptedMount {
  /** The adapter at work. */
  readonly adapter: AdapterName;
  readonly session: MountSession;
}

/** Mounts `fileSystem` with the adapter asked for, and logs which one and why; rejects with FsError, leaving nothing mounted. */
export async function mountAdapter(
  wanted: "auto" | AdapterName,
  fileSystem: FileSystem,
  options: AdapterOptions,
): Promise<AdaptedMount> {
  if (wanted === "native" && options.device !== undefined) {
    throw new FsError("EINVAL", "Cannot use fuse=native with a device that is mounted already");
  }
  const choice = adaptersFor(wanted, {
    isRoot: process.geteuid?.() === 0,
    hasSystemCalls: (await loadSystemCalls()) !== undefined,
    isInherited: options.device !== undefined,
  });
  const mountBy = { kernel: mountKernel, native: mountNative };
  const { result } = await firstWay(
    choice.map((adapter) => ({
      name: `the ${adapter} adapter`,
      go: async () => ({ adapter, session: await mountBy[adapter](fileSystem, options) }),
    })),
  );
  const reason = wanted === "auto" ? "chosen by fuse=auto" : `as fuse=${wanted} says`;
  log.info("served by the %s adapter, %s", result.adapter, reason);
  return result;
}

/** The adapters to try, in order. */
export function adaptersFor(
  wanted: "auto" | AdapterName,
  host: {
    readonly isRoot: boolean;
    readonly hasSystemCalls: boolean;
    readonly isInherited: boolean;
  },
): readonly AdapterName[] {
  if (wanted !== "auto") return [wanted];
  // without koffi nothing but libfuse takes over the device that fusermount3 hands to a user
  const needsLibfuse = !host.isRoot && !host.hasSystemCalls && !host.isInherited;
  return needsLibfuse ? ["kernel", "native"] : ["kernel"];
}
