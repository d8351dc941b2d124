// What systemd is told of a life, with a mount that is none; real systemd is in test/boot.
import { expect, test } from "vitest";
import { DaemonLife } from "../../../src/daemon/daemon-life.ts";
import { reportLife } from "../../../src/daemon/service-manager.ts";
import { waitUntil } from "../../support/mount/wait-until.ts";
import { FakeMount } from "./fake-mount.ts";

const lookMs = 10;

function listen() {
  const told: Record<string, string>[] = [];
  const notify = async (assignments: Readonly<Record<string, string>>): Promise<void> =>
    void told.push({ ...assignments });
  const has = (name: string): boolean => told.some((assignments) => name in assignments);
  return { told, notify, has };
}

test("ready comes first, stopping and a longer limit while it drains, then no more", async () => {
  const mount = new FakeMount();
  mount.pending = 2;
  const life = new DaemonLife(mount);
  const { told, notify, has } = listen();
  await reportLife(life, "/", notify, undefined, lookMs);
  expect(told[0]).toEqual({
    READY: "1",
    STATUS: "mounted, 2 to upload (2000 bytes)",
    MAINPID: `${process.pid}`,
  });
  expect(has("STOPPING")).toBe(false);
  life.stop();
  await waitUntil("the limit is extended", () => has("EXTEND_TIMEOUT_USEC"));
  expect(has("STOPPING")).toBe(true);
  expect(told).toContainEqual({ STATUS: "uploading, 2 to upload (2000 bytes)" });
  mount.upload();
  await life.ended;
  expect(told.at(-1)).toEqual({ STOPPING: "1", STATUS: "stopped, 0 left in the journal" });
  const count = told.length;
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(told.length).toBe(count);
});

test("told to stop, a drain ends when S3 has failed for long; what it takes slowly is waited for", async () => {
  const mount = new FakeMount();
  mount.pending = 1;
  const life = new DaemonLife(mount, 40);
  life.stop();
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(life.phase).toBe("draining");
  let hasEnded = false;
  void life.ended.then(() => (hasEnded = true));
  expect(hasEnded).toBe(false);
  mount.failingSinceMs = Date.now();
  await life.ended;
  expect(life.left).toBe(1);
});

test("signs of life come while the mount answers", async () => {
  const life = new DaemonLife(new FakeMount());
  const { notify, has } = listen();
  await reportLife(life, "/", notify, 25, lookMs);
  await waitUntil("it gives a sign of life", () => has("WATCHDOG"));
  life.stop();
  await life.ended;
});

test("trouble with S3 is in the status", async () => {
  const mount = new FakeMount();
  mount.pending = 1;
  mount.lastError = "503 SlowDown";
  const life = new DaemonLife(mount);
  const { told, notify } = listen();
  await reportLife(life, "/", notify, undefined, lookMs);
  expect(told[0]?.["STATUS"]).toBe("mounted, 1 to upload (1000 bytes); 503 SlowDown");
  life.stop();
  life.stop();
  await life.ended;
});
