import { resolve } from "node:path";
import { type MountRecord, readMountRecords } from "../daemon/mount-record.ts";
import { realPathOf } from "../daemon/real-path.ts";
import { StartError } from "../daemon/start-error.ts";
import type { CommandContext } from "./command-context.ts";

/** The mount point meant by an argument: absolute, links resolved, also where the mount is dead. */
export async function mountpointOf(argument: string, context: CommandContext): Promise<string> {
  return realPathOf(resolve(context.environment.directory, argument));
}

/** The record of the daemon behind a mount point, if there is one. */
export async function findDaemon(
  mountpoint: string,
  context: CommandContext,
): Promise<MountRecord | undefined> {
  const records = await readMountRecords(context.runtimeDirectories);
  return records.find((record) => record.mountpoint === mountpoint);
}

/** As findDaemon(), rejecting when there is none. */
export async function requireDaemon(
  mountpoint: string,
  context: CommandContext,
): Promise<MountRecord> {
  const record = await findDaemon(mountpoint, context);
  if (record !== undefined) return record;
  throw new StartError("runtime", `No pailfs is mounted on "${mountpoint}" (see: pailfs status)`);
}
