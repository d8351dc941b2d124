// While the first crawl goes on, what it has been through answers as all does afterwards.
import { expect, test } from "vitest";
import { waitUntil } from "../../support/mount/wait-until.ts";
import { driverOf, testCore } from "./core-fixture.ts";

test("what the first crawl has been through costs no request while it goes on", async () => {
  const core = await testCore({ sharing: "exclusive", "negative-ttl": "0" });
  const names = Array.from({ length: 60 }, (_, i) => `k${10 + i}`);
  for (const name of names) core.s3.putText(`a/${name}`, name);
  for (let i = 0; i < 3000; i += 1) core.s3.putText(`b/${1000 + i}`, "later");
  core.s3.settings.quirks = { pageKeys: 10 };
  core.s3.settings.latencyMs = 5;
  // one of 300 pages, far behind a/, does not come
  core.s3.faults.add({ effect: { kind: "hang" }, verbs: ["LIST"], nth: 150 });
  await core.reopen({ freshState: true });
  const driver = driverOf(core);
  await waitUntil("a/ is behind the crawl", async () => {
    const before = core.s3.counts.HEAD ?? 0;
    await driver.lstat("/a/none").catch(() => undefined);
    return (core.s3.counts.HEAD ?? 0) === before;
  });
  expect(core.core.fileSystem.coverage()?.complete).toBe(false);
  core.s3.faults.add({ effect: { kind: "hang" } });
  expect([...(await driver.readdir("/a")).keys()]).toEqual(names);
  expect((await driver.lstat("/a/k33")).size).toBe(3);
  await expect(driver.lstat("/a/other")).rejects.toMatchObject({ code: "ENOENT" });
});
