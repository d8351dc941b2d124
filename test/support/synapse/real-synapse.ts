// A real Synapse, as scripts/synapse-smoke installs it, and the few requests that tests of machines and containers make.
import { execFile } from "node:child_process";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { baseConfig, registrationSecret } from "./homeserver-config.ts";
import { MatrixUser, parseMxc, registerUser } from "./matrix-user.ts";

const run = promisify(execFile);
const top = new URL("../../../", import.meta.url).pathname;

let python: Promise<string> | undefined;

/** The python of an environment with Synapse, installed when it is missing. */
export async function synapsePython(): Promise<string> {
  const code =
    "import sys; sys.path.insert(0, 'scripts'); from synapse.environment import ensure_synapse; " +
    "print(ensure_synapse(sys.executable, lambda text: None))";
  python ??= run("python3", ["-B", "-c", code], { cwd: top, timeout: 300_000 }).then(({ stdout }) =>
    stdout.trim(),
  );
  return python;
}

/** The folder of Python packages with Synapse, installed when it is missing; for the Python of Debian bookworm. */
export async function synapsePackages(): Promise<string> {
  return join(dirname(dirname(await synapsePython())), "lib/python3.11/site-packages");
}

/** homeserver.yaml for a Synapse with everything but its media in `folder`; JSON is YAML too. */
export function homeserverConfig(port: number, folder: string, media: string): string {
  const listener = {
    port,
    type: "http",
    bind_addresses: ["127.0.0.1"],
    resources: [{ names: ["client"] }],
  };
  const base = baseConfig(folder, media);
  return JSON.stringify({ ...base, server_name: "synapse.test", listeners: [listener] });
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
    return (await registerUser(this.#base, registrationSecret, "admin", true)).token;
  }

  /** Uploads a file; resolves to its mxc URI. */
  async upload(token: string, content: Buffer): Promise<string> {
    const { server, id } = await new MatrixUser(this.#base, token).upload(content);
    return `mxc://${server}/${id}`;
  }

  async download(token: string, uri: string): Promise<Buffer> {
    return new MatrixUser(this.#base, token).download(parseMxc(uri));
  }
}
