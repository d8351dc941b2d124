import * as fs from "node:fs/promises";
import { expect, test } from "vitest";
import { fileSystemDriver } from "../posix/file-system-driver.ts";
import { fails, readFile, writeFile } from "../posix/suite/context.ts";
import { O_CREAT, O_EXCL, O_WRONLY } from "../../src/posix/open-flags.ts";
import { coreOf, onMounts } from "./scene.ts";

const KIB = 1024;
const SEEK_HOLE = 4;

onMounts([], (scene) => {
  test("O_TRUNC over existing content is seen by others at close", async () => {
    const { at } = scene();
    const path = at("truncated");
    await fs.writeFile(path, "old content");
    const writer = await fs.open(path, "w+");
    expect((await writer.stat()).size).toBe(0);
    await writer.write("new", 0);
    expect((await writer.stat()).size).toBe(3);
    expect(await fs.readFile(path, "utf8")).toBe("old content");
    expect((await fs.stat(path)).size).toBe(11);
    const reader = await fs.open(path, "r");
    await writer.close();
    expect(await fs.readFile(path, "utf8")).toBe("new");
    expect((await fs.stat(path)).size).toBe(3);
    // who opened the old content reads on in it
    expect((await reader.readFile()).toString()).toBe("old content");
    await reader.close();
    const changer = await fs.open(path, "r+");
    await changer.write("N", 0);
    expect(await fs.readFile(path, "utf8")).toBe("New");
    await changer.close();
  });

  test("Content reaches the bucket when the last writer is gone", async () => {
    const { mount, at, get, flush } = scene();
    const log = await fs.open(at("log"), "w");
    const other = await fs.open(at("log"), "a");
    await log.write("one ");
    await log.sync();
    await log.close();
    await fs.writeFile(at("fence"), "x");
    await mount.pailfs("flush", mount.mountpoint, at("fence"));
    expect(await get("fence")).toBe("x");
    expect(await get("log")).toBeUndefined();
    await other.write("two");
    await mount.requests();
    await other.close();
    await flush();
    expect(await get("log")).toBe("one two");
    const sent = (await mount.admin("log")) as { verb: string; key: string }[];
    expect(sent.filter(({ verb, key }) => verb === "PUT" && key === "log")).toHaveLength(1);
  });

  test("Holes are uploaded as zeros", async () => {
    const { agent, at, get, flush } = scene();
    const path = at("sparse");
    await agent.run("f = os.open(p, os.O_RDWR | os.O_CREAT)", { p: path });
    await agent.run("os.pwrite(f, b'end', n)", { n: 256 * KIB });
    const hole = await agent.run("result = os.lseek(f, 0, h)", { h: SEEK_HOLE });
    expect(hole).toBe(0);
    await agent.run("os.close(f)");
    await flush();
    expect(await get("sparse")).toBe(`${"\0".repeat(256 * KIB)}end`);
    const after = "f = os.open(p, os.O_RDONLY); result = os.lseek(f, 0, h); os.close(f)";
    expect(await agent.run(after, { p: path, h: SEEK_HOLE })).toBe(256 * KIB + 3);
    expect((await fs.stat(path)).blocks * 512).toBeGreaterThanOrEqual(256 * KIB);
  });

  test("Some fallocate modes are refused", async () => {
    const { agent, at } = scene();
    await agent.run("f = os.open(p, os.O_RDWR | os.O_CREAT); os.pwrite(f, b'x' * 65536, 0)", {
      p: at("allocated"),
    });
    const allocate = (mode: number): Promise<unknown> =>
      agent.run("fallocate(f, m, 0, 8192); result = os.fstat(f).st_size", { m: mode });
    for (const mode of [0, 1, 3, 17]) expect(await allocate(mode)).toBe(65_536);
    for (const mode of [8, 32, 64]) {
      await expect(allocate(mode)).rejects.toMatchObject({ code: "EOPNOTSUPP" });
    }
    await agent.run("os.close(f)");
  });

  test("Files end at 5 TiB", async () => {
    const { at } = scene();
    const file = await fs.open(at("huge"), "w");
    const end = 5 * KIB ** 4;
    await expect(file.truncate(end + 1)).rejects.toMatchObject({ code: "EFBIG" });
    await file.close();
    await fs.rm(at("huge"));
  });
});

test("With ack=s3 close waits for the bucket", async () => {
  const core = await coreOf({ ack: "s3", "s3-deadline": "1s" });
  const driver = fileSystemDriver(core.core.fileSystem);
  await writeFile(driver, "/f", "previous");
  expect(core.s3.bucket.objects.get("f")?.size).toBe(8);
  core.s3.faults.add({ verbs: ["PUT"], effect: { kind: "status", status: 403 } });
  await fails(writeFile(driver, "/f", "refused"), "EIO");
  expect(await readFile(driver, "/f")).toBe("previous");
  core.s3.faults.clear();
  await core.core.drained();
  expect(core.s3.bucket.objects.get("f")?.size).toBe(8);
  expect(core.core.status().queue.length).toBe(0);

  const patient = await coreOf({ "s3-deadline": "1s" });
  patient.s3.faults.add({ verbs: ["PUT"], times: 3, effect: { kind: "status", status: 403 } });
  await writeFile(fileSystemDriver(patient.core.fileSystem), "/f", "kept");
  await patient.core.drained();
  expect(patient.s3.bucket.objects.get("f")?.size).toBe(4);
});

test("The last close wins", async () => {
  const core = await coreOf();
  const driver = fileSystemDriver(core.core.fileSystem);
  await driver.readdir("/");
  const ours = await driver.open("/f", O_WRONLY | O_CREAT | O_EXCL);
  await fails(driver.open("/f", O_WRONLY | O_CREAT | O_EXCL), "EEXIST");
  await ours.write(0, "ours");
  core.s3.putText("f", "theirs!");
  await ours.close();
  await core.core.drained();
  expect(core.s3.bucket.objects.get("f")?.size).toBe(4);
});
