// Mounts of the in-memory file system, and callers of them, that end with the test.
import { readFile } from "node:fs/promises";
import { afterEach } from "vitest";
import { Agent } from "../support/mount/agent.ts";
import {
  type ChildMount,
  mountInChild,
  type MountInChildOptions,
} from "../support/mount/mount-in-child.ts";

const cleanups: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

/** Is called after the test, before what was made earlier ends. */
export function afterTest(cleanup: () => Promise<void>): void {
  cleanups.push(cleanup);
}

/** Contract: mountInChild(). */
export async function mount(options?: MountInChildOptions): Promise<ChildMount> {
  const mounted = await mountInChild(options);
  afterTest(() => mounted.stop());
  return mounted;
}

/** A process of its own that makes system calls. */
export function agent(): Agent {
  const made = new Agent();
  afterTest(() => made.stop());
  return made;
}

/** The mount's line in /proc/self/mountinfo; undefined when it has none. */
export async function mountLine(mountpoint: string): Promise<string | undefined> {
  const lines = (await readFile("/proc/self/mountinfo", "utf8")).split("\n");
  return lines.find((text) => text.includes(mountpoint));
}
