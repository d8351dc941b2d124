import { EventEmitter } from "node:events";
import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { callDaemon } from "../../../src/daemon/control-client.ts";
import { runDaemonProcess } from "../../../src/daemon/daemon-process.ts";
import { readMountRecords } from "../../../src/daemon/mount-record.ts";
import { type RunningDaemon, startDaemon } from "../../../src/daemon/run-daemon.ts";
import { FsError } from "../../../src/posix/errno.ts";
import { FakeMount, fakeParts, optionsBelow } from "./fake-mount.ts";
import { temporaryDirectory } from "./temporary-directory.ts";

async function start(mount: FakeMount): Promise<{
  daemon: RunningDaemon;
  parts: ReturnType<typeof fakeParts>;
  runtime: string;
  socket: string;
}> {
  const directory = await temporaryDirectory();
  const runtime = join(directory, "run");
  const parts = fakeParts(mount);
  const options = optionsBelow(directory);
  const daemon = await startDaemon(options, parts, { runtimeDirectories: [runtime], version: "1" });
  return { daemon, parts, runtime, socket: join(options.spool.stateDirectory, "control.sock") };
}

describe("startDaemon()", () => {
  test("leaves a record by which it is found, and takes it away", async () => {
    const mount = new FakeMount();
    const { daemon, runtime, socket, parts } = await start(mount);
    expect(await readMountRecords([runtime, "/nonexistent"])).toMatchObject([
      { source: "media:a/", pid: process.pid, socketPath: socket },
    ]);
    daemon.stop();
    await daemon.finished;
    expect(await readdir(runtime)).toEqual([]);
    expect(parts.released()).toBe(true);
    expect(mount.calls).toEqual(["unmount", "drain", "close"]);
  });

  test("answers status", async () => {
    const mount = new FakeMount();
    mount.pending = 2;
    const { daemon, socket } = await start(mount);
    expect(await callDaemon(socket, "status", {})).toMatchObject({
      source: "media:a/",
      bucket: "media",
      prefix: "a/",
      phase: "serving",
      version: "1",
      queue: { length: 2, bytes: 2000 },
      requests: { PUT: 3 },
    });
    mount.upload();
    daemon.stop();
    await daemon.finished;
  });

  test("in a locked state folder is refused as temporary", async () => {
    const directory = await temporaryDirectory();
    const parts = {
      ...fakeParts(new FakeMount()),
      acquireLock: async () => {
        throw new FsError("EBUSY", "locked");
      },
    };
    const started = startDaemon(optionsBelow(directory), parts, {
      runtimeDirectories: [],
      version: "1",
    });
    await expect(started).rejects.toMatchObject({
      kind: "temporary",
      message: expect.stringMatching(
        /^Cannot mount media:a\/: another pailfs uses .*still uploading/,
      ),
    });
  });

  test("that cannot mount releases the lock and says why", async () => {
    const directory = await temporaryDirectory();
    const parts = {
      ...fakeParts(new FakeMount()),
      mount: async () => {
        throw new FsError("ENXIO", 'No bucket "media"');
      },
    };
    const surroundings = { runtimeDirectories: [join(directory, "run")], version: "1" };
    await expect(startDaemon(optionsBelow(directory), parts, surroundings)).rejects.toMatchObject({
      kind: "configuration",
      message: 'No bucket "media"',
    });
    expect(parts.released()).toBe(true);
  });

  test.each([
    [{ status: 403, code: "InvalidAccessKeyId" }, "credentials"],
    [{ status: 301, code: "PermanentRedirect" }, "configuration"],
    [{ status: 503, code: "SlowDown" }, "unavailable"],
    [new Error("ECONNREFUSED"), "unavailable"],
  ])("that fails because of %j is a matter of %s", async (cause, kind) => {
    const mount = async (): Promise<never> => {
      throw new FsError("EIO", "Cannot use bucket", { cause });
    };
    const directory = await temporaryDirectory();
    const parts = { ...fakeParts(new FakeMount()), mount };
    const surroundings = { runtimeDirectories: [], version: "1" };
    await expect(startDaemon(optionsBelow(directory), parts, surroundings)).rejects.toMatchObject({
      kind,
    });
  });
});

