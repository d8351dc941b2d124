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
/** The bar is 2 s for 10,000 files on an idle machine; a busy or slow one gets more, of CPU less so. */
const START_MS = 2000 * Math.max(6, (6 * FILES) / 10_000);
const START_CPU_MS = 4000 * Math.max(1, FILES / 10_000);
const MEMORY_BYTES = 200 * 2 ** 20;

const startMs = { down: 0, up: 0 };
const startCpuMs = { down: 0, up: 0 };
/** Bytes of the daemon that are no file's, and all that were resident at a time. */
const peak = { own: 0, all: 0 };
let held = 0;
afterAll(async () => {
  await recordDurability({
    event: `restart after kill -9 with ${FILES} pending files, S3 down; again, S3 up`,
    promise: "the queue is kept, and drained within 200 MiB",
    tried: 1,
    failed: 1 - held,
    note:
      `mounted and answering after ${startMs.down} ms with S3 down (${startCpuMs.down} ms of CPU), ${startMs.up} ms with S3 up ` +
      `(${startCpuMs.up} ms; bar for 10,000 files: 2000 ms), at most ${Math.round(peak.own / 2 ** 20)} MiB of its own, ` +
      `${Math.round(peak.all / 2 ** 20)} MiB with mapped files`,
  });
});

/** Writes many small files with eight threads. */
const writer = `
import os, sys, threading
root, count = sys.argv[1], int(sys.argv[2])
failed = []
def work(k):
    for i in range(k, count, 8):
        try:
            fd = os.open(f"{root}/d{i % 100}/f{i}", os.O_WRONLY | os.O_CREAT, 0o644)
            os.write(fd, b"%d" % i)
            os.close(fd)
        except OSError as error:
            failed.append(error)
            print(error, file=sys.stderr)
            return
for i in range(100):
    os.makedirs(f"{root}/d{i}", exist_ok=True)
threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
sys.exit(1 if failed else 0)
`;

async function write(root: string): Promise<void> {
  const child = spawn("python3", ["-c", writer, root, `${FILES}`], { stdio: "inherit" });
  const [code] = (await once(child, "exit")) as [number | null];
  if (code !== 0) throw new Error(`The writer ended with ${code}`);
}

/** Notes what the daemon has in memory now. */
async function sampleMemory(pid: number): Promise<void> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  const bytesOf = (field: string): number =>
    Number(new RegExp(`${field}:\\s+(\\d+) kB`).exec(status)?.[1] ?? 0) * 1024;
  peak.own = Math.max(peak.own, bytesOf("RssAnon"));
  peak.all = Math.max(peak.all, bytesOf("VmHWM"));
}

/** Ms that the daemon has used of the CPUs, in user and kernel mode. */
async function cpuMsOf(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/stat`, "utf8");
  // the name in parentheses may have spaces; ticks are 10 ms
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return 10 * (Number(fields[11]) + Number(fields[12]));
}

async function killDaemon(place: Place): Promise<void> {
  const pid = await place.daemonPid();
  signal(pid, "SIGKILL");
  await waitUntil("the daemon is dead", () => !isAlive(pid));
  await waitUntil("the dead mount is gone", async () => !(await place.isMounted()));
}

/** Mounts again, and notes the ms until a pending file is seen. */
async function restart(place: Place, s3: "down" | "up"): Promise<void> {
  const startedAt = Date.now();
  const again = await place.pailfs(...place.mountArguments("--s3-deadline=2s"));
  expect(again.code).toBe(0);
  const { size } = await stat(place.path("d/d7/f7"));
  startMs[s3] = Date.now() - startedAt;
  startCpuMs[s3] = await cpuMsOf(await place.daemonPid());
  expect(size).toBe(1);
  expect(startMs[s3]).toBeLessThan(START_MS);
  expect(startCpuMs[s3]).toBeLessThan(START_CPU_MS);
}

test(
  `${FILES} pending files: a restart answers soon, and all reach the bucket within 200 MiB`,
  async () => {
    // what is known of the directories must not expire while they are written to
    const place = await Place.mounted("--s3-deadline=2s", "--stat-cache-ttl=1h");
    await place.stopServer();
    await write(place.path("d"));
    await killDaemon(place);
    await restart(place, "down");
    expect((await place.status()).queue.length).toBe(FILES);

    await killDaemon(place);
    await place.startServer(true);
    await restart(place, "up");
    const restarted = await place.daemonPid();
    await waitUntil(
      "the queue is drained",
      async () => {
        await sampleMemory(restarted);
        return (await place.status()).queue.length === 0;
      },
      isFull ? 800_000 : 100_000,
    );
    expect(peak.own).toBeGreaterThan(0);
    expect(peak.own).toBeLessThan(MEMORY_BYTES);
    expect(Object.keys(await place.bucket())).toHaveLength(FILES);
    held = 1;
    await place.umount();
  },
  isFull ? 1_500_000 : 150_000,
);
