// What cannot be mounted: one line on standard error, the exit code of its kind, nothing mounted.
import { spawn } from "node:child_process";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { bytes, type Ended, Place } from "./daemon-fixture.ts";

async function expectRefusal(
  place: Place,
  argv: readonly string[],
  code: number,
  text: string | RegExp,
): Promise<void> {
  const ended = await place.pailfs(...argv);
  expect(ended).toEqual({
    code,
    stdout: "",
    stderr: expect.stringMatching(/^pailfs: [^\n]+\n$/) as string,
  } satisfies Ended);
  if (typeof text === "string") expect(ended.stderr).toContain(text);
  else expect(ended.stderr).toMatch(text);
  expect(await place.isMounted()).toBe(false);
}

test("options that make no sense end with 2 and name the remedy", async () => {
  const place = await Place.make();
  const rows: [string[], string][] = [
    [["--cahce-dir=/x"], "Unknown option --cahce-dir: did you mean --cache-dir?"],
    [["-o", "alow_other"], "Unknown option -o alow_other: did you mean -o allow_other?"],
    [["--quux"], "Unknown option --quux: see pailfs mount --help"],
    [["--cache-size", "12Q"], "Cannot use --cache-size=12Q: want a size"],
    [["--cache-size", "-5M"], "Cannot use --cache-size=-5M: want a size"],
    [["--spool-size=4M"], "Cannot use --spool-size=4M: want a size from 16M to"],
    [["--s3-deadline", "soon"], "Cannot use --s3-deadline=soon: want a time"],
    [["--s3-deadline=0s"], "Cannot use --s3-deadline=0s: want a time from 1s to 1h"],
    [["--file-mode", "0999"], "Cannot use --file-mode=0999: want permission bits in octal"],
    [["--uid", "root"], "Cannot use --uid=root: want a whole number"],
    [["--ack", "never"], "Cannot use --ack=never: want disk or s3"],
    [["--passthrough=maybe"], "Cannot use --passthrough=maybe: want auto, yes or no"],
    [["--endpoint", "localhost:9000"], "want a URL such as"],
    [["--log-level"], "Cannot use --log-level without a value"],
    [["extra"], 'Cannot make sense of "extra"'],
  ];
  for (const [more, text] of rows) {
    await expectRefusal(place, place.mountArguments(...more), 2, text);
  }
});

test("keys and buckets that S3 does not know, and no keys at all", async () => {
  const place = await Place.make();
  const good = place.variables;
  const argv = place.mountArguments();
  place.variables = { ...good, AWS_SECRET_ACCESS_KEY: "wrong" };
  await expectRefusal(place, argv, 77, "the secret key does not fit the access key");
  place.variables = { ...good, AWS_ACCESS_KEY_ID: "unknown" };
  await expectRefusal(place, argv, 77, "the access key is unknown there");
  place.variables = {};
  await expectRefusal(place, argv, 77, "Cannot find keys for S3");
  place.variables = { AWS_ACCESS_KEY_ID: "half" };
  await expectRefusal(place, argv, 77, "set AWS_SECRET_ACCESS_KEY");
  place.variables = good;
  const missing = argv.map((word) => (word === "bucket" ? "no-such-bucket" : word));
  await expectRefusal(place, missing, 78, "there is no such bucket");
  const foreground = await place.pailfs(...missing, "-f");
  expect(foreground).toMatchObject({ code: 78, stderr: expect.stringContaining("no such bucket") });
  expect(await place.isMounted()).toBe(false);
});

test("mount points that cannot be used end with 78", async () => {
  const place = await Place.make();
  const onto = (path: string): string[] =>
    place.mountArguments().map((word) => (word === place.mountpoint ? path : word));
  await expectRefusal(place, onto("missing"), 78, `make it with: mkdir -p ${place.folder}/missing`);
  await writeFile(join(place.folder, "file"), "");
  await expectRefusal(place, onto("file"), 78, "it is not a directory");
  await expectRefusal(place, onto("file/below"), 78, "Cannot mount on");
  await writeFile(place.path("left"), "precious");
  await expectRefusal(place, place.mountArguments(), 78, 'it is not empty ("left" is there)');
  expect(await readFile(place.path("left"), "utf8")).toBe("precious");
});

