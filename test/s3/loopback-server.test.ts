// The loopback server itself, where pailfs does not ask what other tools do.
import { readdir, readlink } from "node:fs/promises";
import { get } from "node:http";
import { dir } from "tmp-promise";
import { afterEach, beforeEach, expect, test } from "vitest";
import { LoopbackS3 } from "../support/loopback-s3/loopback-s3.ts";
import { waitUntil } from "../support/mount/wait-until.ts";

let loopback: LoopbackS3;

beforeEach(async () => {
  loopback = await LoopbackS3.start({ strict: false });
});

afterEach(async () => {
  await loopback.close();
});

async function list(query: Record<string, string>): Promise<string> {
  const answer = await fetch(
    `${loopback.endpoint}/bucket?${new URLSearchParams(query).toString()}`,
  );
  return answer.text();
}

function all(text: string, name: string): string[] {
  return [...text.matchAll(new RegExp(`<${name}>([^<]*)</${name}>`, "g"))].map(
    ([, of]) => of ?? "",
  );
}

test("ListObjects goes on behind its marker", async () => {
  for (const key of ["a", "b/1", "b/2", "c", "d"]) loopback.putText(key, "x");
  const first = await list({ "max-keys": "2" });
  expect(all(first, "Key")).toEqual(["a", "b/1"]);
  expect(all(first, "IsTruncated")).toEqual(["true"]);
  // the last key is the marker, and S3 tells no other
  expect(first).not.toMatch(/NextMarker|ContinuationToken|KeyCount/);
  const second = await list({ "max-keys": "2", marker: "b/1" });
  expect(all(second, "Key")).toEqual(["b/2", "c"]);
  expect(all(second, "Marker")).toEqual(["b/1"]);
  const third = await list({ "max-keys": "2", marker: "c" });
  expect(all(third, "Key")).toEqual(["d"]);
  expect(all(third, "IsTruncated")).toEqual(["false"]);
});

test("ListObjects with a delimiter names the next marker", async () => {
  for (const key of ["a", "b/1", "b/2", "c"]) loopback.putText(key, "x");
  const first = await list({ "max-keys": "2", delimiter: "/" });
  expect(all(first, "Key")).toEqual(["a"]);
  expect(all(first, "NextMarker")).toEqual(["b/"]);
  const second = await list({ "max-keys": "2", delimiter: "/", marker: "b/" });
  expect(all(second, "Key")).toEqual(["c"]);
  expect(second).not.toContain("CommonPrefixes");
});

test("ListObjectsV2 takes no marker", async () => {
  for (const key of ["a", "b"]) loopback.putText(key, "x");
  const page = await list({ "list-type": "2", marker: "a" });
  expect(all(page, "Key")).toEqual(["a", "b"]);
  expect(all(page, "KeyCount")).toEqual(["2"]);
});

/** How many files below `path` this process has open. */
async function openBelow(path: string): Promise<number> {
  const fds = await readdir("/proc/self/fd");
  const links = fds.map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => ""));
  return (await Promise.all(links)).filter((link) => link.startsWith(path)).length;
}

test.each([0, 5_000_000])(
  "a reader that goes away leaves nothing open (bandwidth %s)",
  async (bandwidth) => {
    const folder = await dir({ unsafeCleanup: true });
    const server = await LoopbackS3.start({ strict: false, directory: folder.path });
    const url = `${server.endpoint}/bucket/large`;
    await fetch(url, { method: "PUT", body: Buffer.alloc(16 * 2 ** 20) });
    server.settings.bandwidth = bandwidth;
    await Promise.all(
      Array.from({ length: 12 }, async () => {
        await new Promise<void>((resolve) => {
          const request = get(url, (answer) =>
            answer.once("data", () => {
              request.destroy();
              resolve();
            }),
          );
          request.on("error", () => undefined);
        });
      }),
    );
    await waitUntil("all bodies are closed", async () => (await openBelow(folder.path)) === 0);
    await server.close();
    await folder.cleanup();
  },
);
