// Objects as s3fs 1.90 and rclone 1.60 stored them (foreign-objects.json is a recording of their requests).
import { readFile as readText } from "node:fs/promises";
import { expect, test } from "vitest";
import { FileType } from "../../../src/posix/stat.ts";
import { readFile } from "../../posix/suite/context.ts";
import { driverOf } from "./core-fixture.ts";
import { objectCore, putRecorded } from "./object-metadata-fixture.ts";

interface Recorded {
  readonly key: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

test("objects of s3fs and rclone read as they were written", async () => {
  const core = await objectCore({ uid: "77", gid: "78" });
  const file = new URL("foreign-objects.json", import.meta.url);
  for (const { key, headers, body } of JSON.parse(await readText(file, "utf8")) as Recorded[]) {
    putRecorded(core, key, body, headers);
  }
  const driver = driverOf(core);
  expect(await driver.lstat("/f")).toMatchObject({
    mode: FileType.file | 0o640,
    uid: 1000,
    gid: 1001,
    mtime: 981_173_106_123_456_789n,
  });
  expect((await driver.getxattr("/f", "user.x")).toString()).toBe("va lue");
  expect(await readFile(driver, "/f")).toBe("hello\n");
  expect((await driver.lstat("/d")).mode).toBe(FileType.directory | 0o2750);
  expect((await driver.lstat("/l")).mode).toBe(FileType.symlink | 0o777);
  expect(await driver.readlink("/l")).toBe("some/target");
  expect((await driver.lstat("/p")).mode).toBe(FileType.fifo | 0o644);
  expect((await driver.lstat("/c")).mode).toBe(FileType.characterDevice | 0o644);
  // rclone keeps times only
  expect(await driver.lstat("/r")).toMatchObject({
    mode: FileType.file | 0o644,
    uid: 77,
    gid: 78,
    mtime: 1_323_785_716_171_819_202n,
  });
});
