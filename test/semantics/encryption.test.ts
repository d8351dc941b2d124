import { expect, onTestFinished, test } from "vitest";
import { setLogSink } from "../../src/log.ts";
import { fileSystemDriver } from "../posix/file-system-driver.ts";
import { fails, readFile, writeFile } from "../posix/suite/context.ts";
import { startCore } from "../support/core.ts";
import { LoopbackS3 } from "../support/loopback-s3/loopback-s3.ts";
import { waitUntil } from "../support/mount/wait-until.ts";
import { coreOf } from "./scene.ts";

const ours = { "sse-c": Buffer.alloc(32, "a").toString("base64") };
const theirs = { "sse-c": Buffer.alloc(32, "b").toString("base64") };

/** A bucket, with files that mounts with these options have written and left. */
async function bucketOf(files: Record<string, Record<string, string>>): Promise<LoopbackS3> {
  const s3 = await LoopbackS3.start();
  onTestFinished(async () => s3.close());
  for (const [path, options] of Object.entries(files)) {
    const core = await startCore(options, () => undefined, s3);
    await writeFile(fileSystemDriver(core.core.fileSystem), path, `of ${path}`);
    await core.core.drained();
    await core.close();
  }
  return s3;
}

async function driverOn(s3: LoopbackS3, options: Record<string, string> = {}) {
  const core = await startCore(options, () => undefined, s3);
  onTestFinished(async () => core.close());
  return { core: core.core, driver: fileSystemDriver(core.core.fileSystem) };
}

test("Objects with and without a customer's key are one tree", async () => {
  const s3 = await bucketOf({ "/plain": {}, "/sealed": ours });
  const { core, driver } = await driverOn(s3, ours);
  expect([...(await driver.readdir("/")).keys()].sort()).toEqual(["plain", "sealed"]);
  for (const path of ["/plain", "/sealed"]) expect(await readFile(driver, path)).toBe(`of ${path}`);
  await driver.rename("/plain", "/moved");
  await writeFile(driver, "/new", "n");
  await core.drained();
  const sealed = (key: string): boolean => s3.bucket.objects.get(key)?.customerKeyMd5 !== undefined;
  expect(["moved", "sealed", "new"].map(sealed)).toEqual([true, true, true]);
  expect(await readFile(driver, "/moved")).toBe("of /plain");
});

test("An object with another key is EACCES", async () => {
  const s3 = await bucketOf({ "/sealed": theirs, "/plain": {} });
  for (const options of [ours, {}]) {
    const { driver } = await driverOn(s3, options);
    await driver.readdir("/");
    expect((await driver.lstat("/sealed")).size).toBe(10);
    await fails(readFile(driver, "/sealed"), "EACCES");
    expect(await readFile(driver, "/plain")).toBe("of /plain");
    // found by its name alone, without a listing
    const { driver: fresh } = await driverOn(s3, options);
    await fails(fresh.lstat("/sealed"), "EACCES");
  }
});

test("Nothing is stored in clear where a key was asked for", async () => {
  const lines: string[] = [];
  setLogSink((line) => lines.push(line), "plain");
  onTestFinished(() => setLogSink((line) => process.stderr.write(line), "plain"));
  const { core, s3 } = await coreOf(ours);
  s3.settings.quirks = { ignoreCustomerKeys: true };
  const driver = fileSystemDriver(core.fileSystem);
  await writeFile(driver, "/first", "1");
  await waitUntil("the first upload is refused", async () =>
    lines.some((line) => /stored "first" in clear/.test(line)),
  );
  await writeFile(driver, "/second", "2");
  await waitUntil("both wait", async () => {
    let refused = 0;
    for await (const { state, reason } of core.queue.list("", true)) {
      if (state === "refused" && reason?.includes("does not encrypt") === true) refused += 1;
    }
    return refused === 2;
  });
  expect(s3.bucket.objects.keys).toEqual(["first"]);
});

test("Archived objects are EACCES", async () => {
  const { s3, core } = await coreOf();
  const body = { kind: "memory", chunks: [Buffer.from("cold")] } as const;
  const headers = { "x-amz-storage-class": "GLACIER" };
  s3.bucket.put({ key: "f", size: 4, etag: "e", lastModified: Date.now(), headers, body });
  const driver = fileSystemDriver(core.fileSystem);
  expect((await driver.lstat("/f")).size).toBe(4);
  const error: unknown = await readFile(driver, "/f").catch((reason: unknown) => reason);
  expect(error).toMatchObject({ code: "EACCES" });
  expect(String(error)).toContain("it is archived");
});

test("Small files do not get a class that charges for more", async () => {
  const { core, s3 } = await coreOf({ "storage-class": "STANDARD_IA" });
  const driver = fileSystemDriver(core.fileSystem);
  await writeFile(driver, "/small", Buffer.alloc(128 * 1024 - 1));
  await writeFile(driver, "/large", Buffer.alloc(128 * 1024));
  await core.drained();
  const classOf = (key: string): unknown =>
    s3.bucket.objects.get(key)?.headers["x-amz-storage-class"];
  expect(["small", "large"].map(classOf)).toEqual([undefined, "STANDARD_IA"]);
});

test("A prefix is the beginning of keys", async () => {
  const s3 = await LoopbackS3.start();
  onTestFinished(async () => s3.close());
  for (const key of ["plocal_content/AA/x", "p/y", "other"]) s3.putText(key, key);
  const raw = await driverOn(s3, { source: `${s3.bucket.name}:p` });
  expect([...(await raw.driver.readdir("/")).keys()]).toEqual(["local_content"]);
  expect(await readFile(raw.driver, "/local_content/AA/x")).toBe("plocal_content/AA/x");
  await writeFile(raw.driver, "/new", "n");
  await raw.core.drained();
  expect(s3.bucket.objects.keys).toContain("pnew");
  for (const source of [`${s3.bucket.name}:p/`, `goofys#${s3.bucket.name}:p`]) {
    const { driver } = await driverOn(s3, { source });
    expect([...(await driver.readdir("/")).keys()]).toEqual(["y"]);
  }
});
