// What the kernel asks of the adapter, beyond what the POSIX suite sees.
import { execFile, spawn } from "node:child_process";
import { mkdir, readdir, readFile, rename, stat, writeFile } from "node:fs/promises";
import { release } from "node:os";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { waitUntil } from "../support/mount/wait-until.ts";
import { agent, mount } from "./mount-fixture.ts";

const run = promisify(execFile);
/** Runs a module's text in a node with 64 threads for its file system calls. */
async function runWide(text: string, ...args: readonly string[]): Promise<string> {
  const { stdout } = await run(process.execPath, ["--input-type=module", "-e", text, ...args], {
    env: { ...process.env, UV_THREADPOOL_SIZE: "64" },
  });
  return stdout.trim();
}

test("64 callers looking up names in one directory do not wait for each other", async () => {
  const mounted = await mount({ delays: { lookup: 5 } });
  const text = `
    import { stat } from "node:fs/promises";
    const caller = async (id) => {
      for (let n = 0; n < 20; n++) await stat(process.argv[1] + "/none-" + id + "-" + n).catch(() => {});
    };
    await stat(process.argv[1]);
    const start = performance.now();
    await Promise.all(Array.from({ length: 64 }, (_, id) => caller(id)));
    console.log(performance.now() - start);`;
  const times: number[] = [];
  for (let round = 0; round < 3; round++)
    times.push(Number(await runWide(text, mounted.mountpoint)));
  // one after the other it would be 64 * 20 * 5 ms = 6.4 s
  expect(Math.min(...times)).toBeLessThan(1600);
});

test("of 16 processes' racing O_EXCL creators one wins", async () => {
  const mounted = await mount({ delays: { create: 5 } });
  const text = `
    import { open } from "node:fs/promises";
    const path = process.argv[1];
    const results = await Promise.allSettled(Array.from({ length: 16 }, () => open(path, "wx")));
    console.log(results.map((r) => r.status === "fulfilled" ? "won" : r.reason.code).sort().join());`;
  const outcome = await runWide(text, mounted.path("f"));
  expect(outcome).toBe([...Array.from({ length: 15 }, () => "EEXIST"), "won"].join(","));
});

test("when the kernel has forgotten everything the tables are back at the root", async () => {
  const mounted = await mount();
  for (let n = 0; n < 300; n++) await writeFile(mounted.path(`f${n}`), "x");
  await mkdir(mounted.path("d"));
  for (let n = 0; n < 300; n++) await rename(mounted.path(`f${n}`), mounted.path(`d/g${n}`));
  for (let round = 0; round < 2; round++) await run("ls", ["-lR", mounted.mountpoint]);
  expect((await mounted.counts()).nodes).toBeGreaterThan(300);
  await waitUntil("the kernel has forgotten", async () => {
    await writeFile("/proc/sys/vm/drop_caches", "2"); // dentries and inodes
    const { nodes, files, directories } = await mounted.counts();
    return nodes === 1 && files === 0 && directories === 0;
  });
});

// FUSE_NOTIFY_PRUNE is of Linux 6.18
const [major = 0, minor = 0] = release().split(".").map(Number);
test.runIf(major > 6 || (major === 6 && minor >= 18))(
  "the kernel gives old names back when there are many, but for those in use",
  async () => {
    const mounted = await mount({ mount: { mostNames: 500 } });
    await mkdir(mounted.path("d"));
    const other = agent();
    await other.run("f = open(p, 'w')", { p: mounted.path("d/kept") });
    for (let n = 0; n < 2000; n++) await writeFile(mounted.path(`d/f${n}`), "");
    await run("ls", ["-l", mounted.path("d")]);
    await waitUntil("old names are gone", async () => (await mounted.counts()).nodes <= 560);
    await other.run("f.write('still here'); f.close()");
    expect(await readFile(mounted.path("d/kept"), "utf8")).toBe("still here");
    expect(await readdir(mounted.path("d"))).toHaveLength(2001);
    expect((await stat(mounted.path("d/f0"))).size).toBe(0);
  },
);

test.each(["SIGINT", "SIGKILL"] as const)(
  "%s to a caller aborts the lookup it waits for",
  async (signal) => {
    const mounted = await mount({ delays: { lookup: 20_000 } });
    const caller = spawn("stat", [mounted.path("none")], { stdio: "ignore" });
    const gone = new Promise((resolve) => caller.once("exit", resolve));
    await waitUntil("the lookup is in flight", async () => (await mounted.counts()).inFlight === 1);
    caller.kill(signal);
    const start = Date.now();
    await gone;
    expect(Date.now() - start).toBeLessThan(2000);
    expect(await mounted.command({ do: "interrupted" })).toBe(1);
    expect((await mounted.counts()).inFlight).toBe(0);
  },
);

test("a caller killed in a write leaves, and the mount goes on", async () => {
  const mounted = await mount({ delays: { "file.write": 20_000 } });
  const caller = spawn("dd", ["if=/dev/zero", `of=${mounted.path("f")}`, "bs=4k", "count=1"], {
    stdio: "ignore",
  });
  const gone = new Promise((resolve) => caller.once("exit", resolve));
  await waitUntil("the write is in flight", async () => (await mounted.counts()).inFlight === 1);
  caller.kill("SIGKILL");
  await gone;
  await mounted.command({ do: "delays", delays: {} });
  await writeFile(mounted.path("g"), "x");
  await waitUntil("the file is released", async () => (await mounted.counts()).files === 0);
  expect(await mounted.command({ do: "interrupted" })).toBe(1);
});

