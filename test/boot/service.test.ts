// pailfs@.service on a Debian that boots: ready, alive, stopping, and what depends on it.
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { BucketServer, keysFile, md5 } from "../support/boot/bucket-server.ts";
import { suites } from "../support/boot/debian-root.ts";
import { Machine } from "../support/boot/machine.ts";
import { waitUntil } from "../support/mount/wait-until.ts";

const unit = "pailfs@media.service";

describe.each(suites)("pailfs@.service on %s", (suite) => {
  let machine: Machine;
  let server: BucketServer;
  let config: string;

  beforeAll(async () => {
    machine = await Machine.make(suite);
    await mkdir(join(machine.folder, "bucket"));
    server = await BucketServer.start(join(machine.folder, "bucket"));
    config = [
      "source: bucket:media/",
      "mountpoint: /srv/media",
      `endpoint: ${server.endpoint}`,
      "credentials_file: /etc/pailfs/keys",
      "allow_other: yes",
      "uid: 991",
      "gid: 991",
      "min_free: 0",
      "",
    ].join("\n");
    await machine.write("etc/pailfs/keys", keysFile, 0o600);
    await machine.write("etc/pailfs/media.yaml", config);
    await mkdir(join(machine.root, "srv/media"), { recursive: true });
    // stands for Synapse: it writes as soon as it runs, and must not without the mount
    await machine.write(
      "etc/systemd/system/writer.service",
      [
        "[Unit]",
        `Requires=${unit}`,
        `After=${unit}`,
        "RequiresMountsFor=/srv/media",
        "AssertPathIsMountPoint=/srv/media",
        "[Service]",
        "User=synapse",
        "ExecStart=/bin/sh -c 'echo up >/srv/media/up; exec sleep infinity'",
        "[Install]",
        "WantedBy=multi-user.target",
        "",
      ].join("\n"),
    );
  }, 300_000);

  afterAll(async () => {
    await machine?.remove();
    await server?.stop();
  }, 60_000);

  async function uploaded(key: string, text: string): Promise<void> {
    await waitUntil(
      `${key} is in the bucket`,
      async () => (await server.objects())[key] === md5(text),
      20_000,
    );
  }

  async function mainPid(): Promise<number> {
    return Number(await machine.property(unit, "MainPID"));
  }

  /** Waits for the process after `old`, ready. */
  async function restarted(old: number): Promise<void> {
    await waitUntil(
      "the service is up again",
      async () =>
        (await mainPid()) !== old &&
        (await machine.property(unit, "ActiveState")) === "active" &&
        (await machine.isMounted("/srv/media")),
      40_000,
    );
  }

  test("it is started at boot, ready when it is mounted, and dependents come after that", async () => {
    await machine.boot();
    await machine.must(
      `useradd --system --uid 991 synapse; systemctl enable ${unit} writer.service`,
    );
    await machine.poweroff();
    await machine.boot();
    await waitUntil(
      "the writer runs",
      async () => (await machine.property("writer.service", "ActiveState")) === "active",
      20_000,
    );
    await uploaded("media/up", "up\n");
    expect(await machine.property(unit, "StatusText")).toMatch(/^mounted, /);
    expect(await machine.must("stat -c '%u %g' /srv/media")).toBe("991 991");
    expect(await machine.must(`cat /proc/${await mainPid()}/cmdline | tr '\\0' ' '`)).not.toContain(
      keysFile.split(":")[1]?.trim(),
    );
    // lines have their priorities, and none came twice
    const lines = await machine.must(
      `journalctl -b -o json -u ${unit} --output-fields=PRIORITY,MESSAGE`,
    );
    const mounted = lines.split("\n").filter((line) => line.includes("mounted bucket:media/"));
    expect(mounted.map((line) => (JSON.parse(line) as { PRIORITY: string }).PRIORITY)).toEqual([
      "6",
    ]);
  }, 90_000);

  test("killed under load it is mounted again at the same place, and goes on with its queue", async () => {
    const old = await mainPid();
    await machine.must("mkdir /srv/media/load");
    await server.stop();
    await machine.must("for i in $(seq 20); do echo $i >/srv/media/load/$i; done");
    const load = machine.run("for i in $(seq 21 400); do echo $i >/srv/media/load/$i; done");
    await machine.must(`kill -9 ${old}`);
    await load;
    await restarted(old);
    expect(await machine.property(unit, "NRestarts")).toBe("1");
    expect(await machine.must("cat /srv/media/load/20")).toBe("20");
    await server.start();
    for (const i of [1, 20]) await uploaded(`media/load/${i}`, `${i}\n`);
    // the table holds one mount, not one over another
    expect(await machine.must("grep -c ' /srv/media ' /proc/self/mountinfo")).toBe("1");
  }, 90_000);

  test("one that hangs is ended by the watchdog and started again", async () => {
    await machine.write(
      `etc/systemd/system/${unit}.d/watchdog.conf`,
      "[Service]\nWatchdogSec=2\nTimeoutAbortSec=1\n",
    );
    await machine.must(`systemctl daemon-reload && systemctl restart ${unit}`);
    const old = await mainPid();
    // a healthy one is left alone, also without S3
    await server.stop();
    await machine.must("sleep 5");
    expect(await mainPid()).toBe(old);
    await server.start();
    await machine.must(`kill -STOP ${old}`);
    await restarted(old);
    expect(await machine.journal(unit)).toContain("Watchdog timeout");
    await machine.must(
      `rm /etc/systemd/system/${unit}.d/watchdog.conf; systemctl daemon-reload; systemctl restart ${unit}`,
    );
  }, 90_000);

  test("reload keeps the process; stop without work is quick", async () => {
    const pid = await mainPid();
    await machine.must(`systemctl reload ${unit}`);
    expect(await mainPid()).toBe(pid);
    const times: number[] = [];
    for (let round = 0; round < 3; round += 1) {
      const started = Date.now();
      await machine.must(`systemctl stop ${unit}`);
      times.push(Date.now() - started);
      expect(await machine.isMounted("/srv/media")).toBe(false);
      await machine.must(`systemctl start ${unit}`);
    }
    // the bar is 0.5 s on an idle machine; this one may be busy
    expect(Math.min(...times), `ms: ${times.join(", ")}`).toBeLessThan(1500);
  }, 90_000);

  test("stop waits for uploads beyond its limit as long as they go on", async () => {
    await machine.write(`etc/systemd/system/${unit}.d/stop.conf`, "[Service]\nTimeoutStopSec=4\n");
    await machine.must("systemctl daemon-reload; mkdir -p /srv/media/slow");
    await server.stop();
    await machine.must("for i in 1 2 3; do echo $i >/srv/media/slow/$i; done");
    const started = Date.now();
    const stopped = machine.run(`systemctl stop ${unit}`);
    await waitUntil(
      "it says that it uploads",
      async () => (await machine.property(unit, "StatusText")).startsWith("uploading, "),
      10_000,
    );
    await waitUntil("the limit is over", () => Date.now() - started > 7000, 10_000);
    expect(await machine.property(unit, "ActiveState")).toBe("deactivating");
    await server.start();
    await stopped;
    for (const i of [1, 2, 3]) await uploaded(`media/slow/${i}`, `${i}\n`);
    expect(await machine.property(unit, "Result")).toBe("success");
    await machine.must(
      `rm /etc/systemd/system/${unit}.d/stop.conf; systemctl daemon-reload; systemctl start ${unit}`,
    );
  }, 90_000);

  test("poweroff with S3 away ends in time, and the next boot uploads what waited", async () => {
    await machine.must("mkdir -p /srv/media/off");
    await server.stop();
    await machine.must("for i in 1 2 3; do echo $i >/srv/media/off/$i; done");
    await machine.poweroff();
    await machine.boot();
    await waitUntil("it is mounted", async () => machine.isMounted("/srv/media"), 30_000);
    expect(await machine.must("cat /srv/media/off/1 /srv/media/off/2 /srv/media/off/3")).toBe(
      "1\n2\n3",
    );
    await server.start();
    for (const i of [1, 2, 3]) await uploaded(`media/off/${i}`, `${i}\n`);
  }, 200_000);

  // 25 s, and both have the same rules
  test.runIf(suite === "trixie")(
    "a first start without S3 waits for it beyond its limit, and so do its dependents",
    async () => {
      await machine.must(`systemctl stop writer.service ${unit}`);
      await machine.must("rm -r /var/lib/pailfs /var/cache/pailfs");
      await machine.write(`etc/systemd/system/${unit}.d/s.conf`, "[Service]\nTimeoutStartSec=14\n");
      await machine.must("systemctl daemon-reload");
      await server.stop();
      const started = Date.now();
      await machine.must("systemctl start --no-block writer.service");
      await waitUntil(
        "it says what it waits for",
        async () =>
          (await machine.property(unit, "StatusText")).startsWith("waiting for S3: ") &&
          Date.now() - started > 17_000,
        40_000,
      );
      expect(await machine.property(unit, "ActiveState")).toBe("activating");
      expect(await machine.property("writer.service", "ActiveState")).toBe("inactive");
      // giving up by hand is in order, and quick
      await machine.must(`systemctl stop ${unit}`);
      expect(await machine.property(unit, "Result")).toBe("success");

      await machine.must("systemctl start --no-block writer.service");
      await waitUntil(
        "it waits again",
        async () => (await machine.property(unit, "StatusText")).startsWith("waiting for S3: "),
        40_000,
      );
      await server.start();
      await waitUntil(
        "the writer was started by systemd",
        async () => (await machine.property("writer.service", "ActiveState")) === "active",
        40_000,
      );
      await uploaded("media/up", "up\n");
      expect(await machine.property(unit, "NRestarts")).toBe("0");
      await machine.must(`rm /etc/systemd/system/${unit}.d/s.conf; systemctl daemon-reload`);
    },
    150_000,
  );

  test("without koffi systemd-notify tells that it is ready", async () => {
    await machine.must("mount -t tmpfs none /opt/pailfs/node_modules/koffi");
    await machine.must(`systemctl restart ${unit}`);
    expect(await machine.property(unit, "StatusText")).toMatch(/^mounted, /);
    await machine.must("umount /opt/pailfs/node_modules/koffi");
  }, 60_000);

  test("keys can come as a credential of the unit", async () => {
    await machine.write("etc/pailfs/media.yaml", config.replace(/credentials_file.*\n/, ""));
    await machine.write(
      `etc/systemd/system/${unit}.d/keys.conf`,
      "[Service]\nLoadCredential=pailfs:/etc/pailfs/keys\n",
    );
    await machine.must(`systemctl daemon-reload; systemctl restart ${unit}`);
    await machine.must("echo credential >/srv/media/credential");
    await uploaded("media/credential", "credential\n");
    await machine.must(`rm /etc/systemd/system/${unit}.d/keys.conf`);
    await machine.write("etc/pailfs/media.yaml", config);
  }, 60_000);

  test("what no restart mends is not tried again, and no dependent starts or writes beside the mount", async () => {
    await machine.must("systemctl stop writer.service");
    for (const [text, status, reason] of [
      [config.replace("/keys", "/wrong"), "77", "wrong"],
      [config.replace("min_free", "min_fere"), "78", "did you mean min_free?"],
      [config.replace("bucket:media/", "nobucket:media/"), "78", "nobucket"],
    ] as const) {
      await machine.write("etc/pailfs/media.yaml", text);
      await machine.must(`systemctl stop ${unit}; systemctl reset-failed ${unit}`);
      const started = await machine.run("systemctl start writer.service");
      expect(started.code).not.toBe(0);
      expect(await machine.property(unit, "ExecMainStatus")).toBe(status);
      expect(await machine.property(unit, "ActiveState")).toBe("failed");
      expect(await machine.property(unit, "NRestarts")).toBe("0");
      expect(await machine.must(`journalctl -b -p err -o cat -u ${unit}`)).toContain(reason);
      expect(await machine.property("writer.service", "ActiveState")).not.toBe("active");
    }
    expect(await machine.must("stat -c '%u %a' /srv/media; ls -A /srv/media")).toBe("0 555");
  }, 90_000);

  test("systemd finds nothing wrong with the unit, and little exposed", async () => {
    const verified = await machine.run(
      `systemd-analyze verify --man=no /etc/systemd/system/pailfs@.service`,
    );
    expect(verified).toEqual({ code: 0, stdout: "", stderr: "" });
    const security = await machine.run(
      "systemd-analyze security --offline=true --threshold=50 /etc/systemd/system/pailfs@.service",
    );
    expect(security, security.stdout).toMatchObject({ code: 0 });
  });
});
