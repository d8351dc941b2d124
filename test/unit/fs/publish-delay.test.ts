// --publish-delay: what programs take back soon costs no request, and nobody who waits for the bucket waits longer.
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { writeFile } from "../../posix/suite/context.ts";
import { waitUntil } from "../../support/mount/wait-until.ts";
import { countsOf, driverOf, objectText, testCore } from "./core-fixture.ts";

test("files that are removed, renamed or written again within the delay cost no request of their own", async () => {
  const core = await testCore({ "publish-delay": "1h" });
  const driver = driverOf(core);
  await driver.readdir("/");
  core.s3.reset();
  await writeFile(driver, "/removed", "text");
  await driver.unlink("/removed");
  await writeFile(driver, "/empty", "");
  await writeFile(driver, "/empty", "now it has bytes");
  await writeFile(driver, "/temporary", "text");
  await driver.rename("/temporary", "/final");
  expect(countsOf(core)).toEqual({});
  await core.core.drained();
  expect(countsOf(core)).toEqual({ PUT: 2 });
  expect(objectText(core, "empty")).toBe("now it has bytes");
  expect(objectText(core, "final")).toBe("text");
});

test("an upload begins by itself after the delay, an empty file's too", async () => {
  const core = await testCore({ "publish-delay": "300ms" });
  const driver = driverOf(core);
  await writeFile(driver, "/f", "text");
  await writeFile(driver, "/empty", "");
  await sleep(150);
  expect(countsOf(core)["PUT"] ?? 0).toBe(0);
  await waitUntil("both are uploaded", () => core.core.status().queue.length === 0);
  expect([objectText(core, "f"), objectText(core, "empty")]).toEqual(["text", ""]);
});

test("what waits for its delay is pending after a restart", async () => {
  const core = await testCore({ "publish-delay": "1h" });
  await writeFile(driverOf(core), "/f", "text");
  await core.reopen();
  await core.core.drained();
  expect(objectText(core, "f")).toBe("text");
});