test("what is mounted already is left as it is", async () => {
  const place = await Place.mounted();
  await writeFile(place.path("f"), "served");
  const again = await place.pailfs(...place.mountArguments());
  expect(again).toMatchObject({ code: 1, stdout: "" });
  expect(again.stderr).toMatch(
    /^pailfs: Cannot mount on [^\n]*already mounted from bucket[^\n]*\n$/,
  );
  expect(await readFile(place.path("f"), "utf8")).toBe("served");
  // another mount point, the same state
  await mkdir(join(place.folder, "other"));
  const argv = place.mountArguments();
  const elsewhere = argv.map((word) => (word === place.mountpoint ? "other" : word));
  const second = await place.pailfs(...elsewhere);
  expect(second).toMatchObject({ code: 75, stdout: "" });
  expect(second.stderr).toMatch(/^pailfs: Cannot mount bucket: another pailfs uses [^\n]*\n$/);
  expect(await readFile("/proc/self/mounts", "utf8")).not.toContain(`${place.folder}/other`);
  expect(await readFile(place.path("f"), "utf8")).toBe("served");
  await place.umount();
});

test("a mount with files in it is not mounted over, an empty one is", async () => {
  const place = await Place.make();
  const run = async (...words: [string, ...string[]]): Promise<number | null> => {
    const child = spawn(words[0], words.slice(1), { stdio: "ignore" });
    return new Promise((resolve) => child.once("close", resolve));
  };
  expect(await run("mount", "-t", "tmpfs", "tmpfs", place.mountpoint)).toBe(0);
  await writeFile(place.path("f"), bytes(10));
  const ended = await place.pailfs(...place.mountArguments());
  expect(ended).toMatchObject({ code: 78, stdout: "" });
  expect(ended.stderr).toMatch(/^pailfs: [^\n]*not empty[^\n]*\n$/);
  await rm(place.path("f"));
  // it may be a bind mount, through which a container shows its mount to the host
  await place.mount();
  await place.umount();
  expect(await run("umount", place.mountpoint)).toBe(0);
});

test("cache and state directories that cannot be used end with 78 or 77", async () => {
  const place = await Place.make();
  await writeFile(join(place.folder, "file"), "");
  for (const name of ["cache-dir", "state-dir"]) {
    // the state would lie below the cache too
    const contains = name === "cache-dir" ? 2 : 78;
    const rows: [string, RegExp, number?][] = [
      ["file/x", /it cannot be written \(.*ENOTDIR/],
      ["mnt/below", /lies inside the mount point/],
      ["mnt", /lies inside the mount point/],
      [".", /contains the mount point|may be deleted at any time/, contains],
      ["/", /contains the mount point|may be deleted at any time/, contains],
    ];
    for (const [path, text, code = 78] of rows) {
      await expectRefusal(place, place.mountArguments(`--${name}=${path}`), code, text);
    }
    const unwritable = await place.pailfs(...place.mountArguments(`--${name}=/proc/sys/x`));
    expect([77, 78]).toContain(unwritable.code);
    expect(unwritable.stderr).toMatch(
      /^pailfs: Cannot use (cache|state)_dir=\/proc\/sys\/x: .*\n$/,
    );
  }
  const both = place.mountArguments("--state-dir=c/s", "--cache-dir=c");
  await expectRefusal(place, both, 2, "the cache may be deleted at any time");
});

test("a package that cannot be loaded is told at once, in the background and in the foreground", async () => {
  const place = await Place.make();
  const resolve = `export const resolve = async (name, context, next) => {
    if (name === "lmdb") throw new Error("made for another platform\\nand more");
    return next(name, context);
  };`;
  const asUrl = (text: string): string => `data:text/javascript,${encodeURIComponent(text)}`;
  const main = `import { register } from "node:module"; register(${JSON.stringify(asUrl(resolve))});`;
  place.variables = { ...place.variables, NODE_OPTIONS: `--import=${asUrl(main)}` };
  for (const more of [[], ["--foreground"]]) {
    const startedAt = Date.now();
    const argv = place.mountArguments(...more);
    await expectRefusal(
      place,
      argv,
      1,
      "Cannot load the daemon: made for another platform; install",
    );
    expect(Date.now() - startedAt).toBeLessThan(20_000);
  }
});

test("an endpoint that refuses or never answers ends a first mount with 69 in time, each time", async () => {
  const [refusing, silent] = [await Place.make(), await Place.make()];
  await refusing.stopServer();
  await silent.admin("fault", { effect: { kind: "hang" } });
  for (const _ of [1, 2]) {
    const startedAt = Date.now();
    await Promise.all([
      expectRefusal(refusing, refusing.mountArguments(), 69, "nothing listens there"),
      expectRefusal(silent, silent.mountArguments(), 69, 'Cannot use bucket "bucket"'),
    ]);
    expect(Date.now() - startedAt).toBeLessThan(20_000);
  }
});
