// The life of a real mount: umount, signals, commands, remounts.
import { execFile } from "node:child_process";
import { open, readFile, stat, writeFile } from "node:fs/promises";
import { get } from "node:http";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { waitUntil } from "../support/mount/wait-until.ts";
import { bytes, isAlive, md5, Place, signal } from "./daemon-fixture.ts";

const run = promisify(execFile);

/** Uploads take so long each, so that there is a queue to watch. */
async function slowUploads(place: Place): Promise<void> {
  await place.admin("settings", { latencyMs: 400 });
}

test("mount returns when the mount answers, with the words of mount(8) and the source", async () => {
  const place = await Place.make();
  await place.mount("-o", "noatime,noexec,sync", "--passthrough", "off");
  await writeFile(place.path("f"), "x");
  const line = (await readFile("/proc/self/mountinfo", "utf8"))
    .split("\n")
    .find((text) => text.includes(` ${place.mountpoint} `));
  expect(line).toMatch(/ rw,nosuid,nodev,noexec,noatime - fuse\.pailfs bucket rw,sync,/);
  const status = await place.status();
  expect(status).toMatchObject({ phase: "serving", passthrough: false, adapter: "kernel" });
  await place.umount();
  expect(await place.isMounted()).toBe(false);
  await waitUntil("the daemon ends", () => !isAlive(status.pid));
});

test("umount drains, and the same place can be mounted at once", async () => {
  const place = await Place.mounted();
  for (const round of [1, 2, 3]) {
    await slowUploads(place);
    const content = bytes(20_000);
    await writeFile(place.path(`f${round}`), content);
    await place.umount();
    expect((await place.bucket())[`f${round}`]).toBe(md5(content));
    await place.admin("settings", { latencyMs: 0 });
    await place.mount();
    expect(md5(await readFile(place.path(`f${round}`)))).toBe(md5(content));
  }
  await place.umount();
});

test("umount of a busy mount ends with 75 and it goes on", async () => {
  const place = await Place.mounted();
  const file = await open(place.path("f"), "w");
  const refused = await place.pailfs("umount", place.mountpoint);
  expect(refused).toMatchObject({ code: 75, stdout: "" });
  expect(refused.stderr).toMatch(/^pailfs: Cannot unmount [^\n]*in use[^\n]*\n$/);
  await file.writeFile("still served");
  await file.close();
  await place.umount();
  expect(await place.bucket()).toEqual({ f: md5("still served") });
});

test("umount --lazy serves an open file until its close, and what was written arrives", async () => {
  const place = await Place.mounted();
  const pid = await place.daemonPid();
  const file = await open(place.path("f"), "w+");
  await file.write("before");
  await place.umount("--lazy");
  expect(await place.isMounted()).toBe(false);
  await file.write(", after");
  expect(Buffer.from(await readAll(file)).toString()).toBe("before, after");
  expect(isAlive(pid)).toBe(true);
  await file.close();
  await waitUntil("the daemon ends", () => !isAlive(pid));
  expect(await place.bucket()).toEqual({ f: md5("before, after") });
});

async function readAll(file: Awaited<ReturnType<typeof open>>): Promise<Uint8Array> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(100), 0, 100, 0);
  return buffer.subarray(0, bytesRead);
}

test("umount(8) from outside ends the daemon after it drained", async () => {
  const place = await Place.mounted();
  const pid = await place.daemonPid();
  await slowUploads(place);
  const content = bytes(5000);
  await writeFile(place.path("f"), content);
  await run("umount", [place.mountpoint]);
  await waitUntil("the daemon ends", () => !isAlive(pid));
  expect(await place.bucket()).toEqual({ f: md5(content) });
});

test("SIGTERM unmounts and drains", async () => {
  const place = await Place.mounted();
  const pid = await place.daemonPid();
  await slowUploads(place);
  const contents = [bytes(5000), bytes(6000), bytes(7000)];
  await Promise.all(contents.map((content, i) => writeFile(place.path(`f${i}`), content)));
  signal(pid, "SIGTERM");
  await waitUntil("it is unmounted", async () => !(await place.isMounted()));
  await waitUntil("the daemon ends", () => !isAlive(pid));
  expect(await place.bucket()).toEqual(
    Object.fromEntries(contents.map((content, i) => [`f${i}`, md5(content)])),
  );
});

test("metrics count what the kernel and S3 were asked", async () => {
  const place = await Place.make();
  const socketPath = join(place.folder, "metrics.sock");
  await place.mount("--metrics", `unix:${socketPath}`, "--passthrough", "off");
  await writeFile(place.path("f"), bytes(5000));
  await place.pailfs("flush", place.mountpoint);
  await expect(readFile(place.path("absent"))).rejects.toThrow("ENOENT");
  const text = await new Promise<string>((resolve, reject) => {
    get({ socketPath, path: "/metrics" }, (response) => {
      let text = "";
      response.on("data", (chunk) => (text += String(chunk)));
      response.on("end", () => resolve(text));
    }).on("error", reject);
  });
  expect(text).toContain('pailfs_fuse_operations_total{operation="create",errno="ok"} 1\n');
  expect(text).toMatch(/^pailfs_fuse_operations_total{operation="lookup",errno="ENOENT"} \d/m);
  expect(text).toContain("pailfs_fuse_written_bytes_total 5000\n");
  expect(text).toContain("pailfs_s3_sent_bytes_total 5000\n");
  expect(text).toContain('pailfs_s3_answers_total{verb="PUT",status="200"} 1\n');
  expect(text).toContain('pailfs_s3_requests_total{verb="PUT"} 1\n');
  expect(text).toContain("pailfs_queue_length 0\n");
  await place.umount();
  await expect(stat(socketPath)).rejects.toThrow("ENOENT");
});

