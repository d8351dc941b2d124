// The protocol as dockerd speaks it: POST over a unix socket, JSON or nothing in the body, no Host.
import { access, mkdir, stat, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { serveVolumes } from "../../../src/docker/volume-server.ts";
import { temporaryDirectory } from "../daemon/temporary-directory.ts";
import { FakeHost } from "./fake-host.ts";

async function listening() {
  const folder = await temporaryDirectory();
  const host = new FakeHost(folder);
  const { volumes, close } = await host.open();
  const path = join(folder, "run/p.sock");
  const server = await serveVolumes(volumes, { path });
  onTestFinished(async () => {
    await close();
    await server.close();
  });
  const call = async (url: string, body: unknown = ""): Promise<[number, unknown]> => {
    const text = typeof body === "string" ? body : JSON.stringify(body);
    return new Promise((resolve, reject) => {
      const headers = { Host: "", Accept: "application/vnd.docker.plugins.v1.2+json" };
      const outgoing = request({
        socketPath: path,
        path: url,
        method: "POST",
        headers,
        agent: false,
      });
      outgoing.on("error", reject);
      outgoing.on("response", (response) => {
        let answer = "";
        response.setEncoding("utf8").on("data", (chunk: string) => (answer += chunk));
        response.on("end", () => resolve([response.statusCode ?? 0, JSON.parse(answer)]));
      });
      outgoing.end(text);
    });
  };
  return { call, host, path, server, volumes };
}

describe("the volume protocol", () => {
  test("each call has the answer that dockerd wants", async () => {
    const { call, host } = await listening();
    expect(await call("/Plugin.Activate")).toEqual([
      200,
      { Implements: ["VolumeDriver"], Err: "" },
    ]);
    expect(await call("/VolumeDriver.Capabilities", {})).toEqual([
      200,
      { Capabilities: { Scope: "local" }, Err: "" },
    ]);
    expect(await call("/VolumeDriver.Get", { Name: "v" })).toEqual([
      500,
      { Err: 'No volume "v" is known to pailfs' },
    ]);
    expect(await call("/VolumeDriver.List", {})).toEqual([200, { Volumes: [], Err: "" }]);
    const create = { Name: "v", Opts: { bucket: "b" } };
    expect(await call("/VolumeDriver.Create", create)).toEqual([200, { Err: "" }]);
    expect(await call("/VolumeDriver.Path", { Name: "v" })).toEqual([
      200,
      { Mountpoint: "", Err: "" },
    ]);
    const Mountpoint = host.mountpointOf("v");
    expect(await call("/VolumeDriver.Mount", { Name: "v", ID: "1" })).toEqual([
      200,
      { Mountpoint, Err: "" },
    ]);
    expect(await call("/VolumeDriver.Path", { Name: "v" })).toEqual([200, { Mountpoint, Err: "" }]);
    const shown = { Name: "v", Mountpoint, CreatedAt: expect.stringMatching(/^\d{4}-.*Z$/) };
    expect(await call("/VolumeDriver.List")).toEqual([200, { Volumes: [shown], Err: "" }]);
    expect(await call("/VolumeDriver.Get", { Name: "v" })).toMatchObject([
      200,
      { Volume: { ...shown, Status: { source: "b", users: 1, filesToUpload: 0 } } },
    ]);
    expect(await call("/VolumeDriver.Unmount", { Name: "v", ID: "1" })).toEqual([200, { Err: "" }]);
    expect(await call("/VolumeDriver.Remove", { Name: "v" })).toEqual([200, { Err: "" }]);
    expect(await call("/VolumeDriver.List", {})).toEqual([200, { Volumes: [], Err: "" }]);
  });

  test.each<[string, unknown, number, string]>([
    ["/VolumeDriver.Create", "{", 500, "want a JSON object"],
    ["/VolumeDriver.Create", "[]", 500, "want a JSON object"],
    ["/VolumeDriver.Create", { Opts: {} }, 500, "Name is missing"],
    ["/VolumeDriver.Create", { Name: "v", Opts: { bucket: 7 } }, 500, "bucket is no text"],
    ["/VolumeDriver.Create", { Name: "v", Opts: null }, 500, "no bucket given"],
    ["/VolumeDriver.Mount", { Name: "v" }, 500, "ID is missing"],
    ["/VolumeDriver.Mount", { Name: "v", ID: "1" }, 500, 'No volume "v"'],
    ["/NetworkDriver.GetCapabilities", {}, 404, "plugin for volumes"],
    ["/VolumeDriver.Get", `"${"x".repeat(2 ** 20)}"`, 500, "too long"],
  ])("%s is answered in one line: %#", async (url, body, status, reason) => {
    const { call } = await listening();
    const [code, answer] = await call(url, body);
    expect([code, answer]).toEqual([status, { Err: expect.stringContaining(reason) }]);
    expect((answer as { Err: string }).Err).not.toContain("\n");
  });

  test("calls for many volumes are answered side by side, and for one in turn", async () => {
    const { call, host } = await listening();
    const names = Array.from({ length: 20 }, (_, index) => `v${index}`);
    await Promise.all(
      names.map((Name) =>
        call("/VolumeDriver.Create", { Name, Opts: { bucket: "b", prefix: Name } }),
      ),
    );
    const ids = ["a", "b", "c"];
    await Promise.all(
      names.flatMap((Name) => ids.map((ID) => call("/VolumeDriver.Mount", { Name, ID }))),
    );
    for (const name of names) expect(host.daemonOf(name).calls).toEqual(["mount"]);
  });
});

describe("the socket", () => {
  test("is its owner's, replaces a dead one, and goes with the server", async () => {
    const { path, server } = await listening();
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    await server.close();
    await expect(access(path)).rejects.toThrow("ENOENT");
  });

  test("of another plugin is left alone", async () => {
    const { path, volumes } = await listening();
    await expect(serveVolumes(volumes, { path })).rejects.toThrow("another plugin does");
  });

  test("that nobody listens at is replaced", async () => {
    const folder = await temporaryDirectory();
    const path = join(folder, "dead.sock");
    const dead = createServer();
    await new Promise<void>((resolve) => dead.listen(path, resolve));
    await mkdir(join(folder, "copy"));
    // a process that was killed leaves a file; here one that is no socket stands for it
    await new Promise((resolve) => dead.close(resolve));
    await writeFile(path, "");
    const { volumes, close } = await new FakeHost(folder).open();
    onTestFinished(close);
    const server = await serveVolumes(volumes, { path });
    expect((await stat(path)).isSocket()).toBe(true);
    await server.close();
  });
});
