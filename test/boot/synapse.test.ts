// A real Synapse started by its unit: after the mount, with its media in the bucket, and not without the mount. On
// bookworm, whose Python runs the Synapse that was installed for scripts/synapse-smoke.
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { BucketServer, keysFile, md5 } from "../support/boot/bucket-server.ts";
import { Machine } from "../support/boot/machine.ts";
import { waitUntil } from "../support/mount/wait-until.ts";
import {
  SynapseClient,
  homeserverConfig,
  synapsePackages,
} from "../support/synapse/real-synapse.ts";

const top = new URL("../../", import.meta.url).pathname;
const media = "/var/lib/matrix-synapse/media";
const service = "matrix-synapse.service";
// the loopback is the host's: one that nobody else of this machine uses
const port = 20_000 + (process.pid % 10_000);
const synapse = new SynapseClient(port);

let machine: Machine;
let server: BucketServer;

beforeAll(async () => {
  const packages = await synapsePackages();
  machine = await Machine.make("bookworm");
  machine.bind(packages, "/opt/synapse");
  await mkdir(join(machine.folder, "bucket"));
  server = await BucketServer.start(join(machine.folder, "bucket"));
  await machine.write("etc/pailfs/keys", keysFile, 0o600);
  await machine.write(
    "etc/pailfs/media.yaml",
    `source: bucket:synapse/\nmountpoint: ${media}\nendpoint: ${server.endpoint}\n` +
      "credentials_file: /etc/pailfs/keys\npreset: synapse\nuid: 991\ngid: 991\nmin_free: 0\n",
  );
  await machine.write(
    "etc/matrix-synapse/homeserver.yaml",
    homeserverConfig(port, "/var/lib/matrix-synapse", media),
  );
  await machine.write(`etc/systemd/system/${service}`, unit());
  const dropIn = "matrix-synapse.service.d/pailfs.conf";
  const text = await readFile(join(top, "scripts/systemd", dropIn), "utf8");
  await machine.write(`etc/systemd/system/${dropIn}`, text);
  await mkdir(join(machine.root, media), { recursive: true });
  await machine.boot();
  await machine.must("useradd --system --uid 991 synapse; chown 991:991 /var/lib/matrix-synapse");
  await machine.must(`systemctl enable pailfs@media.service ${service}`);
  await machine.poweroff();
}, 400_000);

afterAll(async () => {
  await machine?.remove();
  await server?.stop();
}, 60_000);

test("Synapse starts after the mount, and its uploads reach the bucket also over a poweroff", async () => {
  await machine.boot();
  await waitUntil("Synapse answers", async () => synapse.answers(), 60_000);
  // of the moments both units became active
  const [mounted = 0, started = 0] = await Promise.all(
    [`pailfs@media.service`, service].map(async (name) =>
      Number(await machine.property(name, "ActiveEnterTimestampMonotonic")),
    ),
  );
  expect(started).toBeGreaterThan(mounted);
  const content = Buffer.from("a file that somebody sent");
  await synapse.upload(await synapse.register(), content);
  await waitUntil(
    "the upload is in the bucket",
    async () => {
      const objects = Object.entries(await server.objects());
      return objects.some(
        ([key, etag]) => key.startsWith("synapse/local_content/") && etag === md5(content),
      );
    },
    20_000,
  );
  await machine.poweroff();
}, 150_000);

test("Synapse is not started when the mount failed, and nothing is written beside it", async () => {
  await machine.write("etc/pailfs/keys", "GK0000:1111\n", 0o600);
  expect(await machine.boot()).toBe("degraded");
  expect(await machine.property("pailfs@media.service", "Result")).toBe("exit-code");
  expect(await machine.property(service, "ActiveState")).toBe("inactive");
  expect(await synapse.answers()).toBe(false);
  expect(await machine.must(`ls -A ${media}`)).toBe("");
}, 90_000);

// as Debian's package has it, but for the place of Synapse
function unit(): string {
  const synapse =
    "/usr/bin/python3 -m synapse.app.homeserver -c /etc/matrix-synapse/homeserver.yaml";
  return `[Unit]
Description=Synapse Matrix homeserver
[Service]
Type=notify
User=synapse
Environment=PYTHONPATH=/opt/synapse PYTHONDONTWRITEBYTECODE=1
WorkingDirectory=/var/lib/matrix-synapse
ExecStartPre=${synapse} --generate-keys
ExecStart=${synapse}
Restart=always
RestartSec=3
[Install]
WantedBy=multi-user.target
`;
}