test("a second SIGTERM leaves the queue to the next mount", async () => {
  const place = await Place.mounted();
  const pid = await place.daemonPid();
  await place.stopServer();
  const content = bytes(5000);
  await writeFile(place.path("d/f"), content);
  signal(pid, "SIGTERM");
  await waitUntil("it is unmounted", async () => !(await place.isMounted()));
  const { stdout } = await place.pailfs("status", "--json");
  expect(JSON.parse(stdout)).toMatchObject([{ phase: "draining", queue: { length: 1 } }]);
  signal(pid, "SIGTERM");
  await waitUntil("the daemon ends", () => !isAlive(pid));
  await place.startServer();
  expect(await place.bucket()).toEqual({});
  await place.mount();
  expect(md5(await readFile(place.path("d/f")))).toBe(md5(content));
  await place.umount();
  expect(await place.bucket()).toEqual({ "d/f": md5(content) });
});

test("umount shows what is left, and says so when the daemon is told to leave it to the next mount", async () => {
  const place = await Place.mounted();
  const pid = await place.daemonPid();
  await place.stopServer();
  const content = bytes(5000);
  await writeFile(place.path("d/f"), content);
  const umount = place.start("umount", place.mountpoint);
  await waitUntil("it is unmounted", async () => !(await place.isMounted()));
  const status = await place.pailfs("status");
  expect(status.stdout).toMatch(/queue +1 /);
  signal(pid, "SIGTERM");
  signal(pid, "SIGTERM");
  expect(await umount.ended).toEqual({
    code: 75,
    stdout: "",
    stderr: expect.stringMatching(
      /^pailfs: 1 changes are not in the bucket; they stay in the journal for the next mount\n$/,
    ) as string,
  });
  await waitUntil("the daemon ends", () => !isAlive(pid));
  await place.startServer();
  await place.mount();
  await place.umount();
  expect(await place.bucket()).toEqual({ "d/f": md5(content) });
});

test("umount --timeout stops waiting with 75, and the daemon goes on by itself", async () => {
  const place = await Place.mounted();
  const pid = await place.daemonPid();
  await place.stopServer();
  const content = bytes(5000);
  await writeFile(place.path("d/f"), content);
  const ended = await place.pailfs("umount", place.mountpoint, "--timeout", "1s");
  expect(ended).toMatchObject({ code: 75, stdout: "" });
  expect(ended.stderr).toMatch(/^pailfs: Not done in time \(uploading, 1 left [^\n]*\n$/);
  const again = await place.pailfs(...place.mountArguments());
  expect(again).toMatchObject({ code: 75, stderr: expect.stringContaining("still uploading") });
  await place.startServer();
  await waitUntil("the daemon ends", () => !isAlive(pid), 30_000);
  expect(await place.bucket()).toEqual({ "d/f": md5(content) });
});

test("status, flush and refresh", async () => {
  const place = await Place.make();
  await place.mount();
  const text = await place.pailfs("status", place.mountpoint);
  expect(text).toMatchObject({ code: 0, stderr: "" });
  // a mount that nobody used has asked whether the bucket is there, and nothing else
  expect(text.stdout).toMatch(
    /^bucket on \S+\/mnt\n {2}queue +empty\n {2}cache .*\n {2}requests +LIST 1\n {2}daemon /,
  );
  await slowUploads(place);
  await writeFile(place.path("a"), "a");
  expect(await place.pailfs("flush", place.mountpoint, "a")).toMatchObject({ code: 0, stderr: "" });
  expect(await place.bucket()).toEqual({ a: md5("a") });
  await writeFile(place.path("b"), "b");
  expect(await place.pailfs("flush", place.mountpoint)).toMatchObject({ code: 0, stderr: "" });
  expect((await place.bucket())["b"]).toBe(md5("b"));
  // someone else's change, seen at once after a refresh
  await place.admin("settings", { latencyMs: 0 });
  await place.admin("delete", { prefix: "a" });
  expect(await place.pailfs("refresh", place.mountpoint)).toMatchObject({ code: 0, stderr: "" });
  await expect(stat(place.path("a"))).rejects.toMatchObject({ code: "ENOENT" });
  await place.umount();
});

test("commands on what is no mount, and on a mount whose daemon is dead", async () => {
  const place = await Place.make();
  const commands = ["status", "flush", "refresh"];
  for (const command of commands) {
    const ended = await place.pailfs(command, place.mountpoint);
    expect(ended).toEqual({
      code: 1,
      stdout: "",
      stderr: `pailfs: No pailfs is mounted on "${place.mountpoint}" (see: pailfs status)\n`,
    });
  }
  expect(await place.pailfs("status")).toEqual({
    code: 0,
    stdout: "Nothing is mounted.\n",
    stderr: "",
  });
  expect(await place.pailfs("status", "--json")).toEqual({ code: 0, stdout: "[]\n", stderr: "" });
  expect((await place.pailfs("umount", place.mountpoint)).code).toBe(1);
  expect((await place.pailfs("flush")).code).toBe(2);

  const pid = await place.mount();
  signal(pid, "SIGKILL");
  await waitUntil("the daemon is dead", () => !isAlive(pid));
  for (const command of commands) {
    const ended = await place.pailfs(command, place.mountpoint);
    expect(ended).toMatchObject({ code: 1, stdout: "" });
    expect(ended.stderr).toMatch(/^pailfs: No pailfs [^\n]*\n$/);
  }
  const umount = await place.pailfs("umount", place.mountpoint);
  // the watchdog may have been faster
  expect(umount.stderr).toMatch(
    /^pailfs: (removed the dead mount|Cannot unmount .*nothing is mounted)/,
  );
  await waitUntil("nothing is mounted", async () => !(await place.isMounted()));
});
