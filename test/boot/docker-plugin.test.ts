// The plugin's units on a Debian that boots: the socket is systemd's, mounts outlive the plugin, and what waited at
// poweroff is uploaded by the next boot. No dockerd: it cannot run containers here, and test/docker has one.
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { BucketServer, keysFile, md5 } from "../support/boot/bucket-server.ts";
import { Machine } from "../support/boot/machine.ts";
import { waitUntil } from "../support/mount/wait-until.ts";

const unit = "docker-volume-pailfs.service";
const mountpoint = "/var/lib/pailfs-volumes/mounts/media";

// what dockerd sends, without dockerd
const caller = `
const [path, body] = process.argv.slice(2);
const socketPath = "/run/docker/plugins/pailfs.sock";
const outgoing = require("node:http").request({ socketPath, path: "/" + path, method: "POST" });
outgoing.on("response", (answer) => answer.pipe(process.stdout));
outgoing.end(body);
`;

let machine: Machine;
let server: BucketServer;

beforeAll(async () => {
  machine = await Machine.make("trixie");
  await mkdir(join(machine.folder, "bucket"));
  server = await BucketServer.start(join(machine.folder, "bucket"));
  await machine.write("etc/pailfs/keys", keysFile, 0o600);
  const defaults = "credentials_file: /etc/pailfs/keys\nmin_free: 0\n";
  await machine.write("etc/pailfs/docker.yaml", `endpoint: ${server.endpoint}\n${defaults}`);
  await machine.write("usr/local/bin/call.cjs", caller);
  await machine.boot();
  await machine.must("node /opt/pailfs/bin/pailfs.js install-helpers --docker");
  await machine.must(`systemctl daemon-reload; systemctl enable ${unit}`);
  await machine.poweroff();
}, 300_000);

afterAll(async () => {
  await machine?.remove();
  await server?.stop();
}, 60_000);

async function call(path: string, body: object): Promise<Record<string, unknown>> {
  const text = await machine.must(`node /usr/local/bin/call.cjs ${path} '${JSON.stringify(body)}'`);
  return JSON.parse(text) as Record<string, unknown>;
}

async function uploaded(key: string, text: string): Promise<void> {
  await waitUntil(
    `${key} is in the bucket`,
    async () => (await server.objects())[key] === md5(text),
    60_000,
  );
}

test("volumes are there from boot on, and a restart of the plugin touches no mount", async () => {
  await machine.boot();
  expect(await machine.property(unit, "ActiveState")).toBe("active");
  const create = { Name: "media", Opts: { bucket: "bucket", prefix: "media/" } };
  expect(await call("VolumeDriver.Create", create)).toEqual({ Err: "" });
  const answer = { Mountpoint: mountpoint, Err: "" };
  expect(await call("VolumeDriver.Mount", { Name: "media", ID: "1" })).toEqual(answer);
  await machine.must(`mkdir ${mountpoint}/d; echo one >${mountpoint}/d/one`);
  await uploaded("media/d/one", "one\n");
  const plugin = await machine.property(unit, "MainPID");
  await machine.must(`exec 9>>${mountpoint}/d/open; systemctl restart ${unit}; echo on >&9`);
  expect(await machine.property(unit, "MainPID")).not.toBe(plugin);
  expect(await call("VolumeDriver.Get", { Name: "media" })).toMatchObject({
    Volume: { Mountpoint: mountpoint, Status: { users: 1, state: "mounted" } },
  });
  // a call that comes while it is dead waits in systemd's socket
  await machine.must(`kill -9 $(systemctl show -p MainPID --value ${unit})`);
  expect(await call("VolumeDriver.Path", { Name: "media" })).toEqual(answer);
  expect(await machine.must(`cat ${mountpoint}/d/open`)).toBe("on");
}, 120_000);

test("what waited at poweroff is uploaded by the next boot, though nobody uses the volume", async () => {
  await server.stop();
  await machine.must(`echo late >${mountpoint}/d/late`);
  await machine.poweroff();
  await server.start();
  await machine.boot();
  await uploaded("media/d/late", "late\n");
  expect(await call("VolumeDriver.Get", { Name: "media" })).toMatchObject({
    Volume: { Status: { users: 0 } },
  });
}, 200_000);

test("systemd finds nothing wrong with the units", async () => {
  const verified = await machine.run(
    `systemd-analyze verify --man=no /etc/systemd/system/${unit} /etc/systemd/system/docker-volume-pailfs.socket`,
  );
  expect(verified).toEqual({ code: 0, stdout: "", stderr: "" });
});
