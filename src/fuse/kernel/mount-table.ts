import { readFile } from "node:fs/promises";

/** What mount(2) and the tools call our file systems. */
export const FILE_SYSTEM_TYPE = "fuse.pailfs";

/** One line of /proc/self/mountinfo (proc(5)). */
export interface MountEntry {
  readonly id: number;
  /** major:minor, as under /sys/class/bdi. */
  readonly device: string;
  readonly mountpoint: string;
  readonly type: string;
  readonly source: string;
}

/** Parses mountinfo; lines it cannot read are left out. */
export function parseMountTable(text: string): MountEntry[] {
  const entries: MountEntry[] = [];
  for (const line of text.split("\n")) {
    const fields = line.split(" ");
    const dash = fields.indexOf("-", 6); // optional fields come before it
    const [id, , device, , mountpoint] = fields;
    const type = fields[dash + 1];
    const source = fields[dash + 2];
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
    });
  }
  return entries;
}

// the kernel writes space, tab, newline and backslash as \ooo (seq_path)
function unescape(text: string): string {
  if (!text.includes("\\")) return text;
  const bytes = text.replaceAll(/\\([0-7]{3})/g, (_, octal: string) =>
    String.fromCodePoint(Number.parseInt(octal, 8)),
  );
  return bytes;
}

/** The topmost mount at `mountpoint` (absolute, without symlinks), if any; asks nothing of the mounts themselves. */
export async function findMount(mountpoint: string): Promise<MountEntry | undefined> {
  const table = parseMountTable(await readFile("/proc/self/mountinfo", "utf8"));
  return table.findLast((entry) => entry.mountpoint === mountpoint);
}
