import { afterEach, beforeEach, expect, test } from "vitest";
import { firstWay, type Way } from "../../../src/fuse/first-way.ts";
import { setLogSink } from "../../../src/log.ts";
import { FsError } from "../../../src/posix/errno.ts";

const lines: string[] = [];

beforeEach(() => setLogSink((line) => lines.push(line), "journal"));
afterEach(() => {
  setLogSink((line) => process.stderr.write(line), "plain");
  lines.length = 0;
});

function failing(name: string, error: unknown): Way<string> {
  return { name, go: async () => Promise.reject(error as Error) };
}
const working: Way<string> = { name: "walking", go: async () => Promise.resolve("there") };

test("firstWay() goes on where a way fails, and tells why it did", async () => {
  const flying = failing("flying", new FsError("EPERM", "no wings"));
  expect(await firstWay([flying, working])).toEqual({ name: "walking", result: "there" });
  expect(lines).toEqual(["<4>no wings; trying walking\n"]);
});

test("firstWay() rejects with the only reason, or with all of them and the first errno", async () => {
  const flying = failing("flying", new FsError("EPERM", "no wings"));
  const swimming = failing("swimming", new Error("too far"));
  await expect(firstWay([flying])).rejects.toMatchObject({ code: "EPERM", message: "no wings" });
  await expect(firstWay([flying, swimming])).rejects.toMatchObject({
    code: "EPERM",
    message: "by flying: no wings; by swimming: Cannot mount by swimming: too far",
  });
});
