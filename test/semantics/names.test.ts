import { watch } from "node:fs";
import * as fs from "node:fs/promises";
import { expect, test } from "vitest";
import { FileType } from "../../src/posix/stat.ts";
import { fileSystemDriver } from "../posix/file-system-driver.ts";
import { fails, readFile, writeFile } from "../posix/suite/context.ts";
import { waitUntil } from "../support/mount/wait-until.ts";
import { coreOf, onMounts } from "./scene.ts";

onMounts([], (scene) => {
  test("Hard links are refused", async () => {
    const { agent, mount, at } = scene();
    await fs.writeFile(at("linked"), "x");
    await expect(fs.link(at("linked"), at("link"))).rejects.toMatchObject({ code: "EPERM" });
    const nameless = agent.run("os.open(p, os.O_TMPFILE | os.O_RDWR)", { p: mount.mountpoint });
    await expect(nameless).rejects.toMatchObject({ code: "EOPNOTSUPP" });
  });

  test("RENAME_EXCHANGE is refused", async () => {
    const { agent, at } = scene();
    for (const name of ["x", "y"]) await fs.writeFile(at(name), name);
    const rename = (f: number): Promise<unknown> =>
      agent.run("renameat2(a, b, f)", { a: at("x"), b: at("y"), f });
    for (const flags of [2, 4])
      await expect(rename(flags)).rejects.toMatchObject({ code: "EINVAL" });
    await expect(rename(1)).rejects.toMatchObject({ code: "EEXIST" });
    expect(await fs.readFile(at("x"), "utf8")).toBe("x");
  });

  test("Directories are implied by keys", async () => {
    const { at, put, keys, flush } = scene();
    await put("photos/2024/a.jpg", "jpeg");
    expect((await fs.stat(at("photos/2024"))).isDirectory()).toBe(true);
    await fs.mkdir(at("photos/empty"));
    await fs.rm(at("photos/2024/a.jpg"));
    await flush();
    expect(await keys("photos/")).toEqual([]);
    expect(await fs.readdir(at("photos"))).toEqual(["2024", "empty"]);
    await fs.rmdir(at("photos/2024"));
    expect(await fs.readdir(at("photos"))).toEqual(["empty"]);
  });

  test("Directory markers are understood", async () => {
    const { at, put, keys, flush } = scene();
    await put("marked/", "");
    expect((await fs.stat(at("marked"))).isDirectory()).toBe(true);
    expect(await fs.readdir(at("marked"))).toEqual([]);
    await fs.rmdir(at("marked"));
    await flush();
    expect(await keys("marked")).toEqual([]);
    await put("markers/hadoop_$folder$", "");
    expect(await fs.readdir(at("markers"))).toEqual(["hadoop"]);
    await fs.rename(at("markers/hadoop"), at("markers/moved"));
    await flush();
    expect(await keys("markers")).toEqual(["markers/moved_$folder$"]);
    await fs.rmdir(at("markers/moved"));
    await flush();
    expect(await keys("markers")).toEqual([]);
  });

  test("A directory hides the object of the same name", async () => {
    const { at, put, get } = scene();
    await put("shadow", "object");
    await put("shadow/below", "below");
    expect((await fs.stat(at("shadow"))).isDirectory()).toBe(true);
    expect(await fs.readFile(at("shadow/below"), "utf8")).toBe("below");
    expect(await get("shadow")).toBe("object");
    await fs.rm(at("shadow/below"));
    await fs.rmdir(at("shadow"));
    expect(await fs.readFile(at("shadow"), "utf8")).toBe("object");
  });

  test("Names are UTF-8", async () => {
    const { agent, mount, at } = scene();
    const bytes = "n = p.encode() + b'/\\xff'; ";
    const p = mount.mountpoint;
    const made = agent.run(`${bytes} os.open(n, os.O_CREAT | os.O_WRONLY)`, { p });
    await expect(made).rejects.toMatchObject({ code: "EILSEQ" });
    await expect(agent.run(`${bytes} os.stat(n)`, { p })).rejects.toMatchObject({ code: "ENOENT" });
    for (const name of ["\u00e9", "e\u0301"]) await fs.writeFile(at(name), name);
    expect(await fs.readFile(at("\u00e9"), "utf8")).toBe("\u00e9");
  });

  test("A key has at most 1024 bytes", async () => {
    const { at } = scene();
    const part = "n".repeat(250);
    const deep = Array.from({ length: 4 }, () => part).join("/");
    await fs.mkdir(at(deep), { recursive: true });
    await fs.writeFile(at(`${deep}/${"f".repeat(20)}`), "1024 bytes");
    const tooLong = { code: "ENAMETOOLONG" };
    await expect(fs.writeFile(at(`${deep}/${"f".repeat(21)}`), "")).rejects.toMatchObject(tooLong);
    await expect(fs.mkdir(at(`${deep}/${part}`))).rejects.toMatchObject(tooLong);
    await expect(fs.mkdir(at("n".repeat(256)))).rejects.toMatchObject(tooLong);
  });

  test("Others' changes are seen after a while", async () => {
    const { mount, at, put } = scene();
    await fs.mkdir(at("shared"));
    await fs.writeFile(at("shared/ours"), "ours");
    await fs.readdir(at("shared"));
    await put("shared/theirs", "theirs");
    await expect(fs.stat(at("shared/theirs"))).rejects.toMatchObject({ code: "ENOENT" });
    await mount.pailfs("refresh", mount.mountpoint, at("shared"));
    expect(await fs.readdir(at("shared"))).toEqual(["ours", "theirs"]);
    expect(await fs.readFile(at("shared/theirs"), "utf8")).toBe("theirs");

    const core = await coreOf({ "stat-cache-ttl": "300ms", "negative-ttl": "300ms" });
    const driver = fileSystemDriver(core.core.fileSystem);
    expect((await driver.readdir("/")).size).toBe(0);
    core.s3.putText("f", "x");
    await fails(driver.lstat("/f"), "ENOENT");
    await waitUntil("the listing has expired", async () => (await driver.readdir("/")).has("f"));
  });

  test("Notifications tell of this host only", async () => {
    const { mount, at, put } = scene();
    await fs.mkdir(at("watched"));
    const seen = new Set<string | null>();
    const watcher = watch(at("watched"), (_event, name) => seen.add(name));
    try {
      await put("watched/theirs", "x");
      await mount.pailfs("refresh", mount.mountpoint, at("watched"));
      expect(await fs.readdir(at("watched"))).toEqual(["theirs"]);
      await fs.writeFile(at("watched/ours"), "x");
      await waitUntil("our own change is told", () => seen.has("ours"));
      expect([...seen]).toEqual(["ours"]);
    } finally {
      watcher.close();
    }
  });
});

