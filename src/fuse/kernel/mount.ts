// mount(8) and umount(8), always in another process and never waited for synchronously: umount asks the mount for its
// attributes first, which only this process can answer.
import { spawn } from "node:child_process";
import { lstat, realpath, statfs, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { FsError, toSystemFsError } from "../../posix/errno.ts";
import { log } from "../../log.ts";
import { FILE_SYSTEM_TYPE, findMount } from "./mount-table.ts";

/** The environment of every program started here: fixed paths, messages in English. */
export const commandEnvironment = {
  PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
  LC_ALL: "C",
};

/** How to mount. */
export interface MountDeviceOptions {
  readonly source: string;
  readonly mountpoint: string;
  readonly readOnly: boolean;
  readonly allowOther: boolean;
  /** More words of mount(8), such as noatime. */
  readonly mountWords?: readonly string[];
}

function run(
  command: string,
  args: readonly string[],
  inherited: readonly number[] = [],
): Promise<{ readonly code: number | null; readonly output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: "/",
      env: commandEnvironment,
      stdio: ["ignore", "pipe", "pipe", ...inherited],
    });
    let output = "";
    const collect = (text: Buffer): void => {
      output += text.toString();
    };
    child.stdout?.on("data", collect);
    child.stderr?.on("data", collect);
    child.once("error", (error) => reject(toSystemFsError(error, `Cannot run ${command}`)));
    child.once("close", (code) => resolve({ code, output: output.trim() }));
  });
}

/** Mounts the open FUSE `device`; the mount answers only once INIT was. */
export async function mountDevice(device: number, options: MountDeviceOptions): Promise<void> {
  const words = [
    // with -t fuse.pailfs util-linux 2.39 and later lose the subtype
    "subtype=pailfs",
    "fd=3",
    "rootmode=40000",
    `user_id=${process.geteuid?.() ?? 0}`,
    `group_id=${process.getegid?.() ?? 0}`,
    "default_permissions",
    "nosuid",
    "nodev",
    ...(options.allowOther ? ["allow_other"] : []),
    ...(options.readOnly ? ["ro"] : []),
    ...(options.mountWords ?? []),
  ];
  // -i: else mount(8) would look for a helper program named after the subtype
  const args = [
    "-i",
    "-t",
    "fuse",
    "-o",
    words.join(","),
    "--",
    options.source,
    options.mountpoint,
  ];
  const { code, output } = await run("mount", args, [device]);
  if (code !== 0) {
    throw new FsError("EIO", `Cannot mount ${options.mountpoint}: mount said "${output}"`);
  }
}

/** Unmounts; "busy" changes nothing, unless `lazy`: then open files go on working and the name is free at once. */
export async function unmountPath(mountpoint: string, lazy: boolean): Promise<"done" | "busy"> {
  // -c: no look at the mount itself, which may be dead
  const args = ["-i", "-c", ...(lazy ? ["-l"] : []), "--", mountpoint];
  const { code, output } = await run("umount", args);
  if (code === 0 || /not mounted|not found|no mount point/i.test(output)) return "done";
  if (/busy/i.test(output)) return "busy";
  throw new FsError("EIO", `Cannot unmount ${mountpoint}: umount said "${output}"`);
}

/** The mountpoint without symlinks, a directory and not in use by us; a dead daemon's mount there is removed first. */
export async function prepareMountpoint(mountpoint: string): Promise<string> {
  let path: string;
  try {
    // the last component may be a dead mount, of which only the name can be asked
    const parent = await realpath(dirname(mountpoint));
    path = join(parent, basename(mountpoint));
  } catch (error) {
    throw toSystemFsError(error, `Cannot mount at ${mountpoint}`);
  }
  await removeStaleMounts(path);
  let found;
  try {
    found = await lstat(path);
  } catch (error) {
    throw toSystemFsError(error, `Cannot mount at ${mountpoint}`);
  }
  if (!found.isDirectory()) {
    throw new FsError("ENOTDIR", `Cannot mount at ${mountpoint}: it is not a directory`);
  }
  return path;
}

/** How long a mount that is there may take to answer before it counts as hung. */
const ANSWER_MS = 5000;

async function removeStaleMounts(path: string): Promise<void> {
  for (;;) {
    const mount = await findMount(path);
    if (mount?.type !== FILE_SYSTEM_TYPE) return;
    const state = await probe(path);
    if (state !== "dead") {
      throw new FsError(
        "EBUSY",
        `Cannot mount at ${path}: ${mount.source} is mounted there, ${state}`,
      );
    }
    log.warn("removing the mount that a dead daemon left at %s", path);
    await unmountPath(path, true);
  }
}

/** Whether the mount at `path` answers; a dead daemon's gives ENOTCONN. */
async function probe(path: string): Promise<"dead" | "and answers" | "and hangs"> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<"and hangs">((resolve) => {
    timer = setTimeout(resolve, ANSWER_MS, "and hangs");
  });
  // not stat(2), which the kernel may answer from its cache
  const asked = statfs(path).then(
    () => "and answers" as const,
    (error: NodeJS.ErrnoException) =>
      error.code === "ENOTCONN" || error.code === "ECONNABORTED" ? "dead" : "and answers",
  );
  const state = await Promise.race([asked, late]);
  clearTimeout(timer);
  return state;
}

/** Sets how far the kernel reads ahead, 128 KiB by default; needs a writable /sys, which containers seldom have. */
export async function setReadAhead(device: string, kibibytes: number): Promise<void> {
  try {
    await writeFile(`/sys/class/bdi/${device}/read_ahead_kb`, `${kibibytes}`);
  } catch (error) {
    log.warn("read-ahead of the kernel stays at 128 KiB: %s", String(error));
  }
}
