// Lines of fstab on a Debian that boots: mount(8), umount(8) and the units that systemd makes of the lines.
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { BucketServer, keysFile, md5 } from "../support/boot/bucket-server.ts";
import { suites } from "../support/boot/debian-root.ts";
import { Machine } from "../support/boot/machine.ts";
import { waitUntil } from "../support/mount/wait-until.ts";

describe.each(suites)("fstab on %s", (suite) => {
  let machine: Machine;
  let server: BucketServer;
  let common: string;

  beforeAll(async () => {
    machine = await Machine.make(suite);
    await mkdir(join(machine.folder, "bucket"));
    server = await BucketServer.start(join(machine.folder, "bucket"));
    common = `allow_other,endpoint=${server.endpoint},credentials_file=/etc/pailfs/keys,min_free=0,umount_wait=3s`;
    await machine.write("etc/pailfs/keys", keysFile, 0o600);
    for (const name of ["a", "b", "c", "with space", "local"]) {
      await mkdir(join(machine.root, "srv", name), { recursive: true });
    }
  }, 300_000);

  afterAll(async () => {
    await machine?.remove();
    await server?.stop();
  }, 60_000);

  async function boot(...lines: string[]): Promise<string> {
    await machine.cut();
    await machine.write("etc/fstab", lines.map((line) => `${line} 0 0\n`).join(""));
    return machine.boot();
  }

  async function uploaded(key: string, text: string): Promise<void> {
    await waitUntil(
      `${key} is in the bucket`,
      async () => (await server.objects())[key] === md5(text),
      15_000,
    );
  }

  test("each type of line is mounted at boot, and mount(8) can do with it what it does with others", async () => {
    await boot(
      `bucket:a/ /srv/a pailfs _netdev,nofail,uid=991,gid=991,x-systemd.mount-timeout=60,${common}`,
      `bucket:b/ /srv/b fuse.pailfs _netdev,noatime,content_type="text/plain\\\\,x",${common}`,
      `goofys#bucket:c/ /srv/c fuse _netdev,--file-mode=0666,${common}`,
      `bucket:with\\040space/ /srv/with\\040space pailfs _netdev,${common}`,
    );
    await waitUntil("all are mounted", async () => machine.isMounted("/srv/a"), 20_000);
    expect(await machine.must("systemctl list-units --failed --no-legend 'srv-*'")).toBe("");
    const table = await machine.must("findmnt -t fuse.pailfs -n -r -o TARGET,SOURCE");
    expect(table.split("\n").toSorted()).toEqual([
      "/srv/a bucket:a/",
      "/srv/b bucket:b/",
      "/srv/c goofys#bucket:c/",
      "/srv/with\\x20space bucket:with\\x20space/",
    ]);

    // what the lines say is so
    expect(await machine.must("stat -c '%u %g' /srv/a")).toBe("991 991");
    expect(await machine.must("findmnt -n -o OPTIONS /srv/b")).toContain("noatime");
    expect(await machine.must("findmnt -n -o OPTIONS /srv/a")).toContain("nosuid,nodev");
    await machine.must("echo hello >/srv/c/f; echo hello >'/srv/with space/f'");
    expect(await machine.must("umount /srv/c && mount /srv/c && stat -c %a /srv/c/f")).toBe("644");
    await uploaded("c/f", "hello\n");
    await uploaded("with space/f", "hello\n");

    // once more changes nothing, by hand it is refused
    expect(await machine.run("mount -a")).toEqual({ code: 0, stdout: "", stderr: "" });
    const again = await machine.run("mount /srv/a; mount -t pailfs bucket:a/ /srv/a -o min_free=0");
    expect(again.code).toBe(32);
    expect(again.stderr).toContain("already mounted");

    // flags of the kernel can be changed
    await machine.must("mount -o remount,ro /srv/a");
    expect((await machine.run("touch /srv/a/x")).stderr).toContain("Read-only file system");
    await machine.must("mount -o remount,rw /srv/a && touch /srv/a/x");
    expect(await machine.must("findmnt -n -o OPTIONS /srv/a")).toContain("nosuid,nodev");

    // argv is public
    expect(await machine.must("ps axww -o args")).not.toContain(keysFile.split(":")[1]?.trim());
  }, 90_000);

  test("options nobody knows, wrong values and missing places are told, with mount's exit codes", async () => {
    const line = "mount -t pailfs bucket:z/ /srv/local";
    const outcome = async (options: string) => {
      const { code, stderr } = await machine.run(`${line} ${options}`);
      return [code, stderr];
    };
    expect(await outcome("-o huhu")).toEqual([
      1,
      expect.stringMatching(/^mount.pailfs: .*-o huhu/),
    ]);
    expect(await outcome("-o uid=x")).toEqual([1, expect.stringContaining("uid=x")]);
    expect(await outcome(`-s -o ${common},huhu`)).toEqual([0, expect.stringContaining("huhu")]);
    expect((await machine.run("umount /srv/local")).code).toBe(0);
    expect((await machine.run("umount /srv/local")).code).toBe(32);
    expect(await outcome(`-f -o ${common},huhu`)).toEqual([0, ""]);
    expect((await machine.run("mount -t pailfs nobucket /srv/local -o " + common)).code).toBe(32);
    expect((await machine.run("mount -t pailfs bucket /srv/none -o " + common)).code).toBe(32);
    await machine.must("chmod 644 /etc/pailfs/keys");
    const readable = await machine.run(`mount -t pailfs bucket /srv/local -o ${common}`);
    expect(readable).toMatchObject({ code: 32, stderr: expect.stringContaining("chmod 600") });
    await machine.must("chmod 600 /etc/pailfs/keys");
    await machine.must("mkdir /srv/full && touch /srv/full/beside");
    const full = await machine.run(`mount -t pailfs bucket /srv/full -o ${common}`);
    expect(full).toMatchObject({ code: 32, stderr: expect.stringContaining("not empty") });
  }, 60_000);

  test("mount.fuse3 finds pailfs where our helper is not", async () => {
    await machine.must("mv /sbin/mount.fuse.pailfs /sbin/kept.mount.fuse.pailfs");
    await machine.must(`mount -t fuse.pailfs bucket:d/ /srv/local -o ${common},_netdev`);
    expect(await machine.must("findmnt -n -o SOURCE,FSTYPE /srv/local")).toMatch(
      /^bucket:d\/ +fuse\.pailfs$/,
    );
    await machine.must(
      "umount /srv/local; mv /sbin/kept.mount.fuse.pailfs /sbin/mount.fuse.pailfs",
    );
  }, 60_000);

  test("a line with user is for an ordinary user: mounted, written, unmounted without root", async () => {
    const places = "cache_dir=/home/alice/cache,state_dir=/home/alice/state,min_free=0";
    const keys = "endpoint=" + server.endpoint + ",credentials_file=/home/alice/keys";
    const line = (user: string, name: string): string =>
      `bucket:${name}/ /home/alice/${name} pailfs noauto,${user},${keys},${places}`;
    await machine.must(
      "useradd -m alice; useradd -m bob; install -o alice -m 600 /etc/pailfs/keys /home/alice/keys; " +
        "chmod 755 /home/alice; install -d -o alice /home/alice/one /home/alice/any",
    );
    await machine.must(
      `printf '%s 0 0\n' '${line("user", "one")}' '${line("users", "any")}' >>/etc/fstab`,
    );
    const as = async (user: string, command: string) =>
      machine.run(
        `setpriv --reuid ${user} --regid ${user} --init-groups env HOME=/home/${user} ${command}`,
      );
    for (const name of ["one", "any"]) {
      const mountpoint = `/home/alice/${name}`;
      expect(await as("alice", `mount ${mountpoint}`)).toEqual({ code: 0, stdout: "", stderr: "" });
      const options = await machine.must(`findmnt -n -o OPTIONS ${mountpoint}`);
      expect(options).toContain("nosuid,nodev,noexec");
      expect(options).toContain(`user_id=${await machine.must("id -u alice")}`);
      // the daemon is the user's, not root's
      expect(await machine.must(`ps axww -o user=,args= | grep '[ ]${mountpoint}'`)).toMatch(
        /^alice /,
      );
      expect(await as("alice", `sh -c 'echo hello >${mountpoint}/f'`)).toMatchObject({ code: 0 });
      expect((await as("bob", `cat ${mountpoint}/f`)).stderr).toContain("Permission denied");
      expect((await as("bob", `umount ${mountpoint}`)).code).not.toBe(0);
      // not by mountpoint(1): root may not look into it
      const isMounted = async () => (await machine.run(`findmnt ${mountpoint}`)).code === 0;
      expect(await isMounted()).toBe(true);
      expect(await as("alice", `umount ${mountpoint}`)).toEqual({
        code: 0,
        stdout: "",
        stderr: "",
      });
      expect(await isMounted()).toBe(false);
      // umount came back when the bucket had it
      expect((await server.objects())[`${name}/f`]).toBe(md5("hello\n"));
    }
  }, 90_000);

  test("umount waits for the bucket, up to its limit and not with -l; what is left is not lost", async () => {
    // what is below a directory made here is known without S3
    await machine.must("mkdir /srv/a/d /srv/b/d");
    await server.stop();
    await machine.must("echo late >/srv/b/d/late");
    const started = Date.now();
    const waited = await machine.run("umount /srv/b");
    expect(waited).toMatchObject({ code: 32, stderr: expect.stringContaining("longer than 3 s") });
    expect(Date.now() - started).toBeGreaterThan(2500);
    expect(await machine.isMounted("/srv/b")).toBe(false);
    await machine.must("echo late >/srv/a/d/late; umount -l /srv/a");
    expect(await machine.isMounted("/srv/a")).toBe(false);
    await server.start();
    await uploaded("a/d/late", "late\n");
    await uploaded("b/d/late", "late\n");
    // the daemons are through, and their places free
    await waitUntil(
      "it can be mounted",
      async () => (await machine.run("mount /srv/b")).code === 0,
      20_000,
    );
    expect(await machine.must("cat /srv/b/d/late")).toBe("late");
  }, 90_000);

  test("nobody writes below a mount that is not there, root neither", async () => {
    await machine.must("umount /srv/b");
    expect(await machine.must("stat -c '%u %a' /srv/b")).toBe("0 555");
    const denied = await machine.run(
      "setpriv --reuid 991 --regid 991 --clear-groups touch /srv/b/x",
    );
    expect(denied.stderr).toContain("Operation not permitted");
    // nor root, which no mode keeps out
    expect((await machine.run("touch /srv/b/x")).stderr).toContain("Operation not permitted");
  });

  test("a mount whose daemon was killed is mounted again over its remains", async () => {
    await machine.must("systemctl start srv-b.mount");
    await machine.must(
      "kill -9 $(pailfs status --json /srv/b | sed -n 's/.*\"pid\": \\([0-9]*\\).*/\\1/p')",
    );
    await machine.must("systemctl restart srv-b.mount");
    expect(await machine.must("cat /srv/b/d/late")).toBe("late");
  }, 60_000);

  test("poweroff with uploads that wait loses nothing; the next boot has them, S3 or not", async () => {
    await boot(`bucket:b/ /srv/b pailfs _netdev,${common}`);
    await machine.must("mkdir /srv/b/p");
    await server.stop();
    await machine.must("for i in 1 2 3; do echo $i >/srv/b/p/$i; done");
    await machine.poweroff();
    await machine.boot();
    // S3 is still away: the line comes up all the same
    expect(await machine.must("cat /srv/b/p/1 /srv/b/p/2 /srv/b/p/3")).toBe("1\n2\n3");
    await server.start();
    for (const i of [1, 2, 3]) await uploaded(`b/p/${i}`, `${i}\n`);
  }, 200_000);

  test("a bucket that cannot be asked at boot stops nothing with nofail, and can be mounted later", async () => {
    await server.stop();
    const state = await boot(`bucket:new/ /srv/a pailfs _netdev,nofail,${common}`);
    expect(state).not.toBe("maintenance");
    await waitUntil(
      "the mount gave up",
      async () => (await machine.property("srv-a.mount", "Result")) === "exit-code",
      40_000,
    );
    expect(await machine.journal("srv-a.mount")).toContain("mount.pailfs: ");
    await server.start();
    await machine.must("systemctl start srv-a.mount");
    expect(await machine.isMounted("/srv/a")).toBe(true);
  }, 120_000);

  test("wrong keys fail the mount unit, with the reason in its journal", async () => {
    await machine.write("etc/pailfs/wrong", "GK0000:11111\n", 0o600);
    const wrong = common.replace("/keys", "/wrong");
    const state = await boot(`bucket:x/ /srv/a pailfs _netdev,${wrong}`);
    expect(state).toBe("degraded");
    expect(await machine.property("srv-a.mount", "Result")).toBe("exit-code");
    expect(await machine.property("multi-user.target", "ActiveState")).toBe("active");
    expect(await machine.property("remote-fs.target", "ActiveState")).toBe("inactive");
    expect(await machine.journal("srv-a.mount")).toMatch(/mount\.pailfs: .*(403|refused|key)/i);
  }, 60_000);

  test("a line without _netdev and nofail takes the boot to emergency mode: why the examples have them", async () => {
    const wrong = common.replace("/keys", "/wrong");
    expect(await boot(`bucket:x/ /srv/a pailfs ${wrong}`)).toBe("maintenance");
  }, 90_000);

  test("the generator makes a network mount of a line with _netdev", async () => {
    await machine.write(
      "etc/other-fstab",
      `bucket:a/ /srv/a pailfs _netdev,nofail,${common},x-systemd.required-by=synapse.service 0 0\n`,
    );
    await machine.must(
      "mkdir -p /tmp/g/n /tmp/g/e /tmp/g/l && SYSTEMD_FSTAB=/etc/other-fstab /usr/lib/systemd/system-generators/systemd-fstab-generator /tmp/g/n /tmp/g/e /tmp/g/l",
    );
    const unit = await machine.must("cat /tmp/g/n/srv-a.mount");
    expect(unit).toContain("What=bucket:a/\nWhere=/srv/a\nType=pailfs\n");
    expect(await machine.must("find /tmp/g -name srv-a.mount -type l")).toBe(
      "/tmp/g/n/synapse.service.requires/srv-a.mount",
    );
  });
});
