// The loopback server as a process of its own, over a directory that survives its restart.
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { dir } from "tmp-promise";
import { afterAll, beforeAll, expect, test } from "vitest";
import { bufferUploadSource } from "../../src/s3/file-upload-source.ts";
import type { S3Verb } from "../../src/s3/object-store.ts";
import { S3ObjectStore } from "../../src/s3/s3-object-store.ts";
import { testLogin } from "../support/loopback-s3/loopback-s3.ts";
import type { LoopbackVerb } from "../support/loopback-s3/verbs.ts";
import { asKey, bytesOf, rampBytes } from "../support/s3-store.ts";

const root = new URL("../..", import.meta.url).pathname;
let build: { path: string; cleanup: () => Promise<void> };
let data: { path: string; cleanup: () => Promise<void> };

beforeAll(async () => {
  build = await dir({ unsafeCleanup: true });
  data = await dir({ unsafeCleanup: true });
  const project = ["-p", "test/support/tsconfig.json", "--outDir", build.path];
  await promisify(execFile)(`${root}node_modules/.bin/tsc`, project, { cwd: root });
  await promisify(execFile)("sh", ["-c", `echo '{"type":"module"}' > ${build.path}/package.json`]);
}, 60_000);

afterAll(async () => {
  await build.cleanup();
  await data.cleanup();
});

async function start(): Promise<{ child: ChildProcess; endpoint: string }> {
  const main = `${build.path}/loopback-s3/main.js`;
  const args = [main, "--bucket", "b", "--dir", data.path];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  const [line] = (await once(createInterface(child.stdout), "line")) as [string];
  return { child, endpoint: line.replace("listening ", "") };
}

async function stop(child: ChildProcess): Promise<void> {
  child.kill("SIGTERM");
  await once(child, "exit");
}

test("objects survive a restart, controls work over HTTP", { timeout: 30_000 }, async () => {
  const bytes = rampBytes(300_000);
  const first = await start();
  const config = { bucket: "b", credentials: async () => testLogin };
  const store = new S3ObjectStore({ ...config, endpoint: first.endpoint });
  await store.putObject(asKey("a/b"), bufferUploadSource(bytes));
  await store.putObject(asKey("gone"), bufferUploadSource(bytes));
  await store.deleteObject(asKey("gone"));
  const counts = await (await fetch(`${first.endpoint}/_admin/counts`)).json();
  expect(counts).toMatchObject({ PUT: 2, DELETE: 1, total: 3 });
  const parts = bufferUploadSource(rampBytes(5 * 2 ** 20 + 10));
  const { uploadId } = await store.createMultipartUpload(asKey("parts"));
  const ranges = [
    { start: 0, end: 5 * 2 ** 20 },
    { start: 5 * 2 ** 20, end: parts.size },
  ];
  const uploaded = await Promise.all(
    ranges.map((range, i) => store.uploadPart(asKey("parts"), uploadId, i + 1, parts, range)),
  );
  await store.completeMultipartUpload(asKey("parts"), uploadId, uploaded);
  await store.close();
  await stop(first.child);

  const second = await start();
  const again = new S3ObjectStore({ ...config, endpoint: second.endpoint });
  const fault = { effect: { kind: "status", status: 503 }, verbs: ["GET"], times: 1 };
  await fetch(`${second.endpoint}/_admin/fault`, { method: "POST", body: JSON.stringify(fault) });
  expect(bytes.equals(await bytesOf(await again.getObject(asKey("a/b"))))).toBe(true);
  expect(again.requests.GET).toBe(2);
  const whole = await bytesOf(await again.getObject(asKey("parts")));
  expect(rampBytes(5 * 2 ** 20 + 10).equals(whole)).toBe(true);
  expect(await again.headObject(asKey("gone"))).toBeUndefined();
  await again.close();
  await stop(second.child);
});

test("the server's verbs are those of ObjectStore", () => {
  const verb: S3Verb = "LIST";
  const same: LoopbackVerb = verb;
  expect(same).toBe("LIST");
});
