// The kernel's table of mounts, read without touching any of them.
import { readFile } from "node:fs/promises";

export interface MountTableEntry {
  readonly mountpoint: string;
  /** Such as fuse.pailfs. */
  readonly type: string;
  readonly source: string;
}

/** The mounts of this process's namespace, oldest first. */
export async function readMountTable(): Promise<MountTableEntry[]> {
  return parseMountTable(await readFile("/proc/self/mountinfo", "utf8"));
}

/** The entries of a mountinfo text (proc_pid_mountinfo(5)). */
export function parseMountTable(text: string): MountTableEntry[] {
  return text.split("\n").flatMap((line) => {
    const [left, right] = line.split(" - ", 2);
    const mountpoint = left?.split(" ")[4];
    const [type, source] = right?.split(" ") ?? [];
    if (mountpoint === undefined || type === undefined) return [];
    return [{ mountpoint: unescape(mountpoint), type, source: unescape(source ?? "") }];
  });
}

/** What is mounted at a path, the topmost if several are; the path must be free of symbolic links. */
export async function findMount(mountpoint: string): Promise<MountTableEntry | undefined> {
  const table = await readMountTable();
  return table.findLast((entry) => entry.mountpoint === mountpoint);
}

/** Whether an entry is one of ours. Some versions of mount(8) lose the subtype, then only the run-time record tells. */
export function isPailfs(entry: MountTableEntry): boolean {
  return entry.type === "fuse.pailfs";
}

// space, tab, line feed, backslash and # are written in octal; other bytes as they are
function unescape(field: string): string {
  return field.replaceAll(/\\([0-7]{3})/g, (_, octal: string) =>
    String.fromCodePoint(Number.parseInt(octal, 8)),
  );
}
