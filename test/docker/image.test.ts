// The image, made of Debian's packages: goofys's place in the Ansible playbook, and the managed plugin.
import { execFile } from "node:child_process";
import { chmod, chown, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { keysFile, md5 } from "../support/boot/bucket-server.ts";
import { DockerHost } from "../support/docker/docker-host.ts";
import { waitUntil } from "../support/mount/wait-until.ts";

const exec = promisify(execFile);
const [accessKey = "", secretKey = ""] = keysFile.trim().split(":");

let host: DockerHost;

beforeAll(async () => {
  host = await DockerHost.start();
  await host.script("scripts/image", "--import", "pailfs:test");
}, 600_000);

afterAll(async () => {
  await host?.stop();
}, 120_000);

async function uploaded(key: string, text: string): Promise<void> {
  await waitUntil(
    `${key} is in the bucket`,
    async () => (await host.s3.objects())[key] === md5(text),
    60_000,
  );
}

test("the image takes goofys's place in the playbook: as its user, for the host and another container", async () => {
  // as /matrix/synapse/storage: a shared mount, with the media store below it
  const storage = join(host.folder, "storage");
  const store = join(storage, "media-store");
  await mkdir(store, { recursive: true });
  await chmod(host.folder, 0o755);
  await exec("mount", ["--bind", storage, storage]);
  await exec("mount", ["--make-rshared", storage]);
  await chown(store, 991, 991);
  const passwd = join(host.folder, "passwd");
  await writeFile(passwd, "root:x:0:0::/root:/bin/sh\nmatrix:x:991:991::/matrix:/bin/false\n");
  const keys = join(host.folder, "env-goofys");
  await writeFile(keys, `AWS_ACCESS_KEY=${accessKey}\nAWS_SECRET_KEY=${secretKey}\n`);

  const isMounted = async (): Promise<boolean> =>
    (await readFile("/proc/self/mounts", "utf8")).includes(`${store} fuse`);
  // the playbook's unit, but for the loopback's network
  const run = async (...more: string[]): Promise<void> => {
    const command =
      `goofys -f --endpoint ${host.s3.endpoint} --region eu-central-1 --stat-cache-ttl 60m0s ` +
      "--type-cache-ttl 60m0s --dir-mode 0700 --file-mode 0700 bucket /s3";
    const words =
      `run -d --rm --name matrix-goofys --user=991:991 --network=host --health-interval=1s ` +
      `--mount=type=bind,src=${passwd},dst=/etc/passwd,ro --env-file=${keys} --device=/dev/fuse ` +
      `--mount=type=bind,src=${store},dst=/s3,bind-propagation=shared --cap-add=mknod ` +
      "--cap-add=sys_admin --security-opt=apparmor=unconfined --entrypoint=/bin/sh pailfs:test -c";
    // --rm removes it some time after it has ended
    await gone();
    const [first = "", ...rest] = words.split(" ");
    await host.must(first, ...more, ...rest, command);
    await waitUntil("the host sees the mount", isMounted, 60_000).catch(async (error: unknown) => {
      throw new Error(`${String(error)}: ${(await host.run("logs", "matrix-goofys")).stderr}`);
    });
  };
  const gone = async (): Promise<void> =>
    waitUntil(
      "the container has ended",
      async () => (await host.must("ps", "-aq", "-f", "name=matrix-goofys")) === "",
      60_000,
    );
  const synapse = async (command: string): Promise<string> => {
    const words =
      "run --rm --user=991:991 --cap-drop=ALL --network=none --read-only " +
      `--mount=type=bind,src=${storage},dst=/store,bind-propagation=slave test:image sh -c`;
    return host.must(...words.split(" "), command);
  };

  await run();
  await synapse(
    "mkdir -p /store/media-store/local_content/AA; echo hi >/store/media-store/local_content/AA/f",
  );
  // acknowledged when it is in the bucket: the container has no volume for its state
  expect((await host.s3.objects())["local_content/AA/f"]).toBe(md5("hi\n"));
  const { stderr } = await host.run("logs", "matrix-goofys");
  expect(stderr).toContain("/var/lib/pailfs is inside the container");
  expect(stderr).toContain("--type-cache-ttl has no effect");
  await waitUntil(
    "the container is healthy",
    async () =>
      (await host.must("inspect", "-f", "{{.State.Health.Status}}", "matrix-goofys")) === "healthy",
    60_000,
  );
  // taken away from outside: it ends
  await exec("fusermount3", ["-u", store]);
  await gone();
  await run();
  expect(await synapse("cat /store/media-store/local_content/AA/f")).toBe("hi");
  // as the unit stops it: unmounted by itself, long before docker's 10 s
  const started = Date.now();
  await host.must("stop", "matrix-goofys");
  expect(Date.now() - started).toBeLessThan(9000);
  expect(await isMounted()).toBe(false);

  // with a volume for its state it acknowledges before S3 does; what a stop cannot upload goes on with the next start
  const state = join(host.folder, "goofys-state");
  await mkdir(state);
  await chown(state, 991, 991);
  const kept = `--mount=type=bind,src=${state},dst=/var/lib/pailfs`;
  await run(kept);
  await synapse("mkdir /store/media-store/d");
  await host.s3.stop();
  await synapse("echo late >/store/media-store/d/late");
  await host.must("stop", "matrix-goofys");
  expect(await isMounted()).toBe(false);
  await host.s3.start();
  await run(kept);
  await uploaded("d/late", "late\n");
  expect(await synapse("cat /store/media-store/d/late")).toBe("late");
  await host.must("stop", "matrix-goofys");
  await gone();
}, 300_000);

test("the managed plugin mounts, comes back after a restart of dockerd, and loses nothing when it is disabled", async () => {
  const made = join(host.folder, "plugin");
  await host.script("scripts/docker-plugin", made);
  const [data, etc] = [join(host.folder, "plugin-data"), join(host.folder, "plugin-etc")];
  await mkdir(data);
  await mkdir(etc);
  await writeFile(join(etc, "keys"), keysFile, { mode: 0o600 });
  await writeFile(
    join(etc, "docker.yaml"),
    `endpoint: ${host.s3.endpoint}\ncredentials_file: /etc/pailfs/keys\nmin_free: 0\n`,
  );
  const plugin = "pailfs:managed";
  await host.must("plugin", "create", plugin, made);
  await host.must("plugin", "set", plugin, `data.source=${data}`, `config.source=${etc}`);
  await host.must("plugin", "enable", plugin);
  const options = ["-o", "bucket=bucket", "-o", "prefix=managed/"];
  await host.must("volume", "create", "-d", plugin, ...options, "managed");
  await host.inContainer("managed", "echo one >/data/one");
  await uploaded("managed/one", "one\n");

  await host.startContainer("user", "managed", "--restart=always");
  expect((await host.run("plugin", "disable", plugin)).stderr).toContain("in use");
  await host.must("exec", "user", "sh", "-c", "mkdir /data/d");
  await host.s3.stop();
  await host.must("exec", "user", "sh", "-c", "echo late >/data/d/late");
  await host.stopDockerd();
  await host.startDockerd();
  await waitUntil(
    "the container is back, with what S3 has not seen",
    async () => (await host.run("exec", "user", "cat", "/data/d/late")).stdout === "late\n",
    90_000,
  );
  await host.must("rm", "-f", "user");
  // stopped while it waits for S3, and started again: the next one uploads
  await host.must("plugin", "disable", "-f", plugin);
  await host.s3.start();
  await host.must("plugin", "enable", plugin);
  await uploaded("managed/d/late", "late\n");
  expect(await host.inContainer("managed", "cat /data/one /data/d/late")).toBe("one\nlate");
  await host.must("volume", "rm", "managed");
  await host.must("plugin", "disable", plugin);
  await host.must("plugin", "rm", plugin);
}, 400_000);
