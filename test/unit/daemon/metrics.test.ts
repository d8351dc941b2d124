import { once } from "node:events";
import { stat, writeFile } from "node:fs/promises";
import { createServer, request } from "node:http";
import { type AddressInfo, createServer as createSocketServer } from "node:net";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { collectMetrics } from "../../../src/daemon/metrics/collect-metrics.ts";
import { rows } from "../../../src/daemon/metrics/metric-table.ts";
import { formatMetrics } from "../../../src/daemon/metrics/text-format.ts";
import { type RunningDaemon, startDaemon } from "../../../src/daemon/run-daemon.ts";
import type { DaemonStatus } from "../../../src/daemon/status.ts";
import type { ListenAddress } from "../../../src/options/listen-type.ts";
import { FakeMount, fakeParts, optionsBelow } from "./fake-mount.ts";
import { temporaryDirectory } from "./temporary-directory.ts";

const NOW = 1_000_000;

const status: DaemonStatus = {
  ...new FakeMount().status(),
  source: "media:a/",
  mountpoint: '/srv/a "b"\\c',
  bucket: "media",
  prefix: "a/",
  readOnly: false,
  pid: 4711,
  version: "1.2.3",
  startedMs: NOW - 60_000,
  phase: "serving",
  memoryBytes: 70_000_000,
};

/** Samples by name with labels. */
function samplesOf(text: string): Map<string, number> {
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(
    lines.map((line) => {
      const at = line.lastIndexOf(" ");
      return [line.slice(0, at), Number(line.slice(at + 1))];
    }),
  );
}

