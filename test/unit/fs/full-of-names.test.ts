// The index of names cannot be written, and more and more names are learnt.
import { afterEach, expect, test, vi } from "vitest";
import { setLogSink } from "../../../src/log.ts";
import { NameIndex } from "../../../src/state/name-index.ts";
import { fails, writeFile } from "../../posix/suite/context.ts";
import { waitUntil } from "../../support/mount/wait-until.ts";
import { driverOf, testCore } from "./core-fixture.ts";

afterEach(() => {
  vi.restoreAllMocks();
  setLogSink((line) => process.stderr.write(line), "plain");
});

test("memory is not filled with names: what is known is served, more is EIO, and it passes", async () => {
  let lines = "";
  setLogSink((line) => void (lines += line), "plain");
  const core = await testCore();
  const driver = driverOf(core);
  core.s3.putText("known", "text");
  core.s3.putSynthetic("many/", 130_000, 1);
  await driver.lstat("/known");
  const broken = vi.spyOn(NameIndex.prototype, "commit").mockRejectedValue(new Error("disk full"));
  await driver.lstat("/many/1");
  await waitUntil("the index cannot be written", () => core.core.status().names !== undefined);
  await expect(driver.readdir("/many")).rejects.toMatchObject({ code: "EIO" });
  const { names } = core.core.status();
  expect(names?.failure).toBe("disk full");
  expect(names?.waiting).toBeGreaterThanOrEqual(100_000);
  expect(names?.waiting).toBeLessThan(102_000);
  expect((await driver.lstat("/known")).size).toBe(4);
  await fails(driver.lstat("/other"), "EIO");
  await fails(writeFile(driver, "/new", "text"), "EIO");
  expect(lines.match(/more are refused: disk full/g)).toHaveLength(1);
  broken.mockRestore();
  await waitUntil("the index is written again", () => core.core.status().names === undefined);
  await writeFile(driver, "/new", "text");
  expect((await driver.readdir("/many")).size).toBe(130_000);
  await fails(driver.lstat("/other"), "ENOENT");
}, 60_000);