test("rename is atomic here and copies in the bucket", async () => {
  const core = await coreOf();
  const driver = fileSystemDriver(core.core.fileSystem);
  const { s3 } = core;
  for (const name of ["a", "b"]) s3.putText(`d/${name}`, name);
  await driver.readdir("/d");
  s3.faults.add({ verbs: ["COPY"], effect: { kind: "hang" } });
  await driver.rename("/d", "/e");
  await fails(driver.lstat("/d"), "ENOENT");
  expect([...(await driver.readdir("/e")).keys()]).toEqual(["a", "b"]);
  expect(await readFile(driver, "/e/a")).toBe("a");
  expect(s3.bucket.objects.keys).toEqual(["d/a", "d/b"]);
  s3.faults.clear();
  await core.reopen();
  await core.core.drained();
  expect(s3.bucket.objects.keys).toEqual(["e/a", "e/b"]);
  s3.reset();
  s3.settings.latencyMs = 100;
  const again = fileSystemDriver(core.core.fileSystem);
  const file = await again.open("/temporary", 0o101);
  await again.rename("/temporary", "/final");
  await file.close();
  await core.core.drained();
  expect(s3.counts).toMatchObject({ PUT: 1 });
  expect(s3.log.filter(({ verb }) => verb === "PUT").map(({ key }) => key)).toEqual(["final"]);
});

test("Keys that no path can name are hidden", async () => {
  const core = await coreOf();
  const driver = fileSystemDriver(core.core.fileSystem);
  const hidden = ["d//x", "d/../x", "d/./x", `d/${"n".repeat(256)}`, "/lead"];
  for (const key of ["d/seen", ...hidden]) core.s3.putText(key, "x");
  expect([...(await driver.readdir("/")).keys()]).toEqual(["d"]);
  expect([...(await driver.readdir("/d")).keys()]).toEqual(["seen"]);
  await driver.rename("/d", "/e");
  await core.core.drained();
  expect(core.s3.bucket.objects.keys.toSorted()).toEqual(["e/seen", ...hidden].toSorted());
});

test("Symlinks, fifos, sockets and device nodes exist on this host only", async () => {
  const core = await coreOf();
  const driver = fileSystemDriver(core.core.fileSystem);
  await writeFile(driver, "/f", "x");
  await driver.readdir("/");
  await core.core.drained();
  core.s3.reset();
  await driver.symlink("f", "/link");
  const types = { fifo: FileType.fifo, socket: FileType.socket, device: FileType.characterDevice };
  for (const [name, type] of Object.entries(types)) await driver.mknod(`/${name}`, type | 0o600);
  await core.core.drained();
  expect(core.s3.count()).toBe(0);
  await core.reopen({ emptyCache: true });
  const again = fileSystemDriver(core.core.fileSystem);
  expect(await again.readlink("/link")).toBe("f");
  for (const [name, type] of Object.entries(types)) {
    expect((await again.lstat(`/${name}`)).mode & FileType.mask).toBe(type);
  }
  expect(core.s3.bucket.objects.keys).toEqual(["f"]);
});

test("With sharing=exclusive names are listed once", async () => {
  const core = await coreOf({ sharing: "exclusive", "stat-cache-ttl": "0", "s3-deadline": "1s" });
  const { s3 } = core;
  const complete = (): boolean => core.core.fileSystem.coverage()?.complete ?? false;
  await waitUntil("the crawl is done", complete);
  for (const key of ["d/e/f", "d/g", "h"]) s3.putText(key, key);
  await core.core.fileSystem.refresh("/");
  s3.reset();
  await s3.stopListening();
  await core.reopen();
  const driver = fileSystemDriver(core.core.fileSystem);
  expect([...(await driver.readdir("/d")).keys()]).toEqual(["e", "g"]);
  expect((await driver.lstat("/d/e/f")).size).toBe(5);
  await fails(driver.lstat("/d/absent"), "ENOENT");
  await writeFile(driver, "/h", "ours");
  expect(s3.count()).toBe(0);
  await s3.listenAgain(Number(new URL(core.options.s3.endpoint ?? "").port));
  s3.putText("d/g", "theirs");
  s3.putText("d/new", "theirs");
  await expect(readFile(driver, "/d/g")).rejects.toMatchObject({ code: "ESTALE" });
  expect(await readFile(driver, "/d/new")).toBe("theirs");
  s3.putText("i", "theirs");
  await fails(driver.lstat("/i"), "ENOENT");
  await core.core.fileSystem.refresh("/");
  expect(await readFile(driver, "/i")).toBe("theirs");
  expect(await readFile(driver, "/h")).toBe("ours");
});