describe("the control socket", () => {
  test("umount waits for the queue and shows progress", async () => {
    const mount = new FakeMount();
    mount.pending = 3;
    mount.lastError = "503 Slow Down";
    const { daemon, socket } = await start(mount);
    const seen: unknown[] = [];
    const result = await callDaemon(
      socket,
      "umount",
      { lazy: false, wait: true },
      {
        onProgress: (progress) => {
          seen.push(progress);
          mount.upload();
        },
      },
    );
    await daemon.finished;
    expect(result).toEqual({ left: 0 });
    expect(seen[0]).toEqual({
      phase: "draining",
      length: 3,
      bytes: 3000,
      lastError: "503 Slow Down",
    });
    expect(mount.calls).toEqual(["unmount", "drain", "close"]);
  });

  test("umount of a busy mount fails, and it is served on", async () => {
    const mount = new FakeMount();
    mount.users = 1;
    const { daemon, socket } = await start(mount);
    await expect(callDaemon(socket, "umount", { lazy: false, wait: true })).rejects.toMatchObject({
      kind: "temporary",
      message: expect.stringContaining("it is in use; end what uses it"),
    });
    expect(await callDaemon(socket, "status", {})).toMatchObject({ phase: "serving" });
    mount.leave();
    await callDaemon(socket, "umount", { lazy: false, wait: true });
    await daemon.finished;
  });

  // BUG: "the daemon went away", and exit code 1, after gigabytes had been read
  test("umount is answered when umount(8) goes on long after the connection's end", async () => {
    const mount = new FakeMount();
    mount.umountMs = 1500;
    const { daemon, socket } = await start(mount);
    expect(await callDaemon(socket, "umount", { lazy: false, wait: true })).toEqual({ left: 0 });
    await daemon.finished;
  });

  test("umount --lazy detaches a busy mount, which is served until its last user is gone", async () => {
    const mount = new FakeMount();
    mount.users = 1;
    mount.pending = 1;
    const { daemon, socket } = await start(mount);
    expect(await callDaemon(socket, "umount", { lazy: true, wait: false })).toEqual({ left: 1 });
    expect(await callDaemon(socket, "status", {})).toMatchObject({ phase: "unmounting" });
    mount.leave();
    mount.upload();
    await daemon.finished;
    expect(mount.calls).toEqual(["unmount lazily", "drain", "close"]);
  });

  test("flush and refresh take a path of the mount", async () => {
    const mount = new FakeMount();
    const { daemon, socket } = await start(mount);
    await callDaemon(socket, "flush", { path: "/a" });
    await callDaemon(socket, "refresh", { path: "/b" });
    await expect(callDaemon(socket, "flush", { path: "/missing" })).rejects.toThrow("no such file");
    await expect(callDaemon(socket, "flush", { path: "a" })).rejects.toThrow(
      "want an absolute path",
    );
    expect(mount.calls).toEqual(["flush /a", "refresh /b", "flush /missing"]);
    daemon.stop();
    await daemon.finished;
  });
});

describe("stopping", () => {
  test("by umount(8) from outside drains and ends", async () => {
    const mount = new FakeMount();
    const { daemon } = await start(mount);
    await mount.unmount({ lazy: false });
    await daemon.finished;
    expect(mount.calls).toEqual(["unmount", "drain", "close"]);
  });

  test("a busy mount detaches it and waits for its users", async () => {
    const mount = new FakeMount();
    mount.users = 1;
    const { daemon } = await start(mount);
    daemon.stop();
    await expect.poll(() => mount.calls).toEqual(["unmount", "unmount lazily"]);
    mount.leave();
    await daemon.finished;
  });

  test("twice leaves the queue to the next start", async () => {
    const mount = new FakeMount();
    mount.pending = 1;
    const { daemon } = await start(mount);
    daemon.stop();
    await expect.poll(() => mount.calls).toContain("drain");
    daemon.stop();
    await daemon.finished;
    expect(mount.calls).toEqual(["unmount", "drain", "close"]);
    expect(mount.pending).toBe(1);
  });

  test("twice leaves a mount that stays busy", async () => {
    const mount = new FakeMount();
    mount.users = 1;
    const { daemon } = await start(mount);
    daemon.stop();
    await expect.poll(() => mount.calls).toContain("unmount lazily");
    daemon.stop();
    await daemon.finished;
    expect(mount.calls).toEqual(["unmount", "unmount lazily", "close"]);
  });
});

describe("runDaemonProcess()", () => {
  async function run(mount: FakeMount): Promise<{
    source: EventEmitter;
    finished: Promise<void>;
    logFile: string;
  }> {
    const directory = await temporaryDirectory();
    const logFile = join(directory, "log");
    const source = new EventEmitter();
    const start = {
      options: optionsBelow(directory),
      logTo: { kind: "file", path: logFile } as const,
      runtimeDirectories: [join(directory, "run")],
      version: "1",
    };
    const { finished } = await runDaemonProcess(start, fakeParts(mount), source);
    return { source, finished, logFile };
  }

  test.each(["SIGTERM", "SIGINT"])(
    "ends on %s, with nothing listening any more",
    async (signal) => {
      const mount = new FakeMount();
      const { source, finished, logFile } = await run(mount);
      source.emit(signal);
      await finished;
      expect(source.eventNames()).toEqual([]);
      const text = await readFile(logFile, "utf8");
      expect(text).toMatch(/info mounted media:a\/ on .*\n.* info stopped, 0 in the queue\n$/);
    },
  );

  test("refreshes and reopens its log on SIGHUP, changes the log level on SIGUSR2, leaves SIGUSR1 alone", async () => {
    const mount = new FakeMount();
    const { source, finished, logFile } = await run(mount);
    const { rename } = await import("node:fs/promises");
    await rename(logFile, `${logFile}.1`);
    source.emit("SIGHUP");
    expect(mount.calls).toEqual(["refresh /"]);
    source.emit("SIGUSR2");
    expect(source.listenerCount("SIGUSR1")).toBe(0);
    source.emit("SIGTERM");
    await finished;
    expect(await readFile(logFile, "utf8")).toContain("log level is now debug");
  });

  test("logs a rejection nobody handled, and goes on", async () => {
    const mount = new FakeMount();
    const { source, finished, logFile } = await run(mount);
    source.emit("unhandledRejection", new Error("oops"));
    expect(mount.calls).toEqual([]);
    source.emit("uncaughtException", new Error("worse"));
    await finished;
    expect(mount.calls).toEqual(["unmount", "drain", "close"]);
    const text = await readFile(logFile, "utf8");
    expect(text).toContain("unhandled rejection: Error: oops");
    expect(text).toContain("uncaught exception, stopping: Error: worse");
  });
});
