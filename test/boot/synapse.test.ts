// A real Synapse started by its unit: after the mount, with its media in the bucket, and not without the mount. On
// bookworm, whose Python runs the Synapse that was installed for scripts/synapse-smoke.
import { execFile } from "node:child_process";
import { createHmac } from "node:crypto";
import { mkdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { BucketServer, keysFile, md5 } from "../support/boot/bucket-server.ts";
import { Machine } from "../support/boot/machine.ts";
import { waitUntil } from "../support/mount/wait-until.ts";

const run = promisify(execFile);
const top = new URL("../../", import.meta.url).pathname;
const media = "/var/lib/matrix-synapse/media";
const service = "matrix-synapse.service";
// the loopback is the host's: one that nobody else of this machine uses
const port = 20_000 + (process.pid % 10_000);
const secret = "registration secret of the boot test";

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
      "credentials_file: /etc/pailfs/keys\nallow_other: yes\nuid: 991\ngid: 991\nsharing: exclusive\nmin_free: 0\n",
  );
  await machine.write("etc/matrix-synapse/homeserver.yaml", JSON.stringify(homeserver()));
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
  await waitUntil("Synapse answers", answers, 60_000);
  // of the moments both units became active
  const [mounted = 0, started = 0] = await Promise.all(
    [`pailfs@media.service`, service].map(async (name) =>
      Number(await machine.property(name, "ActiveEnterTimestampMonotonic")),
    ),
  );
  expect(started).toBeGreaterThan(mounted);
  const content = Buffer.from("a file that somebody sent");
  await upload(await register(), content);
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
  expect(await answers()).toBe(false);
  expect(await machine.must(`ls -A ${media}`)).toBe("");
}, 90_000);

function homeserver(): object {
  const folder = "/var/lib/matrix-synapse";
  const listener = {
    port,
    type: "http",
    bind_addresses: ["127.0.0.1"],
    resources: [{ names: ["client"] }],
  };
  return {
    server_name: "boot.test",
    listeners: [listener],
    database: { name: "sqlite3", args: { database: `${folder}/homeserver.db` } },
    media_store_path: media,
    registration_shared_secret: secret,
    macaroon_secret_key: "macaroon",
    form_secret: "form",
    signing_key_path: `${folder}/signing.key`,
    trusted_key_servers: [],
    report_stats: false,
  };
}

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

async function synapsePackages(): Promise<string> {
  const code =
    "import sys; sys.path.insert(0, 'scripts'); from synapse.environment import ensure_synapse; " +
    "print(ensure_synapse(sys.executable, lambda text: None))";
  const { stdout } = await run("python3", ["-B", "-c", code], { cwd: top, timeout: 300_000 });
  const folder = join(dirname(dirname(stdout.trim())), "lib/python3.11/site-packages");
  return folder;
}

async function answers(): Promise<boolean> {
  return fetch(`http://127.0.0.1:${port}/_matrix/client/versions`).then(
    ({ ok }) => ok,
    () => false,
  );
}

async function register(): Promise<string> {
  const url = `http://127.0.0.1:${port}/_synapse/admin/v1/register`;
  const { nonce } = (await (await fetch(url)).json()) as { nonce: string };
  const signed = [nonce, "admin", "password", "admin"].join("\0");
  const mac = createHmac("sha1", secret).update(signed).digest("hex");
  const body = { nonce, username: "admin", password: "password", admin: true, mac };
  const answer = await fetch(url, { method: "POST", body: JSON.stringify(body) });
  return ((await answer.json()) as { access_token: string }).access_token;
}

async function upload(token: string, content: Buffer): Promise<void> {
  const url = `http://127.0.0.1:${port}/_matrix/media/v3/upload?filename=a.bin`;
  const headers = { Authorization: `Bearer ${token}`, "Content-Type": "application/octet-stream" };
  const answer = await fetch(url, { method: "POST", headers, body: new Uint8Array(content) });
  expect(answer.status).toBe(200);
}
