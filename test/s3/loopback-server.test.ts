// The loopback server itself, where pailfs does not ask what other tools do.
import { afterEach, beforeEach, expect, test } from "vitest";
import { LoopbackS3 } from "../support/loopback-s3/loopback-s3.ts";

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
