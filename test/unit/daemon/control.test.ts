import { once } from "node:events";
import { type Server, connect, createServer } from "node:net";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { NoDaemonError, callDaemon } from "../../../src/daemon/control-client.ts";
import {
  type ControlHandler,
  type ControlServer,
  serveControl,
} from "../../../src/daemon/control-server.ts";
import type { ControlProgress } from "../../../src/daemon/control-protocol.ts";
import { FsError } from "../../../src/posix/errno.ts";
import { temporaryDirectory } from "./temporary-directory.ts";

async function serve(
  handlers: Record<string, ControlHandler>,
  directory?: string,
): Promise<{ path: string; server: Server; control: ControlServer }> {
  const path = join(directory ?? (await temporaryDirectory()), "s");
  const server = createServer();
  server.listen(path);
  await once(server, "listening");
  const control = serveControl(server, handlers);
  onTestFinished(async () => {
    await control.close(0);
    server.close();
  });
  return { path, server, control };
}

/** Sends raw text and resolves to the lines that come back until the connection ends. */
async function raw(path: string, text: string): Promise<string[]> {
  const socket = connect(path);
  let received = "";
  socket.on("data", (data) => {
    received += data.toString();
    if (received.split("\n").length > text.split("\n").length - 1) socket.end();
  });
  socket.on("error", () => undefined);
  socket.write(text);
  // not once(): it rejects on an error, and being cut off is one
  await new Promise((resolve) => {
    socket.on("close", resolve);
  });
  return received.split("\n").filter((line) => line !== "");
}

test("callDaemon() resolves to a verb's result", async () => {
  const { path } = await serve({ version: async () => ({ version: "1.2.3" }) });
  expect(await callDaemon(path, "version", {})).toEqual({ version: "1.2.3" });
});

test("callDaemon() hands over arguments and progress", async () => {
  const seen: unknown[] = [];
  const { path } = await serve({
    flush: async (given, progress) => {
      seen.push(given);
      progress({ phase: "serving", length: 2, bytes: 20 });
      progress({ phase: "serving", length: 1, bytes: 10, lastError: "503" });
    },
  });
  const shown: ControlProgress[] = [];
  await callDaemon(
    path,
    "flush",
    { path: "/a" },
    { onProgress: (progress) => shown.push(progress) },
  );
  expect(seen).toEqual([{ path: "/a" }]);
  expect(shown).toEqual([
    { phase: "serving", length: 2, bytes: 20 },
    { phase: "serving", length: 1, bytes: 10, lastError: "503" },
  ]);
});

test("callDaemon() rejects with the daemon's message and kind of failure", async () => {
  const { path } = await serve({
    umount: async () => {
      throw new FsError("EBUSY", 'Cannot unmount "/m": it is in use');
    },
  });
  await expect(callDaemon(path, "umount", { lazy: false, wait: true })).rejects.toMatchObject({
    kind: "temporary",
    message: 'Cannot unmount "/m": it is in use',
  });
});

test("callDaemon() rejects with NoDaemonError when nobody listens", async () => {
  const missing = join(await temporaryDirectory(), "s");
  await expect(callDaemon(missing, "version", {})).rejects.toBeInstanceOf(NoDaemonError);
  const deep = join(missing, "x".repeat(120), "s");
  await expect(callDaemon(deep, "version", {})).rejects.toBeInstanceOf(NoDaemonError);
});

test("callDaemon() reaches a socket whose path is too long for an address", async () => {
  const root = await temporaryDirectory();
  const { server } = await serve({ version: async () => ({ version: "deep" }) }, root);
  server.close();
  const deep = join(root, "d".repeat(120));
  await mkdir(deep);
  const link = createServer();
  const folder = await import("node:fs/promises").then(async ({ open }) => open(deep));
  onTestFinished(async () => folder.close());
  link.listen(`/proc/self/fd/${folder.fd}/s`);
  await once(link, "listening");
  onTestFinished(() => void link.close());
  const control = serveControl(link, { version: async () => ({ version: "deep" }) });
  onTestFinished(async () => control.close(0));
  expect(await callDaemon(join(deep, "s"), "version", {})).toEqual({ version: "deep" });
});

test("callDaemon() that is interrupted rejects at once and tells the daemon", async () => {
  let gone = false;
  const { path } = await serve({
    flush: async (_, progress, signal) => {
      progress({ phase: "serving", length: 1, bytes: 1 });
      await once(signal, "abort");
      gone = true;
    },
  });
  const interrupt = new AbortController();
  const call = callDaemon(
    path,
    "flush",
    { path: "/" },
    { signal: interrupt.signal, onProgress: () => interrupt.abort() },
  );
  await expect(call).rejects.toMatchObject({ kind: "interrupted" });
  await expect.poll(() => gone).toBe(true);
});

test("callDaemon() rejects when the daemon dies", async () => {
  const server = createServer((socket) => socket.destroy());
  const path = join(await temporaryDirectory(), "s");
  server.listen(path);
  await once(server, "listening");
  onTestFinished(() => void server.close());
  await expect(callDaemon(path, "version", {})).rejects.toThrow("the daemon went away");
});

describe("serveControl()", () => {
  const handlers = { version: async () => ({ version: "1" }) };

  test("answers several requests of one connection in order", async () => {
    const { path } = await serve(handlers);
    const line = '{"verb":"version"}\n';
    expect(await raw(path, line + line)).toEqual([
      '{"result":{"version":"1"}}',
      '{"result":{"version":"1"}}',
    ]);
  });

  test.each([
    ["nonsense\n", "want JSON"],
    ["[]\n", "want JSON"],
    ['{"verb":1}\n', "want JSON"],
    ['{"verb":"rm"}\n', "Cannot rm: this daemon does not know how"],
    ['{"verb":"constructor"}\n', "does not know how"],
  ])("refuses %j", async (text, message) => {
    const { path } = await serve(handlers);
    const [line = ""] = await raw(path, text);
    expect(JSON.parse(line)).toEqual({
      error: { kind: "usage", message: expect.stringContaining(message) },
    });
  });

  test("drops a peer that sends a line without end, and serves others", async () => {
    const { path } = await serve(handlers);
    expect(await raw(path, "x".repeat(200_000))).toEqual([]);
    expect(await callDaemon(path, "version", {})).toEqual({ version: "1" });
  });

  test("close() lets answers under way go out", async () => {
    let finish = (): void => undefined;
    const { path, control } = await serve({
      version: async () => {
        await new Promise<void>((resolve) => {
          finish = resolve;
        });
        return { version: "late" };
      },
    });
    const call = callDaemon(path, "version", {});
    await expect.poll(() => finish.name).not.toBe("finish");
    const closed = control.close(5000);
    finish();
    await closed;
    expect(await call).toEqual({ version: "late" });
  });
});
