import { mkdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { DaemonProcess } from "../../../src/docker/volume-daemon.ts";
import { temporaryDirectory } from "../daemon/temporary-directory.ts";

async function daemonWith(script: string) {
  const folder = await temporaryDirectory();
  const daemon = new DaemonProcess(join(folder, "mounts/v"), {
    command: ["/bin/sh", "-c", script],
    variables: process.env,
    runtimeDirectories: [join(folder, "run")],
  });
  return { folder, daemon };
}

test("why a mount failed is told in the words of pailfs", async () => {
  const { daemon } = await daemonWith(
    "echo 'pailfs: a notice' >&2; echo 'pailfs: Cannot mount \"b\": no keys' >&2; exit 77",
  );
  await expect(daemon.mount([])).rejects.toThrow(/^Cannot mount "b": no keys$/);
  // whoever comes here without the mount writes nothing
  expect((await stat(daemon.mountpoint)).mode & 0o777).toBe(0);
  await daemon.removeDirectory();
  await expect(stat(daemon.mountpoint)).rejects.toThrow("ENOENT");
});

test("a command that says it has mounted and has not is not believed", async () => {
  const { daemon } = await daemonWith("exit 0");
  await expect(daemon.mount([])).rejects.toThrow("not to be seen");
  expect([await daemon.isListed(), await daemon.isMounted()]).toEqual([false, false]);
});

test("a record that has outlived its daemon counts for nothing", async () => {
  const { folder, daemon } = await daemonWith("exit 0");
  await mkdir(join(folder, "run"));
  const { mountpoint } = daemon;
  // a process that is there, as a daemon that nobody has reaped
  const record = { mountpoint, source: "b", pid: process.pid, socketPath: join(folder, "no.sock") };
  await writeFile(join(folder, "run/x.json"), JSON.stringify({ ...record, startedMs: 1 }));
  expect(await daemon.status()).toBeUndefined();
  await daemon.flush(1000, 1000);
  expect(await daemon.unmount(true, AbortSignal.timeout(5000))).toBe(Number.POSITIVE_INFINITY);
});