describe("metrics of a status", () => {
  const sampled = (given: DaemonStatus): Map<string, number> =>
    samplesOf(formatMetrics(collectMetrics(given, NOW)));

  test("have counters by operation, verb and how it ended", () => {
    const samples = sampled(status);
    expect(samples.get('pailfs_fuse_operations_total{operation="lookup",errno="ENOENT"}')).toBe(2);
    expect(samples.get('pailfs_fuse_operations_total{operation="lookup",errno="ok"}')).toBe(7);
    expect(samples.get('pailfs_s3_answers_total{verb="PUT",status="503"}')).toBe(1);
    expect(samples.get('pailfs_s3_requests_total{verb="PUT"}')).toBe(3);
    expect(samples.get("pailfs_s3_sent_bytes_total")).toBe(5);
    expect(samples.get("pailfs_start_time_seconds")).toBe(NOW / 1000 - 60);
  });

  test("have ages that are 0 while all is well", () => {
    const well = sampled(status);
    expect(well.get("pailfs_queue_oldest_seconds")).toBe(0);
    expect(well.get("pailfs_s3_failing_seconds")).toBe(0);
    expect(well.get("pailfs_s3_up")).toBe(1);
    const ill = sampled({
      ...status,
      failingSinceMs: NOW - 2000,
      queue: { ...status.queue, length: 4, bytes: 5, refused: 1, oldestMs: NOW - 30_500 },
    });
    expect(ill.get("pailfs_queue_oldest_seconds")).toBe(30.5);
    expect(ill.get("pailfs_s3_failing_seconds")).toBe(2);
    expect(ill.get("pailfs_s3_up")).toBe(0);
    expect(ill.get("pailfs_queue_length")).toBe(4);
  });

  test("tell of deletes that wait, and of a burst while there is one", () => {
    expect(sampled(status).get("pailfs_queue_delete_burst")).toBe(0);
    const delayed = { count: 7, bytes: 700, dueMs: NOW + 5000 };
    const burst = { count: 40, sinceMs: NOW - 2000, lastMs: NOW, first: ["a", "b"] };
    const samples = sampled({ ...status, queue: { ...status.queue, delayed, burst } });
    expect(samples.get("pailfs_queue_delayed_deletes")).toBe(7);
    expect(samples.get("pailfs_queue_delayed_delete_bytes")).toBe(700);
    expect(samples.get("pailfs_queue_delayed_due_timestamp_seconds")).toBe(NOW / 1000 + 5);
    expect(samples.get("pailfs_queue_delete_burst")).toBe(40);
  });

  test("escape labels", () => {
    const [info] = formatMetrics(collectMetrics(status, NOW)).match(/^pailfs_info.*$/m) ?? [];
    expect(info).toBe(
      'pailfs_info{version="1.2.3",bucket="media",prefix="a/",mountpoint="/srv/a \\"b\\"\\\\c",adapter="fake"} 1',
    );
  });

  test("include each number that has no row in the table, and none twice", () => {
    const queue = { ...status.queue, heldDeletes: 3, firstHeldMs: 5000 };
    const text = formatMetrics(collectMetrics({ ...status, queue }, NOW));
    expect(text).toContain("# HELP pailfs_queue_held_deletes queue.heldDeletes of pailfs status.");
    expect(samplesOf(text).get("pailfs_queue_held_deletes")).toBe(3);
    expect(samplesOf(text).get("pailfs_queue_first_held_timestamp_seconds")).toBe(5);
    expect(samplesOf(text).get("pailfs_read_only")).toBe(0);
    expect(text).not.toContain("4711");
    const families = [...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name);
    expect(new Set(families).size).toBe(families.length);
  });

  test("have names and units as Prometheus wants them", () => {
    for (const { name, type, help } of rows) {
      expect(name).toMatch(/^[a-z][a-z0-9_]*$/);
      expect(name.endsWith("_total"), name).toBe(type === "counter");
      expect(help).toMatch(/[.;]$/);
    }
  });
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

async function start(mount: FakeMount, metrics: ListenAddress): Promise<RunningDaemon> {
  const options = optionsBelow(await temporaryDirectory());
  const daemon = await startDaemon(
    { ...options, daemon: { ...options.daemon, metrics } },
    fakeParts(mount),
    { runtimeDirectories: [], version: "1" },
  );
  onTestFinished(async () => {
    daemon.stop();
    daemon.stop();
    await daemon.finished;
  });
  return daemon;
}

interface Answer {
  readonly code: number | undefined;
  readonly type: string | undefined;
  readonly text: string;
}

async function ask(where: object, path: string, method = "GET"): Promise<Answer> {
  return new Promise((resolve, reject) => {
    request({ ...where, path, method, agent: false }, (response) => {
      let text = "";
      response.on("data", (chunk) => (text += String(chunk)));
      response.on("end", () =>
        resolve({ code: response.statusCode, type: response.headers["content-type"], text }),
      );
    })
      .on("error", reject)
      .end();
  });
}

describe("a daemon with metrics", () => {
  test("answers Prometheus and health checks at a port of loopback", async () => {
    const mount = new FakeMount();
    const where = { host: "127.0.0.1", port: await freePort() };
    const daemon = await start(mount, where);
    mount.pending = 3;
    const metrics = await ask(where, "/metrics?x=1");
    expect(metrics).toMatchObject({ code: 200, type: "text/plain; version=0.0.4; charset=utf-8" });
    expect(samplesOf(metrics.text).get("pailfs_queue_length")).toBe(3);
    expect(await ask(where, "/metrics", "HEAD")).toMatchObject({ code: 200, text: "" });
    expect(await ask(where, "/metrics", "POST")).toMatchObject({ code: 405 });
    expect(await ask(where, "/other")).toMatchObject({ code: 404 });
    expect(await ask(where, "/healthz")).toMatchObject({ code: 200, text: "ok\n" });
    expect(await ask(where, "/readyz")).toMatchObject({ code: 200 });
    mount.failingSinceMs = Date.now();
    expect(await ask(where, "/healthz")).toMatchObject({ code: 200 });
    expect(await ask(where, "/readyz")).toMatchObject({ code: 503 });
    daemon.stop();
    await expect.poll(async () => (await ask(where, "/healthz")).code).toBe(503);
    expect(samplesOf((await ask(where, "/metrics")).text).get("pailfs_serving")).toBe(0);
    mount.upload();
    await daemon.finished;
    await expect(ask(where, "/healthz")).rejects.toThrow("ECONNREFUSED");
  });

  test("listens at a socket, and takes the place of a dead one", async () => {
    const socketPath = join(await temporaryDirectory(), "metrics.sock");
    const dead = spawnSync(process.execPath, [
      "-e",
      `require("net").createServer().listen(${JSON.stringify(socketPath)}, () => process.kill(process.pid, 9))`,
    ]);
    expect(dead.signal).toBe("SIGKILL");
    expect((await stat(socketPath)).isSocket()).toBe(true);
    await start(new FakeMount(), { path: socketPath });
    expect(await ask({ socketPath }, "/healthz")).toMatchObject({ code: 200 });
  });

  test("does not mount when the place is taken, and says which", async () => {
    const taken = createSocketServer().listen(0, "127.0.0.1");
    await once(taken, "listening");
    onTestFinished(() => void taken.close());
    const { port } = taken.address() as AddressInfo;
    const mount = new FakeMount();
    await expect(start(mount, { host: "127.0.0.1", port })).rejects.toMatchObject({
      kind: "configuration",
      message: expect.stringContaining(`Cannot serve metrics at "127.0.0.1:${port}"`),
    });
    const path = join(await temporaryDirectory(), "file");
    await writeFile(path, "not ours");
    await expect(start(mount, { path })).rejects.toMatchObject({ kind: "configuration" });
    expect((await stat(path)).size).toBe(8);
  });
});
