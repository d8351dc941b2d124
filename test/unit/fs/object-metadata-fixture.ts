// What the tests of --metadata=object share.
import { expect } from "vitest";
import { FileType } from "../../../src/posix/stat.ts";
import type { PosixDriver } from "../../posix/posix-driver.ts";
import { readFile, writeFile } from "../../posix/suite/context.ts";
import type { TestCore } from "../../support/core.ts";
import { driverOf, testCore } from "./core-fixture.ts";

/** Ns since the epoch. */
export const TIME = 1_000_000_000_123_456_789n;

/** A core that keeps attributes in the objects. */
export function objectCore(more: Record<string, string> = {}): Promise<TestCore> {
  return testCore({ metadata: "object", ...more });
}

/** The metadata of an object. */
export function metadata(core: TestCore, key: string): Record<string, string> {
  const headers = core.s3.bucket.objects.get(key)?.headers ?? {};
  const pairs = Object.entries(headers).filter(([name]) => name.startsWith("x-amz-meta-"));
  return Object.fromEntries(pairs.map(([name, value]) => [name.slice(11), value]));
}

/** Puts an object with metadata that another tool made. */
export function putObject(
  core: TestCore,
  key: string,
  text: string,
  meta: Record<string, string>,
  more: Record<string, string> = {},
): void {
  const named = Object.entries(meta).map(([name, value]) => [`x-amz-meta-${name}`, value]);
  putRecorded(core, key, text, { ...more, ...Object.fromEntries(named) });
}

/** Puts an object with these headers. */
export function putRecorded(
  core: TestCore,
  key: string,
  text: string,
  headers: Readonly<Record<string, string>>,
): void {
  core.s3.putText(key, text);
  const object = core.s3.bucket.objects.get(key);
  if (object) core.s3.bucket.put({ ...object, headers });
}

/** As another host sees the bucket: nothing is known. */
export async function elsewhere(core: TestCore): Promise<PosixDriver> {
  await core.core.drained();
  await core.reopen({ emptyCache: true, freshState: true });
  core.s3.reset();
  return driverOf(core);
}

/** A directory /d with a file, a symlink and a fifo, and attributes of their own. */
export async function makeTree(driver: PosixDriver): Promise<void> {
  await driver.mkdir("/d", 0o750);
  await writeFile(driver, "/d/f", "text");
  await driver.chmod("/d/f", 0o640);
  await driver.chown("/d/f", 7, 8);
  await driver.setxattr("/d/f", "user.x", "va lue");
  await driver.utimens("/d/f", TIME - 5n, TIME);
  await driver.symlink("../some target", "/d/l");
  await driver.mknod("/d/p", FileType.fifo | 0o600);
  await driver.chmod("/d", 0o3770);
}

/** Whether `at` is as makeTree() made it. */
export async function checkTree(driver: PosixDriver, at: string): Promise<void> {
  expect(await driver.lstat(`${at}/f`)).toMatchObject({
    mode: FileType.file | 0o640,
    uid: 7,
    gid: 8,
    size: 4,
    mtime: TIME,
    atime: TIME - 5n,
  });
  expect((await driver.getxattr(`${at}/f`, "user.x")).toString()).toBe("va lue");
  expect((await driver.lstat(`${at}/l`)).mode & FileType.mask).toBe(FileType.symlink);
  expect(await driver.readlink(`${at}/l`)).toBe("../some target");
  expect((await driver.lstat(`${at}/p`)).mode).toBe(FileType.fifo | 0o600);
  expect((await driver.lstat(at)).mode).toBe(FileType.directory | 0o3770);
  expect(Object.fromEntries(await driver.readdir(at))).toEqual({
    f: FileType.file,
    l: FileType.symlink,
    p: FileType.fifo,
  });
  expect(await readFile(driver, `${at}/f`)).toBe("text");
}