test("borrowed write data stays intact while many writes wait", async () => {
  const mounted = await mount({ delays: { "file.write": 30 } });
  const names = Array.from({ length: 24 }, (_, index) => `f${index}`);
  const text = `
    import { readFile, writeFile } from "node:fs/promises";
    const names = process.argv.slice(2);
    await Promise.all(names.map((name, index) => writeFile(process.argv[1] + "/" + name, Buffer.alloc(2000000, index + 1))));
    for (const [index, name] of names.entries()) {
      const bytes = await readFile(process.argv[1] + "/" + name);
      if (!bytes.equals(Buffer.alloc(2000000, index + 1))) console.log("differs", name);
    }`;
  expect(await runWide(text, mounted.mountpoint, ...names)).toBe("");
});

test("a directory above open files and a working directory can be renamed", async () => {
  const mounted = await mount();
  const other = agent();
  await mkdir(mounted.path("a/b/c"), { recursive: true });
  await other.run("os.chdir(p); f = open('f', 'w+')", { p: mounted.path("a/b/c") });
  await rename(mounted.path("a"), mounted.path("z"));
  await other.run("f.write('x'); f.flush(); g = open('g', 'w'); g.close()");
  expect((await readdir(mounted.path("z/b/c"))).toSorted()).toEqual(["f", "g"]);
  expect(await other.run("result = os.getcwd()")).toBe(mounted.path("z/b/c"));
  expect(await readFile(mounted.path("z/b/c/f"), "utf8")).toBe("x");
  await other.run("f.close(); os.chdir('/')");
});

test("a call below a directory that is being renamed finds its new path", async () => {
  const mounted = await mount();
  await mkdir(mounted.path("a"));
  await writeFile(mounted.path("a/f"), "x");
  const other = agent();
  await other.run("os.chdir(p)", { p: mounted.path("a") });
  await mounted.command({ do: "delays", delays: { "rename!": 500 } });
  const renaming = rename(mounted.path("a"), mounted.path("b"));
  await waitUntil("the rename is in flight", async () => (await mounted.counts()).inFlight === 1);
  await other.run("result = open('new', 'w').close(); f = open('f'); f.close(); os.chdir('/')");
  await renaming;
  expect((await readdir(mounted.path("b"))).toSorted()).toEqual(["f", "new"]);
});

test("names that are not UTF-8 are ENOENT to look up and EILSEQ to create", async () => {
  const mounted = await mount();
  const other = agent();
  const bad = String.raw`os.fsencode(p) + b'/bad\xff\xfe'`;
  const variables = { p: mounted.mountpoint };
  await expect(other.run(`os.stat(${bad})`, variables)).rejects.toMatchObject({ code: "ENOENT" });
  for (const call of [
    `os.mkdir(${bad})`,
    `os.open(${bad}, os.O_CREAT | os.O_WRONLY)`,
    `os.symlink('x', ${bad})`,
    `open(p + '/f', 'w').close(); os.rename(p + '/f', ${bad})`,
  ]) {
    await expect(other.run(call, variables)).rejects.toMatchObject({ code: "EILSEQ" });
  }
  await other.run(String.raw`open(os.fsencode(p) + b'/\xef\xbf\xbd', 'w').close()`, variables);
  expect((await readdir(mounted.mountpoint)).toSorted()).toEqual(["f", "\uFFFD"]);
});

test("a long listing with removals in between ends and leaves nothing", async () => {
  const mounted = await mount();
  const text = `
    import { writeFile } from "node:fs/promises";
    await Promise.all(Array.from({ length: 3000 }, (_, n) => writeFile(process.argv[1] + "/f" + n, "")));`;
  await mkdir(mounted.path("d"));
  await runWide(text, mounted.path("d"));
  await run("rm", ["-r", mounted.path("d")]);
  expect(await readdir(mounted.mountpoint)).toEqual([]);
});

test("isatty, security attributes and ACLs get the errno that stops no other call", async () => {
  const mounted = await mount();
  const other = agent();
  const p = mounted.path("f");
  await other.run("f = open(p, 'w'); result = f.isatty()", { p });
  const attribute = (name: string): Promise<unknown> =>
    other.run("os.getxattr(p, n)", { p, n: name });
  // after another errno `ls -l` asks for security.selinux of each file
  for (const name of ["security.capability", "security.selinux", "system.posix_acl_access"]) {
    await expect(attribute(name)).rejects.toMatchObject({ code: "EOPNOTSUPP" });
  }
  await other.run("os.setxattr(p, 'user.a', b'1')", { p });
  expect(await other.run("result = os.getxattr(p, 'user.a').decode()", { p })).toBe("1");
  await other.run("f.close()");
});

test("fallocate and lseek reach the file", async () => {
  const mounted = await mount();
  const other = agent();
  await other.run("f = os.open(p, os.O_RDWR | os.O_CREAT)", { p: mounted.path("f") });
  await other.run("fallocate(f, 0, 0, 1000)");
  expect((await stat(mounted.path("f"))).size).toBe(1000);
  await other.run("os.pwrite(f, b'x' * 1000, 0); fallocate(f, 3, 100, 100)");
  expect(await other.run("result = os.pread(f, 101, 99).count(b'x')")).toBe(1);
  expect(await other.run("result = os.lseek(f, 10, os.SEEK_HOLE)")).toBe(1000);
  await expect(other.run("os.lseek(f, 1000, os.SEEK_DATA)")).rejects.toMatchObject({
    code: "ENXIO",
  });
  await expect(other.run("fallocate(f, 8, 0, 4096)")).rejects.toMatchObject({ code: "EOPNOTSUPP" });
  await other.run("os.close(f)");
});
