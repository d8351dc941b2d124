// A container whose state is in its own layer loses what is not uploaded when it is removed.
import { realpath } from "node:fs/promises";
import { dirname } from "node:path";
import type { Environment } from "../options/environment-options.ts";
import type { GivenOption } from "../options/given-option.ts";
import type { MountOptions } from "../options/mount-options.ts";
import {
  type MountRequest,
  type ParsedMount,
  parseMountOptions,
} from "../options/parse-mount-options.ts";
import { type MountEntry, readMountTable } from "../posix/mount-table.ts";

// weaker than whatever anybody said
const ackOfContainer: GivenOption = {
  name: "ack",
  value: "s3",
  origin: "config file",
  spelling: "ack of the image",
};

/**
 * As parseMountOptions(); in a container of our image (PAILFS_CONTAINER is set) without a volume for the state the default
 * of `ack` is s3, and a notice says what could be lost.
 */
export async function parseInContainer(
  request: MountRequest,
  environment: Environment,
  mounts: () => Promise<readonly MountEntry[]> = readMountTable,
): Promise<ParsedMount> {
  const parsed = parseMountOptions(request, environment);
  const isContainer = (environment.variables["PAILFS_CONTAINER"] ?? "") !== "";
  if (!isContainer || parsed.options.fs.readOnly) return parsed;
  if (!(await isInLayer(parsed.options, await mounts()))) return parsed;
  const given = [ackOfContainer, ...request.given];
  const safe = parseMountOptions({ ...request, given }, environment);
  const place = dirname(safe.options.spool.stateDirectory);
  const consequence =
    safe.options.fs.ack === "s3"
      ? "close waits until S3 has everything (ack=s3), and modes, owners and symlinks are lost with it"
      : "what is acknowledged and not uploaded is lost with it (ack=disk), and so are modes, owners and symlinks";
  const notice = `${place} is inside the container: ${consequence}; mount a volume there`;
  return { ...safe, notices: [...safe.notices, notice] };
}

/** By mounts and not by devices: with the storage driver vfs layers and volumes lie on one disk. */
async function isInLayer({ spool }: MountOptions, mounts: readonly MountEntry[]): Promise<boolean> {
  const path = await nearestPath(spool.stateDirectory);
  return !mounts.some(({ mountpoint }) => mountpoint !== "/" && isAtOrBelow(path, mountpoint));
}

function isAtOrBelow(path: string, mountpoint: string): boolean {
  return path === mountpoint || path.startsWith(`${mountpoint}/`);
}

/** The nearest directory that is there, without symbolic links. */
async function nearestPath(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    if (path === dirname(path)) throw error;
    return nearestPath(dirname(path));
  }
}
