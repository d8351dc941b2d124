import { resolve } from "node:path";
import { type MountRecord, readMountRecords } from "../daemon/mount-record.ts";
import { findMount, isPailfs, type MountTableEntry } from "../daemon/mount-table.ts";
import { realPathOf } from "../daemon/real-path.ts";
import { StartError } from "../daemon/start-error.ts";
import { readUserRecords } from "../daemon/user-records.ts";
import { ownerAdvice } from "../posix/unmount.ts";
import type { CommandContext } from "./command-context.ts";

/** The mount point meant by an argument: absolute, links resolved, also where the mount is dead. */
export async function mountpointOf(argument: string, context: CommandContext): Promise<string> {
  return realPathOf(resolve(context.environment.directory, argument));
}

/** The records of all daemons that this user may ask, newest mount first within those of one user. */
export async function findDaemons(context: CommandContext): Promise<MountRecord[]> {
  const own = await readMountRecords(context.runtimeDirectories);
  return context.seesUsers === true ? [...own, ...(await readUserRecords())] : own;
}

/** The record of the daemon behind a mount point, if there is one. */
export async function findDaemon(
  mountpoint: string,
  context: CommandContext,
): Promise<MountRecord | undefined> {
  const records = await findDaemons(context);
  return records.find((record) => record.mountpoint === mountpoint);
}

/** As findDaemon(), rejecting when there is none. */
export async function requireDaemon(
  mountpoint: string,
  context: CommandContext,
): Promise<MountRecord> {
  const record = await findDaemon(mountpoint, context);
  if (record !== undefined) return record;
  const mount = await findMount(mountpoint);
  if (mount !== undefined && isPailfs(mount)) refuseForeign(mount);
  throw new StartError("runtime", `No pailfs is mounted on "${mountpoint}" (see: pailfs status)`);
}

/** Throws StartError for a mount that another user made and this one has no say in. */
export function refuseForeign({ mountpoint, userId }: MountTableEntry): void {
  const user = process.geteuid?.();
  if (user === 0 || userId === undefined || userId === user) return;
  throw new StartError("credentials", `Cannot use "${mountpoint}": ${ownerAdvice(userId)}`);
}
