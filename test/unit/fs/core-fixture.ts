// What the tests of the core share: one core over a loopback S3 per test, closed afterwards.
import { afterEach } from "vitest";
import type { CallContext } from "../../../src/fs/file-system.ts";
import { FileType } from "../../../src/posix/stat.ts";
import { fileSystemDriver } from "../../posix/file-system-driver.ts";
import type { PosixDriver } from "../../posix/posix-driver.ts";
import { startCore, type TestCore } from "../../support/core.ts";
import { waitUntil } from "../../support/mount/wait-until.ts";

const running: TestCore[] = [];

afterEach(async () => {
  for (const core of running.splice(0)) await core.close();
});

/** A core that ends with the test. */
export async function testCore(options: Record<string, string> = {}): Promise<TestCore> {
  const core = await startCore(options);
  running.push(core);
  return core;
}

/** Calls of root that nobody interrupts. */
export const context: CallContext = {
  uid: 0,
  gid: 0,
  pid: process.pid,
  umask: 0o022,
  signal: new AbortController().signal,
};

/** The core as the POSIX tests drive it; made anew after reopen(). */
export function driverOf(core: TestCore): PosixDriver {
  return fileSystemDriver(core.core.fileSystem);
}

/** Requests since the last reset, without those of verbs that were not used. */
export function countsOf(core: TestCore): Record<string, number> {
  return { ...core.s3.counts };
}

/** The text of an object, or undefined. */
export function objectText(core: TestCore, key: string): string | undefined {
  const body = core.s3.bucket.objects.get(key)?.body;
  return body?.kind === "memory" ? Buffer.concat(body.chunks).toString() : undefined;
}

/** Resolves when the queue has something to say about a failure. */
export async function untilUploadFails(core: TestCore): Promise<void> {
  await waitUntil("an upload failed", () => core.core.status().queue.lastError !== undefined);
}

/** Paths of all that is below `path`, sorted; those of directories end in "/". */
export async function tree(driver: PosixDriver, path = "/"): Promise<string[]> {
  const names: string[] = [];
  for (const [name, type] of await driver.readdir(path)) {
    const at = path === "/" ? `/${name}` : `${path}/${name}`;
    if (type === FileType.directory) names.push(`${at}/`, ...(await tree(driver, at)));
    else names.push(at);
  }
  return names.sort();
}

/** rm -r of a directory. */
export async function removeTree(driver: PosixDriver, path: string): Promise<void> {
  for (const [name, type] of await driver.readdir(path)) {
    if (type === FileType.directory) await removeTree(driver, `${path}/${name}`);
    else await driver.unlink(`${path}/${name}`);
  }
  await driver.rmdir(path);
}
