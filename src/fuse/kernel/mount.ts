// Making a mount: mount(8) for root, fusermount3 for everybody else. Always in another process, see posix/unmount.ts.
import { closeSync, constants, openSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { type ErrnoName, FsError, toSystemFsError } from "../../posix/errno.ts";
import { runProgram } from "../../posix/run-program.ts";
import { loadSystemCalls } from "../../posix/syscalls.ts";
import { findFusermount } from "../../posix/unmount.ts";
import { log } from "../../log.ts";

/** How to mount. */
export interface MountDeviceOptions {
  readonly source: string;
  /** Absolute, without symbolic links. */
  readonly mountpoint: string;
  readonly readOnly: boolean;
  readonly allowOther: boolean;
  /** More words of mount(8), such as noatime. */
  readonly mountWords?: readonly string[];
}

/** How long a program may take to mount. */
const MOUNT_MS = 20_000;

/** Mounts with mount(8) as root, also as root of a user namespace; returns the FUSE device. The mount answers only once INIT was. */
export async function mountAsRoot(options: MountDeviceOptions): Promise<number> {
  const device = openDevice();
  const words = [
    // with -t fuse.pailfs util-linux 2.39 and later lose the subtype
    "subtype=pailfs",
    "fd=3",
    "rootmode=40000",
    `user_id=${process.geteuid?.() ?? 0}`,
    `group_id=${process.getegid?.() ?? 0}`,
    ...commonWords(options),
    ...(options.mountWords ?? []),
  ];
  // -i: else mount(8) would look for a helper program named after the subtype
  const flags = ["-i", "-t", "fuse", "-o", words.join(",")];
  try {
    const args = [...flags, "--", options.source, options.mountpoint];
    const inherited = [device];
    const { code, output } = await runProgram("mount", args, { inherited, timeoutMs: MOUNT_MS });
    if (code === 0) return device;
    throw new FsError("EIO", `Cannot mount ${options.mountpoint}: mount said "${output}"`);
  } catch (error) {
    closeSync(device);
    throw error;
  }
}

function openDevice(): number {
  try {
    return openSync("/dev/fuse", constants.O_RDWR);
  } catch (error) {
    throw toSystemFsError(error, "Cannot use FUSE");
  }
}

function commonWords(options: MountDeviceOptions): string[] {
  return [
    "default_permissions",
    "nosuid",
    "nodev",
    ...(options.allowOther ? ["allow_other"] : []),
    ...(options.readOnly ? ["ro"] : []),
  ];
}

/** Mounts with fusermount3 as an ordinary user; returns the FUSE device that it hands over. Rejects with FsError. */
export async function mountAsUser(options: MountDeviceOptions): Promise<number> {
  const { mountpoint } = options;
  const program = await findFusermount();
  if (program === undefined) {
    throw cannot(
      mountpoint,
      "fusermount3 is not installed, and only root mounts without it; install it (Debian: apt-get install fuse3)",
      "EPERM",
    );
  }
  const calls = await loadSystemCalls();
  if (calls === undefined) {
    throw cannot(
      mountpoint,
      "koffi is not installed for this platform, and only root mounts without it",
      "EPERM",
    );
  }
  const [ours, theirs] = calls.socketPair();
  try {
    // no auto_unmount: our own watchdog sees to that, and fusermount3 of libfuse before 3.15 leaves the mount
    const { code, output } = await runProgram(
      program,
      ["-o", fusermountWords(options).join(","), "--", mountpoint],
      { inherited: [theirs], variables: { _FUSE_COMMFD: "3" }, timeoutMs: MOUNT_MS },
    );
    if (code !== 0) throw cannot(mountpoint, ...explainFusermount(output, mountpoint));
    return calls.receiveDescriptor(ours);
  } finally {
    closeSync(ours);
    closeSync(theirs);
  }
}

function cannot(mountpoint: string, reason: string, errno: ErrnoName): FsError {
  return new FsError(errno, `Cannot mount on "${mountpoint}": ${reason}`);
}

/** fusermount3 ends at a word that it does not know (util/fusermount.c, mount_flags). */
const KNOWN_WORDS = new Set(
  "noexec,sync,atime,noatime,nodiratime,norelatime,nostrictatime,dirsync".split(","),
);
/** Already so, or for others than the kernel. */
const NEEDLESS_WORDS = new Set("_netdev,relatime,diratime,nolazytime,noiversion".split(","));

function fusermountWords(options: MountDeviceOptions): string[] {
  const words = options.mountWords ?? [];
  for (const word of words) {
    if (KNOWN_WORDS.has(word) || NEEDLESS_WORDS.has(word)) continue;
    log.warn("mount word %s has no effect: fusermount3 does not know it", word);
  }
  const source = options.source.replaceAll(/[\\,]/g, String.raw`\$&`);
  return [
    `fsname=${source}`,
    "subtype=pailfs",
    ...commonWords(options),
    ...words.filter((word) => KNOWN_WORDS.has(word)),
  ];
}

/** What fusermount3 says, and what to do about it. */
const explanations: readonly (readonly [RegExp, ErrnoName, (mountpoint: string) => string])[] = [
  [
    /user_allow_other/,
    "EPERM",
    () =>
      'allow_other is for root only as long as /etc/fuse.conf has no line "user_allow_other"; let root add it, or mount without allow_other',
  ],
  [
    /no write access|not owned by user/,
    "EACCES",
    (mountpoint) =>
      `a user mounts only on directories of their own; let root say: chown ${process.geteuid?.()} ${mountpoint}`,
  ],
  [
    /Operation not permitted/,
    "EPERM",
    () =>
      "fusermount3 has to be setuid root and free of NoNewPrivileges; a container wants --cap-add SYS_ADMIN and --device /dev/fuse",
  ],
  [
    /could not determine username/,
    "EPERM",
    () =>
      `user ${process.geteuid?.()} has no line in /etc/passwd and fusermount3 wants one; a container may get the host's /etc/passwd`,
  ],
  [
    /Permission denied/,
    "EACCES",
    () => "let root give /dev/fuse to all users, as udev does: chmod 666 /dev/fuse",
  ],
  [
    /fuse device not found|failed to open/,
    "ENODEV",
    () => "let root load the module: modprobe fuse; a container wants --device /dev/fuse",
  ],
];

function explainFusermount(output: string, mountpoint: string): [string, ErrnoName] {
  const said = output.replaceAll(/\S*\bfusermount3?: /g, "");
  const found = explanations.find(([pattern]) => pattern.test(said));
  if (found === undefined) return [`fusermount3 said "${said}"`, "EIO"];
  const [, errno, advice] = found;
  return [`fusermount3 said "${said}": ${advice(mountpoint)}`, errno];
}

/** Sets how far the kernel reads ahead, 128 KiB by default; needs root and a writable /sys, which containers seldom have. */
export async function setReadAhead(device: string, kibibytes: number): Promise<void> {
  try {
    await writeFile(`/sys/class/bdi/${device}/read_ahead_kb`, `${kibibytes}`);
  } catch (error) {
    const isNews = process.geteuid?.() === 0;
    log[isNews ? "warn" : "info"]("read-ahead of the kernel stays at 128 KiB: %s", String(error));
  }
}
