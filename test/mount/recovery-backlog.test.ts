// A long queue: the start does not wait for it, and neither it nor its way to the bucket takes memory.
import { spawn } from "node:child_process";
import { readFile, stat } from "node:fs/promises";
import { once } from "node:events";
import { afterAll, expect, test } from "vitest";
import { recordDurability } from "../support/durability-report.ts";
import { waitUntil } from "../support/mount/wait-until.ts";
import { isAlive, Place, signal } from "./daemon-fixture.ts";

const isFull = process.env["PAILFS_TEST_FULL"] === "1";
const FILES = Number(process.env["PAILFS_TEST_FILES"] ?? (isFull ? 100_000 : 2000));
/** The bar is 2 s for 10,000 files on an idle machine; a busy one gets more. */
const START_MS = 2000 * Math.max(3, (3 * FILES) / 10_000);
const MEMORY_BYTES = 200 * 2 ** 20;

const startMs = { down: 0, up: 0 };
let peak = 0;
let held = 0;
afterAll(async () => {
  await recordDurability({
    event: `restart after kill -9 with ${FILES} pending files, S3 down; again, S3 up`,
    promise: "the queue is kept, and drained within 200 MiB",
    tried: 1,
    failed: 1 - held,
    note:
      `mounted and answering after ${startMs.down} ms with S3 down, ${startMs.up} ms with S3 up ` +
      `(bar for 10,000 files: 2000 ms), at most ${Math.round(peak / 2 ** 20)} MiB`,
  });
});

/** Writes many small files with eight threads. */
const writer = `
import os, sys, threading
root, count = sys.argv[1], int(sys.argv[2])
def work(k):
    for i in range(k, count, 8):
        folder = f"{root}/d{i % 100}"
        fd = os.open(f"{folder}/f{i}", os.O_WRONLY | os.O_CREAT, 0o644)
        os.write(fd, b"%d" % i)
        os.close(fd)
for i in range(100):
    os.makedirs(f"{root}/d{i}", exist_ok=True)
threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
`;

async function write(root: string): Promise<void> {
  const child = spawn("python3", ["-c", writer, root, `${FILES}`], { stdio: "inherit" });
  const [code] = (await once(child, "exit")) as [number | null];
  if (code !== 0) throw new Error(`The writer ended with ${code}`);
}

async function memoryOf(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1] ?? 0) * 1024;
}

async function killDaemon(place: Place): Promise<void> {
  const pid = await place.daemonPid();
  signal(pid, "SIGKILL");
  await waitUntil("the daemon is dead", () => !isAlive(pid));
  await waitUntil("the dead mount is gone", async () => !(await place.isMounted()));
}

/** Mounts again; resolves to the ms until a pending file is seen. */
async function restart(place: Place): Promise<number> {
  const startedAt = Date.now();
  const again = await place.pailfs(...place.mountArguments("--s3-deadline=2s"));
  expect(again.code).toBe(0);
  const { size } = await stat(place.path("d/d7/f7"));
  const ms = Date.now() - startedAt;
  expect(size).toBe(1);
  expect(ms).toBeLessThan(START_MS);
  return ms;
}

test(
  `${FILES} pending files: a restart answers soon, and all reach the bucket within 200 MiB`,
  async () => {
    const place = await Place.mounted("--s3-deadline=2s");
    await place.stopServer();
    await write(place.path("d"));
    await killDaemon(place);
    startMs.down = await restart(place);
    expect((await place.status()).queue.length).toBe(FILES);

    await killDaemon(place);
    await place.startServer(true);
    startMs.up = await restart(place);
    const restarted = await place.daemonPid();
    await waitUntil(
      "the queue is drained",
      async () => (await place.status()).queue.length === 0,
      isFull ? 800_000 : 100_000,
    );
    peak = await memoryOf(restarted);
    expect(peak).toBeLessThan(MEMORY_BYTES);
    expect(Object.keys(await place.bucket())).toHaveLength(FILES);
    held = 1;
    await place.umount();
  },
  isFull ? 1_500_000 : 150_000,
);
