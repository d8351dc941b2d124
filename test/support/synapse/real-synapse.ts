// A real Synapse, as scripts/synapse-smoke installs it, and the few requests that tests make to it.
import { execFile } from "node:child_process";
import { createHmac } from "node:crypto";
import { dirname, join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
const top = new URL("../../../", import.meta.url).pathname;
const secret = "registration secret of a test";

/** The folder of Python packages with Synapse, installed when it is missing; for the Python of Debian bookworm. */
export async function synapsePackages(): Promise<string> {
  const code =
    "import sys; sys.path.insert(0, 'scripts'); from synapse.environment import ensure_synapse; " +
    "print(ensure_synapse(sys.executable, lambda text: None))";
  const { stdout } = await run("python3", ["-B", "-c", code], { cwd: top, timeout: 300_000 });
  return join(dirname(dirname(stdout.trim())), "lib/python3.11/site-packages");
}

/** homeserver.yaml for a Synapse with everything but its media in `folder`; JSON is YAML too. */
export function homeserverConfig(port: number, folder: string, media: string): string {
  const listener = {
    port,
    type: "http",
    bind_addresses: ["127.0.0.1"],
    resources: [{ names: ["client"] }],
  };
  return JSON.stringify({
    server_name: "synapse.test",
    listeners: [listener],
    database: { name: "sqlite3", args: { database: `${folder}/homeserver.db` } },
    media_store_path: media,
    registration_shared_secret: secret,
    macaroon_secret_key: "macaroon",
    form_secret: "form",
    signing_key_path: `${folder}/signing.key`,
    trusted_key_servers: [],
    report_stats: false,
  });
}

/** Talks to a Synapse on this host's loopback. */
export class SynapseClient {
  readonly #base: string;

  constructor(port: number) {
    this.#base = `http://127.0.0.1:${port}`;
  }

  async answers(): Promise<boolean> {
    return fetch(`${this.#base}/_matrix/client/versions`).then(
      ({ ok }) => ok,
      () => false,
    );
  }

  /** Makes an administrator; resolves to an access token. */
  async register(): Promise<string> {
    const url = `${this.#base}/_synapse/admin/v1/register`;
    const { nonce } = (await (await fetch(url)).json()) as { nonce: string };
    const signed = [nonce, "admin", "password", "admin"].join("\0");
    const mac = createHmac("sha1", secret).update(signed).digest("hex");
    const body = { nonce, username: "admin", password: "password", admin: true, mac };
    const answer = await fetch(url, { method: "POST", body: JSON.stringify(body) });
    return ((await answer.json()) as { access_token: string }).access_token;
  }

  /** Uploads a file; resolves to its mxc URI. */
  async upload(token: string, content: Buffer): Promise<string> {
    const url = `${this.#base}/_matrix/media/v3/upload?filename=a.bin`;
    const headers = {
      Authorization: `Bearer ${token}`,
      "Content-Type": "application/octet-stream",
    };
    const answer = await fetch(url, { method: "POST", headers, body: new Uint8Array(content) });
    if (!answer.ok) throw new Error(`upload: ${answer.status} ${await answer.text()}`);
    return ((await answer.json()) as { content_uri: string }).content_uri;
  }

  async download(token: string, uri: string): Promise<Buffer> {
    const url = `${this.#base}/_matrix/client/v1/media/download/${uri.replace("mxc://", "")}`;
    const answer = await fetch(url, { headers: { Authorization: `Bearer ${token}` } });
    if (!answer.ok) throw new Error(`download: ${answer.status} ${await answer.text()}`);
    return Buffer.from(await answer.arrayBuffer());
  }
}
