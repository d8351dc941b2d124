// The paragraphs of "With fuse=native" in docs/SEMANTICS.md.
import { execFile, spawn } from "node:child_process";
import * as fs from "node:fs/promises";
import { promisify } from "node:util";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { Agent } from "../support/mount/agent.ts";
import {
  type ChildMount,
  mountInChild,
  type MountInChildOptions,
} from "../support/mount/mount-in-child.ts";
import { runsNative } from "../support/native.ts";
import { waitUntil } from "../support/mount/wait-until.ts";
import { type Scene, startScene } from "./scene.ts";

const run = promisify(execFile);

describe.skipIf(!runsNative)("fuse=native", () => {
  let scene: Scene | undefined;
  let stopScene: () => Promise<void> = async () => {};
  beforeAll(async () => {
    const started = await startScene("--fuse=native", "--allow-other", "--uid=12", "--gid=34");
    ({ scene, stop: stopScene } = started);
  });
  afterAll(async () => stopScene());

  /** A mounted bucket. */
  function bucket(): Scene {
    if (!scene) throw new Error("There is no mount");
    return scene;
  }

  const mounts: ChildMount[] = [];
  afterEach(async () => {
    for (const mount of mounts.splice(0)) await mount.stop();
  });

  /** A mount of an in-memory file system whose calls can be slowed down. */
  async function inMemory(options: MountInChildOptions = {}): Promise<ChildMount> {
    const mount = await mountInChild({ native: true, ...options });
    mounts.push(mount);
    return mount;
  }

  test("With fuse=native O_TRUNC is seen at once", async () => {
    const { at } = bucket();
    await fs.writeFile(at("truncated"), "old");
    const reader = await fs.open(at("truncated"));
    const writer = await fs.open(at("truncated"), fs.constants.O_WRONLY | fs.constants.O_TRUNC);
    expect(await fs.readFile(at("truncated"), "utf8")).toBe("");
    await writer.write("new");
    expect(await fs.readFile(at("truncated"), "utf8")).toBe("new");
    expect((await reader.read(Buffer.alloc(10), 0, 10, 0)).buffer.toString("latin1")).toMatch(
      /^old/,
    );
    await writer.close();
    await reader.close();
  });

  test("With fuse=native new files belong to uid and gid", async () => {
    const { at } = bucket();
    await fs.chmod(at("."), 0o777);
    const user = new Agent({ uid: 12345, gid: 12345 });
    await user.run("open(p, 'w').close(); os.mkdir(p + '.d')", { p: at("owned") });
    await user.stop();
    for (const name of ["owned", "owned.d"]) {
      expect(await fs.stat(at(name))).toMatchObject({ uid: 12, gid: 34 });
    }
  });

  test("With fuse=native times have milliseconds", async () => {
    const { agent, at } = bucket();
    const times = async (change: string): Promise<unknown> =>
      agent.run(
        `${change}; s = os.stat(p); result = [s.st_atime_ns // 1000, s.st_mtime_ns // 1000]`,
        {
          p: at("timed"),
        },
      );
    await fs.writeFile(at("timed"), "x");
    const set = "os.utime(p, ns=(1000000000123456789, 2000000000987654321))";
    expect(await times(set)).toEqual([1_000_000_000_123_000, 2_000_000_000_987_000]);
    await run("touch", ["-m", "-d", "@5", at("timed")]);
    await run("touch", ["-a", "-d", "@5", at("timed")]);
    expect(await times("pass")).toEqual([1_000_000_000_123_000, 2_000_000_000_987_000]);
    expect(await times("os.utime(p, (-5, -5))")).toEqual([0, 0]);
  });

  test("With fuse=native there are no shared mappings", async () => {
    const { agent, at, put, flush, mount } = bucket();
    await fs.writeFile(at("mapped"), "older");
    await flush();
    await agent.run("f = os.open(p, os.O_RDWR)", { p: at("mapped") });
    const map = (how: string): Promise<unknown> => agent.run(`result = mmap.mmap(f, 5, ${how})[0]`);
    expect(await map("flags=mmap.MAP_PRIVATE")).toBe("o".charCodeAt(0));
    await expect(map("access=mmap.ACCESS_READ")).rejects.toMatchObject({ code: "ENODEV" });
    await agent.run("os.close(f); f = os.open(p, os.O_RDONLY)", { p: at("mapped") });
    await put("mapped", "new content");
    await mount.pailfs("refresh", mount.mountpoint);
    await waitUntil(
      "the new object is seen",
      async () => (await fs.stat(at("mapped"))).size === 11,
    );
    expect(await fs.readFile(at("mapped"), "utf8")).toBe("new content");
    expect(await agent.run("result = [os.pread(f, 20, 0).decode(), os.fstat(f).st_size]")).toEqual([
      "older",
      11,
    ]);
    await agent.run("os.close(f)");
  });

  test("With fuse=native some names are refused", async () => {
    const { agent, at, put, mount } = bucket();
    const make = (name: string): Promise<unknown> => agent.run(`open(${name}, 'w')`, { p: at("") });
    await expect(make(String.raw`p + '\ufffd'`)).rejects.toMatchObject({ code: "EILSEQ" });
    await expect(make(String.raw`os.fsencode(p) + b'\xff'`)).rejects.toMatchObject({
      code: "EILSEQ",
    });
    const hidden = ".fuse_hidden0000000200000001";
    await expect(make(`p + '${hidden}'`)).rejects.toMatchObject({ code: "EPERM" });
    for (const name of ["\uFFFD", hidden, ".fuse_hidden"]) await put(`odd/${name}`, "x");
    await mount.pailfs("refresh", mount.mountpoint);
    await waitUntil("the directory is seen", async () =>
      (await fs.readdir(at("."))).includes("odd"),
    );
    expect(await fs.readdir(at("odd"))).toEqual([".fuse_hidden"]);
    for (const name of ["\uFFFD", hidden]) {
      await expect(fs.stat(at(`odd/${name}`))).rejects.toMatchObject({ code: "ENOENT" });
    }
  });

  test("With fuse=native some calls are missing", async () => {
    const { agent, at } = bucket();
    await fs.writeFile(at("plain"), "x");
    const noReplace = "renameat2(p, p + '2', 1)";
    await expect(agent.run(noReplace, { p: at("plain") })).rejects.toMatchObject({
      code: "EINVAL",
    });
    await agent.run("f = os.open(p, os.O_RDWR | os.O_CREAT)", { p: at("sparse") });
    await expect(agent.run("fallocate(f, 0, 0, 5000)")).rejects.toMatchObject({
      code: "EOPNOTSUPP",
    });
    await agent.run("os.posix_fallocate(f, 0, 5000); os.ftruncate(f, 10 ** 6)");
    expect(await agent.run("result = [os.lseek(f, 0, os.SEEK_DATA), os.lseek(f, 0, os.SEEK_HOLE)]")) //
      .toEqual([0, 10 ** 6]);
    await agent.run("os.close(f)");
  });

  test("With fuse=native a rename over an open file has two steps", async () => {
    const mount = await inMemory();
    await fs.writeFile(mount.path("target"), "old");
    await fs.writeFile(mount.path("source"), "new");
    const open = await fs.open(mount.path("target"));
    await fs.rename(mount.path("source"), mount.path("target"));
    const { unlink, rename } = await mount.calls();
    expect({ unlink, rename }).toEqual({ unlink: 1, rename: 1 });
    expect(await fs.readFile(mount.path("target"), "utf8")).toBe("new");
    expect(await open.readFile("utf8")).toBe("old");
    expect((await open.stat()).nlink).toBe(0);
    await open.close();
  });

  test("With fuse=native an unlinked file is lost with its directory", async () => {
    const { agent, at } = bucket();
    await fs.mkdir(at("gone"));
    await agent.run("f = os.open(p, os.O_RDWR | os.O_CREAT); os.write(f, b'abc'); os.unlink(p)", {
      p: at("gone/f"),
    });
    expect(await agent.run("result = os.pread(f, 3, 0).decode()")).toBe("abc");
    expect(await fs.readdir(at("gone"))).toEqual([]);
    await fs.rmdir(at("gone"));
    await expect(agent.run("os.pread(f, 3, 0)")).rejects.toMatchObject({ code: "ENOENT" });
    await agent.run("os.close(f)");
  });

  test("With fuse=native changes are seen a second after pailfs knows them", async () => {
    const { at, put, mount } = bucket();
    await put("changed", "one");
    await mount.pailfs("refresh", mount.mountpoint);
    const sizeIs = (size: number) => async (): Promise<boolean> =>
      (await fs.stat(at("changed")).catch(() => undefined))?.size === size;
    await waitUntil("the object is seen", sizeIs(3));
    await put("changed", "longer");
    await mount.pailfs("refresh", mount.mountpoint);
    await waitUntil("its new size is seen", sizeIs(6));
  });

  test("With fuse=native a killed caller waits for the answer", async () => {
    const mount = await inMemory({ delays: { lookup: 5000 } });
    const start = Date.now();
    const caller = spawn("stat", [mount.path("none")], { stdio: "ignore" });
    const gone = new Promise((resolve) => caller.once("exit", resolve));
    await waitUntil("the lookup is in flight", async () => (await mount.counts()).inFlight === 1);
    caller.kill("SIGKILL");
    await gone;
    expect(Date.now() - start).toBeGreaterThan(4900);
    expect(await mount.command({ do: "interrupted" })).toBe(0);
  });

  test("With fuse=native bursts of slow calls leave handles behind", async () => {
    const mount = await inMemory();
    const names = Array.from({ length: 40 }, (_, index) => mount.path(`f${index}`));
    for (const name of names) await fs.writeFile(name, "x");
    await mount.command({ do: "delays", delays: { "file.read": 4000 } });
    const commands = names.map((name) => `cat ${name} & `).join("");
    await run("sh", ["-c", `${commands} wait`]);
    const { threadHandles } = await mount.counts();
    expect(threadHandles?.count).toBeGreaterThan(12);
    const { mount: real } = bucket();
    expect(await real.pailfs("status", real.mountpoint)).toMatch(/native +\d+ handles of threads/);
  });

  test("With fuse=native lookups in one directory wait for each other", async () => {
    const mount = await inMemory({ delays: { lookup: 200 } });
    const start = Date.now();
    const names = Array.from({ length: 10 }, (_, index) => mount.path(`none${index}`));
    await run("stat", names).catch(() => {});
    const one = Date.now() - start;
    const commands = names.map((name) => `stat ${name}-2 & `).join("");
    await run("sh", ["-c", `${commands} wait`]).catch(() => {});
    const together = Date.now() - start - one;
    expect([one > 1900, together > 1900]).toEqual([true, true]);
    await mount.command({ do: "delays", delays: {} });
    const some = Array.from({ length: 1500 }, (_, index) => mount.path(`name${index}`));
    for (const name of some) await fs.writeFile(name, "");
    const directory = await fs.opendir(mount.mountpoint, { bufferSize: 1 });
    expect(await directory.read()).toBeTruthy();
    await directory.close();
    // a thousand, five hundred, and the end
    expect((await mount.calls())["directory.read"]).toBe(3);
  });

  test("With fuse=native a mount point is a plain directory", async () => {
    const { mount, at } = bucket();
    const directory = `${mount.stateDirectory}-tmpfs`;
    await fs.mkdir(directory);
    const places = ["--cache-dir", `${directory}-c`, "--state-dir", `${directory}-s`];
    const options = ["--endpoint", mount.endpoint, "--fuse=native", ...places];
    const mounting = (...more: string[]): Promise<string> =>
      mount.pailfs("mount", "bucket", directory, ...options, ...more);
    await expect(mounting("-o", "lazytime")).rejects.toMatchObject({
      stderr: expect.stringContaining("libfuse 2 does not know it") as unknown,
    });
    await run("mount", ["-t", "tmpfs", "tmpfs", directory]);
    try {
      await expect(mounting()).rejects.toMatchObject({
        stderr: expect.stringContaining("mount on one below it") as unknown,
      });
    } finally {
      await run("umount", [directory]);
    }
    expect((await fs.stat(at("."))).isDirectory()).toBe(true);
  });
});
