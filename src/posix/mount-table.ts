// The kernel's table of mounts (proc_pid_mountinfo(5)), read without touching any of them.
import { readFile } from "node:fs/promises";

/** What mount(2) and the tools call our file systems. */
export const FILE_SYSTEM_TYPE = "fuse.pailfs";

/** One mount of this process's namespace. */
export interface MountEntry {
  readonly id: number;
  /** major:minor, as under /sys/class/bdi. */
  readonly device: string;
  readonly mountpoint: string;
  readonly type: string;
  readonly source: string;
  /** Of the file system itself, such as default_permissions. */
  readonly options: readonly string[];
  /** Who mounted a FUSE file system; undefined for others. */
  readonly userId: number | undefined;
}

/** Parses mountinfo, oldest mount first; lines it cannot read are left out. */
export function parseMountTable(text: string): MountEntry[] {
  const entries: MountEntry[] = [];
  for (const line of text.split("\n")) {
    const fields = line.split(" ");
    const dash = fields.indexOf("-", 6); // optional fields come before it
    const [id, , device, , mountpoint] = fields;
    const [type, source, options = ""] = fields.slice(dash + 1);
    if (dash === -1 || id === undefined || device === undefined || mountpoint === undefined) {
      continue;
    }
    if (type === undefined || source === undefined) continue;
    entries.push({
      id: Number(id),
      device,
      mountpoint: unescape(mountpoint),
      type,
      source: unescape(source),
      options: options.split(","),
      userId: userIdOf(options),
    });
  }
  return entries;
}

// the kernel writes space, tab, newline, backslash and # as \ooo (seq_path); other bytes as they are
function unescape(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_, octal: string) =>
    String.fromCodePoint(Number.parseInt(octal, 8)),
  );
}

function userIdOf(options: string): number | undefined {
  const found = /(?:^|,)user_id=(\d+)/.exec(options)?.[1];
  return found === undefined ? undefined : Number(found);
}

/** All mounts of this process's namespace, oldest first. */
export async function readMountTable(): Promise<MountEntry[]> {
  return parseMountTable(await readFile("/proc/self/mountinfo", "utf8"));
}

/** The topmost mount at `mountpoint` (absolute, without symbolic links), if any. */
export async function findMount(mountpoint: string): Promise<MountEntry | undefined> {
  return (await readMountTable()).findLast((entry) => entry.mountpoint === mountpoint);
}
