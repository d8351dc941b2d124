// The power cuts are as good as what they cut: here the order of writes and syncs that the recording file system saw of a
// core is compared with what strace sees of a real daemon on a plain disk that does the same.
import { execFileSync } from "node:child_process";
import {
  mkdir,
  mkdtemp,
  open,
  readFile,
  rename,
  rm,
  stat,
  unlink,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { deserialize } from "node:v8";
import { expect, test } from "vitest";
import { openCore } from "../../src/daemon/mount.ts";
import { O_CREAT, O_TRUNC, O_WRONLY } from "../../src/posix/open-flags.ts";
import { fileSystemDriver } from "../posix/file-system-driver.ts";
import { optionsFor } from "../support/core.ts";
import { LoopbackS3 } from "../support/loopback-s3/loopback-s3.ts";
import { mountInChild } from "../support/mount/mount-in-child.ts";
import { waitUntil } from "../support/mount/wait-until.ts";
import type { DiskOperation } from "../support/power-cut/disk-log.ts";
import { errnoOf, Place } from "./daemon-fixture.ts";

/** Is there an strace that may trace? CI says so loudly when not. */
function canTrace(): boolean {
  try {
    execFileSync("strace", ["-f", "-o", "/dev/null", "true"], { stdio: "ignore" });
    return true;
  } catch {
    if (process.env["CI"] === "true") throw new Error("strace is missing, or may not trace");
    console.warn("strace is missing, or may not trace: the order of syncs is not compared");
    return false;
  }
}

const CALLS =
  "openat,write,writev,pwrite64,pwritev,fsync,fdatasync,rename,renameat,renameat2,link,linkat,unlink,unlinkat,msync";

/** One step on staged files, their directory and the journal: `sync STAGED`, `write JOURNAL`. */
type Step = string;

function nameOf(path: string): string | undefined {
  if (path.endsWith("/spool")) return "spool";
  if (/\/spool\/[^/]+$/.test(path)) return basename(path);
  if (path.endsWith("/journal.mdb")) return "journal";
  return undefined;
}

/** What a daemon did, in the order in which the calls were answered. */
function stepsOfTrace(trace: string): Step[] {
  const steps: Step[] = [];
  const unfinished = new Map<string, string>();
  const synchronous = new Set<string>();
  for (const line of trace.split("\n")) {
    const [, thread = "", rest = ""] = /^(\d+) +(.*)$/.exec(line) ?? [];
    const resumed = /^<\.\.\. \w+ resumed>(.*)$/.exec(rest)?.[1];
    if (rest.endsWith("<unfinished ...>")) {
      unfinished.set(thread, rest.slice(0, -"<unfinished ...>".length));
      continue;
    }
    const call = resumed === undefined ? rest : `${unfinished.get(thread) ?? ""}${resumed}`;
    const verb = /^(\w+)\(/.exec(call)?.[1] ?? "";
    if (/ = -1 /.test(call)) continue;
    if (verb === "openat") {
      const opened = / = (\d+)<(.*)>$/.exec(call);
      const fd = `${opened?.[1]}<${opened?.[2]}>`;
      if (/O_D?SYNC/.test(call)) synchronous.add(fd);
      else synchronous.delete(fd);
      const name = nameOf(opened?.[2] ?? "");
      if (call.includes("O_CREAT") && name !== undefined && name !== "journal") {
        steps.push(`create ${name}`);
      }
      continue;
    }
    if (verb.startsWith("unlink")) {
      const name = nameOf(/"([^"]*)"/.exec(call)?.[1] ?? "");
      if (name !== undefined) steps.push(`unlink ${name}`);
      continue;
    }
    const [, fd = "", path = ""] = /^\w+\((\d+<([^>]*)>)/.exec(call) ?? [];
    const name = nameOf(path);
    if (name === undefined) continue;
    if (verb.endsWith("sync")) steps.push(`sync ${name}`);
    else steps.push(`write ${name}`);
    if (!verb.endsWith("sync") && synchronous.has(fd)) steps.push(`sync ${name}`);
  }
  return steps;
}

/** The same of what a recording file system noted. */
function stepsOfLog(log: readonly DiskOperation[]): Step[] {
  const paths = new Map<number, string>([[1, ""]]);
  const steps: Step[] = [];
  for (const operation of log) {
    if (operation.do === "create" || operation.do === "mkdir") {
      paths.set(operation.ino, `${paths.get(operation.parent)}/${operation.name}`);
    }
    const name = nameOf(paths.get(operation.ino) ?? "");
    if (name === undefined) continue;
    const isJournal = name === "journal";
    if (operation.do === "write" || operation.do === "sync") steps.push(`${operation.do} ${name}`);
    if ((operation.do === "create" || operation.do === "unlink") && !isJournal) {
      if (name !== "spool") steps.push(`${operation.do} ${name}`);
    }
  }
  return steps;
}

/**
 * From the first byte of the first staged file on; files by the order of their first byte. Files that nobody wrote to
 * are made ahead at some time of their own, and one directory sync may do for several.
 */
function normalised(steps: readonly Step[]): Step[] {
  const begin = steps.findIndex((step) => /^write (?!journal)/.test(step));
  const names = new Map<string, string>();
  const kept: Step[] = [];
  for (const step of steps.slice(begin)) {
    const [verb = "", name = ""] = step.split(" ");
    if (verb === "write" && name !== "journal" && !names.has(name)) {
      names.set(name, `file${names.size + 1}`);
    }
    const shown = name === "journal" ? name : names.get(name);
    if (shown === undefined) continue;
    // a commit writes as many pages as it needs
    if (kept.at(-1) !== `${verb} ${shown}`) kept.push(`${verb} ${shown}`);
  }
  return kept;
}

/** Whether each file's name was durable before the journal spoke of it, which is at the sync after the file's own. */
function namesAreDurable(steps: readonly Step[]): boolean {
  const written = steps.filter((step) => /^write (?!journal)/.test(step)).map((s) => s.slice(6));
  return [...new Set(written)].every((name) => {
    const created = steps.indexOf(`create ${name}`);
    const journaled = steps.indexOf("write journal", steps.indexOf(`sync ${name}`));
    const synced = steps.indexOf("sync spool", created);
    return created >= 0 && synced > created && synced < journaled;
  });
}

/** Writes, replaces, renames and removes a file; nothing is uploaded meanwhile. */
const options = ["--publish-delay=5m", "--passthrough=off"];

async function tracedSteps(): Promise<Step[]> {
  const place = await Place.make();
  const trace = join(place.folder, "trace");
  place.prefix = ["strace", "-f", "--seccomp-bpf", "-y", "-s", "0", "-o", trace, "-e", CALLS];
  const daemon = place.start(...place.mountArguments("--foreground", ...options));
  place.prefix = [];
  const answers = async (): Promise<boolean> =>
    (await place.pailfs("status", "--json", place.mountpoint)).code === 0;
  await waitUntil("it is mounted", answers, 60_000);
  await place.daemonPid();
  await mkdir(place.path("d"));
  await writeFile(place.path("d/a"), "first");
  await writeFile(place.path("d/a"), "second");
  const file = await open(place.path("d/c"), "w");
  await file.write("synced");
  await file.sync();
  await file.close();
  await rename(place.path("d/a"), place.path("d/b"));
  await unlink(place.path("d/b"));
  expect(await errnoOf(stat(place.path("d/b")))).toBe("ENOENT");
  await place.umount();
  await daemon.ended;
  return stepsOfTrace(await readFile(trace, "utf8"));
}

async function recordedSteps(): Promise<Step[]> {
  const folder = await mkdtemp(join(tmpdir(), "pailfs-strace-"));
  const s3 = await LoopbackS3.start();
  const disk = await mountInChild({ recording: true });
  try {
    const given = optionsFor(s3, disk.mountpoint, { publish_delay: "5m" });
    const core = await openCore(given, { bootId: "first" });
    const driver = fileSystemDriver(core.fileSystem);
    const write = async (path: string, flags: number, text: string): Promise<void> => {
      const opened = await driver.open(path, O_WRONLY | flags);
      await opened.write(0, Buffer.from(text));
      if (text === "synced") await opened.sync();
      await opened.close();
    };
    await driver.mkdir("/d");
    await write("/d/a", O_CREAT, "first");
    await write("/d/a", O_TRUNC, "second");
    await write("/d/c", O_CREAT, "synced");
    await driver.rename("/d/a", "/d/b");
    await driver.unlink("/d/b");
    const path = join(folder, "log");
    await disk.command({ do: "dump", path });
    const log = deserialize(await readFile(path)) as DiskOperation[];
    await core.drained();
    await core.close();
    return stepsOfLog(log);
  } finally {
    await disk.stop();
    await s3.close();
    await rm(folder, { recursive: true, force: true });
  }
}

test.runIf(canTrace())(
  "a real daemon writes and syncs in the order that was recorded",
  async () => {
    const traced = await tracedSteps();
    const recorded = await recordedSteps();
    const wanted = normalised(recorded);
    // the trace goes on with the umount
    const found = normalised(traced).slice(0, wanted.length);
    expect(found).toEqual(wanted);
    expect(found.slice(0, 4)).toEqual([
      "write file1",
      "sync file1",
      "write journal",
      "sync journal",
    ]);
    expect(namesAreDurable(traced)).toBe(true);
    expect(namesAreDurable(recorded)).toBe(true);
  },
);
