// A real Synapse in a container, with its media store on a volume of the plugin.
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { md5 } from "../support/boot/bucket-server.ts";
import { DockerHost } from "../support/docker/docker-host.ts";
import { waitUntil } from "../support/mount/wait-until.ts";
import {
  SynapseClient,
  homeserverConfig,
  synapsePackages,
} from "../support/synapse/real-synapse.ts";

// the container is in the host's network, where the S3 is
const port = 10_000 + (process.pid % 10_000);
const client = new SynapseClient(port);

let host: DockerHost;
let packages: string;

beforeAll(async () => {
  packages = await synapsePackages();
  host = await DockerHost.start();
  const folder = join(host.folder, "synapse");
  await mkdir(folder);
  await writeFile(join(folder, "homeserver.yaml"), homeserverConfig(port, "/synapse", "/media"));
  const options = ["-o", "bucket=bucket", "-o", "prefix=synapse/", "-o", "preset=synapse"];
  await host.must("volume", "create", "-d", host.driver, ...options, "media");
}, 400_000);

afterAll(async () => {
  await host?.stop();
}, 120_000);

// nothing is pulled: the container sees the host's Python
async function startSynapse(): Promise<void> {
  const shown = ["/usr", "/lib", "/lib64", "/bin", "/etc"].map(
    (place) => `-v=${place}:${place}:ro`,
  );
  const synapse = "python3 -m synapse.app.homeserver -c /synapse/homeserver.yaml";
  const words =
    "run -d --name synapse --network=host --stop-timeout=20 -v=media:/media:nocopy -w=/synapse " +
    `-v=${packages}:/packages:ro -v=${host.folder}/synapse:/synapse -e=PYTHONPATH=/packages ` +
    "-e=PYTHONDONTWRITEBYTECODE=1";
  const command = `${synapse} --generate-keys && exec ${synapse}`;
  await host.must(...words.split(" "), ...shown, "test:image", "sh", "-c", command);
  await waitUntil("Synapse answers", async () => client.answers(), 120_000).catch(
    async (error: unknown) => {
      const { stdout, stderr } = await host.run("logs", "--tail=20", "synapse");
      throw new Error(`${String(error)}: ${stdout}${stderr}`, { cause: error });
    },
  );
}

test("its uploads are in the bucket, and come back after the volume was removed and the cache lost", async () => {
  await startSynapse();
  const token = await client.register();
  const content = Buffer.from("a file that somebody sent");
  const uri = await client.upload(token, content);
  await waitUntil(
    "the upload is in the bucket",
    async () =>
      Object.entries(await host.s3.objects()).some(
        ([key, etag]) => key.startsWith("synapse/local_content/") && etag === md5(content),
      ),
    60_000,
  );
  await host.must("rm", "-f", "synapse");
  await host.must("volume", "rm", "media");
  await rm(join(host.folder, "cache"), { recursive: true });
  const options = ["-o", "bucket=bucket", "-o", "prefix=synapse/"];
  await host.must("volume", "create", "-d", host.driver, ...options, "media");
  await startSynapse();
  expect(await client.download(token, uri)).toEqual(content);
}, 400_000);
