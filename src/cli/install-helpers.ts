// `pailfs install-helpers`: what mount(8), umount(8) and systemd look for at fixed places. Wrappers with absolute paths,
// because mount(8) takes PATH away from its helpers.
import { chmod, lstat, readFile, realpath, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { makeDirectory } from "../daemon/make-directory.ts";
import { StartError } from "../daemon/start-error.ts";
import type { CommandContext } from "./command-context.ts";
import { ExitCode } from "./exit-code.ts";

export interface HelperPlaces {
  /** The root of the file system to write to. */
  readonly prefix: string;
  /** Whether the systemd unit, goofys's name and the volume plugin of Docker are wanted too. */
  readonly systemd: boolean;
  readonly goofys: boolean;
  readonly docker: boolean;
}

// tells our files from others'
const mark = "written by pailfs install-helpers";
const top = fileURLToPath(new URL("../../", import.meta.url));

const wrappers = [
  { path: "sbin/mount.pailfs", script: "mount.pailfs.js" },
  { path: "sbin/mount.fuse.pailfs", script: "mount.pailfs.js" },
  { path: "sbin/umount.fuse.pailfs", script: "umount.pailfs.js" },
  { path: "usr/local/bin/pailfs", script: "pailfs.js" },
];
// mount.fuse runs it for lines such as goofys#bucket
const goofysWrapper = { path: "usr/local/bin/goofys", script: "pailfs.js" };
const pluginWrapper = {
  path: "usr/local/bin/docker-volume-pailfs",
  script: "docker-volume-pailfs.js",
};
const units = "etc/systemd/system";
const mountUnits = ["pailfs@.service"];
const pluginUnits = ["docker-volume-pailfs.service", "docker-volume-pailfs.socket"];

/** Writes the files and tells which; resolves to the exit code, rejects with StartError at the first that is not ours. */
export async function installHelpers(
  { prefix, systemd, goofys, docker }: HelperPlaces,
  context: CommandContext,
): Promise<number> {
  const wanted = [
    ...wrappers,
    ...(goofys ? [goofysWrapper] : []),
    ...(docker ? [pluginWrapper] : []),
  ];
  for (const { path, script } of wanted) {
    const target = join(prefix, path);
    const program = join(top, "bin", script);
    if (await isLinkTo(target, program)) continue;
    const command = [process.execPath, program].map(quote).join(" ");
    // the source is shown as fstab has it, so that mount -a knows the mount again
    const name = path === goofysWrapper.path ? "PAILFS_SOURCE_PREFIX='goofys#' " : "";
    await install(target, `#!/bin/sh\n# ${mark}\n${name}exec ${command} "$@"\n`, 0o755);
    context.stdout(`${target}\n`);
  }
  for (const unit of [...(systemd ? mountUnits : []), ...(docker ? pluginUnits : [])]) {
    const target = join(prefix, units, unit);
    const text = await readFile(join(top, "scripts/systemd", unit), "utf8");
    await install(target, `# ${mark}\n${text}`, 0o644);
    context.stdout(`${target}\n`);
  }
  return ExitCode.ok;
}

/** Removes what installHelpers() wrote, and nothing else. */
export async function uninstallHelpers(prefix: string, context: CommandContext): Promise<number> {
  const programs = [...wrappers, goofysWrapper, pluginWrapper].map(({ path }) => path);
  const written = [...mountUnits, ...pluginUnits].map((unit) => join(units, unit));
  for (const path of [...programs, ...written]) {
    const target = join(prefix, path);
    if ((await owner(target)) !== "pailfs") continue;
    await rm(target);
    context.stdout(`${target}\n`);
  }
  return ExitCode.ok;
}

async function install(path: string, text: string, mode: number): Promise<void> {
  if ((await owner(path)) === "other") {
    throw new StartError(
      "configuration",
      `Cannot write ${path}: a file that is not from pailfs is there; move it away first`,
    );
  }
  const unfinished = `${path}.new-${process.pid}`;
  try {
    await makeDirectory(dirname(path), 0o755);
    await writeFile(unfinished, text);
    // whatever the umask says
    await chmod(unfinished, mode);
    await rename(unfinished, path);
  } catch (error) {
    await rm(unfinished, { force: true });
    throw new StartError("credentials", `Cannot write ${path}: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

async function owner(path: string): Promise<"pailfs" | "other" | "nobody"> {
  try {
    await lstat(path);
  } catch {
    return "nobody";
  }
  const text = await readFile(path, "utf8").catch(() => "");
  return text.split("\n", 3).some((line) => line === `# ${mark}`) ? "pailfs" : "other";
}

// as npm install -g makes it
async function isLinkTo(path: string, program: string): Promise<boolean> {
  const [real, own] = await Promise.all([realpath(path).catch(() => ""), realpath(program)]);
  return real === own;
}

function quote(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}
