import { spawn } from "node:child_process";
import { closeSync, fstatSync, readFileSync, readlinkSync } from "node:fs";
import { once } from "node:events";
import { expect, onTestFinished, test } from "vitest";
import { loadSystemCalls, type SystemCalls } from "../../../src/posix/syscalls.ts";

async function calls(): Promise<SystemCalls> {
  const loaded = await loadSystemCalls();
  if (loaded === undefined) throw new Error("koffi is not installed");
  return loaded;
}

/** Runs Python with `socket` as its descriptor 3. */
async function python(code: string, socket: number): Promise<void> {
  const child = spawn("python3", ["-c", `import socket; s = socket.socket(fileno=3); ${code}`], {
    stdio: ["ignore", "inherit", "inherit", socket],
  });
  const [status] = (await once(child, "close")) as [number];
  expect(status).toBe(0);
}

function isCloseOnExec(fd: number): boolean {
  const flags = /^flags:\s+([0-7]+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, "utf8"))?.[1];
  return (Number.parseInt(flags ?? "0", 8) & 0o2000000) !== 0;
}

test("receiveDescriptor() takes what another process sent over the pair", async () => {
  const system = await calls();
  const [ours, theirs] = system.socketPair();
  onTestFinished(() => [ours, theirs].forEach((fd) => closeSync(fd)));
  expect([ours, theirs].map(isCloseOnExec)).toEqual([true, true]);
  expect(() => system.receiveDescriptor(ours)).toThrow(expect.objectContaining({ code: "EAGAIN" }));
  await python("s.send(b'x')", theirs);
  expect(() => system.receiveDescriptor(ours)).toThrow(expect.objectContaining({ code: "EBADF" }));
  await python("f = open('/dev/zero'); socket.send_fds(s, [b'x'], [f.fileno()])", theirs);
  const received = system.receiveDescriptor(ours);
  onTestFinished(() => closeSync(received));
  expect(readlinkSync(`/proc/self/fd/${received}`)).toBe("/dev/zero");
  expect(fstatSync(received).isCharacterDevice()).toBe(true);
  expect(isCloseOnExec(received)).toBe(true);
});
