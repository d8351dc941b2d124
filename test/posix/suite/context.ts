import { expect } from "vitest";
import { O_CREAT, O_EXCL, O_RDONLY, O_TRUNC, O_WRONLY } from "../../../src/posix/open-flags.ts";
import { waitUntil } from "../../support/mount/wait-until.ts";
import type { PosixDriver } from "../posix-driver.ts";

/** What each group of tests gets: the driver of the running test, and a fresh directory in it. */
export interface SuiteContext {
  readonly driver: PosixDriver;
  /** A path in this test's own directory. */
  readonly at: (name?: string) => string;
}

/** Creates or overwrites a file. */
export async function writeFile(
  driver: PosixDriver,
  path: string,
  data: string | Uint8Array,
): Promise<void> {
  const file = await driver.open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o666);
  try {
    await file.write(0, data);
  } finally {
    await file.close();
  }
}

/** Makes an empty file that was not there. */
export async function makeFile(driver: PosixDriver, path: string, mode = 0o666): Promise<void> {
  const file = await driver.open(path, O_WRONLY | O_CREAT | O_EXCL, mode);
  await file.close();
}

export async function readFile(driver: PosixDriver, path: string): Promise<string> {
  const file = await driver.open(path, O_RDONLY);
  try {
    return (await file.read(0, 1 << 20)).toString("latin1");
  } finally {
    await file.close();
  }
}

/** Returns when the next change has a time of its own. */
export async function nextTime(driver: PosixDriver): Promise<void> {
  if (driver.timeStep === undefined) return;
  const start = BigInt(Date.now()) * 1_000_000n;
  await waitUntil("the clock moves", async () => {
    return BigInt(Date.now()) * 1_000_000n >= start + (driver.timeStep ?? 1n);
  });
}

/** A time as the driver keeps it. */
export function keptTime(driver: PosixDriver, time: bigint): bigint {
  return time - (time % (driver.timeStep ?? 1n));
}

/** Expects a rejection with that errno. */
export async function fails(promise: Promise<unknown>, code: string): Promise<void> {
  await expect(promise).rejects.toMatchObject({ code });
}
