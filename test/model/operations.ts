// Random operations on a FileSystem, each run to its outcome: what it gave, or the errno it failed with.
import type { CallContext, FileHandle, FileSystem } from "../../src/fs/file-system.ts";
import { errnoOf, FsError } from "../../src/posix/errno.ts";
import { parentPath } from "../../src/posix/path.ts";
import { FileType, isDirectory } from "../../src/posix/stat.ts";
import { rampBytes } from "../support/s3-store.ts";
import type { Random } from "../support/random.ts";

export const context: CallContext = {
  uid: 0,
  gid: 0,
  pid: 1,
  umask: 0,
  signal: new AbortController().signal,
};

/** One step: what to do, and a line that says it. */
export interface Step {
  readonly line: string;
  run(fs: FileSystem): Promise<unknown>;
}

const names = ["a", "b", "c", "a-", "b.x", "ä"];

function randomPath(random: Random): string {
  const depth = 1 + random.integer(3);
  let path = "";
  for (let i = 0; i < depth; i += 1) path += `/${random.pick(names)}`;
  return path;
}

async function withHandle<T>(
  handle: FileHandle | Promise<FileHandle>,
  use: (handle: FileHandle) => Promise<T>,
): Promise<T> {
  const open = await handle;
  try {
    const result = await use(open);
    await open.flush(context);
    return result;
  } finally {
    open.release();
  }
}

async function readAll(handle: FileHandle): Promise<string> {
  const pieces: Uint8Array[] = [];
  for (let offset = 0; ;) {
    const read = await handle.read(offset, 65_536, context);
    if (read.length === 0) return Buffer.concat(pieces).toString("base64");
    for (const piece of read) {
      pieces.push(Buffer.from(piece));
      offset += piece.length;
    }
  }
}

/** A random step; its random choices are made here, so that it does the same on every file system. */
export function randomStep(random: Random): Step {
  const path = randomPath(random);
  const other = randomPath(random);
  const size = random.chance(10) ? random.integer(200_000) : random.integer(400);
  const offset = random.integer(600);
  const mode = 0o600 + random.integer(64);
  const data = rampBytes(size, random.integer(251));
  const steps: [weight: number, line: string, run: Step["run"]][] = [
    [
      20,
      `write ${path} ${size} bytes`,
      (fs) =>
        withHandle(fs.create(path, 0o1101, 0o644, context) as Promise<FileHandle>, (handle) =>
          data.length === 0 ? Promise.resolve(0) : Promise.resolve(handle.write(0, data, context)),
        ),
    ],
    [
      10,
      `overwrite ${path} at ${offset}, ${size} bytes`,
      (fs) =>
        withHandle(fs.open(path, 2, context) as Promise<FileHandle>, async (handle) => {
          if (data.length > 0) await handle.write(offset, data, context);
          return readAll(handle);
        }),
    ],
    [
      6,
      `append to ${path}, ${size} bytes`,
      (fs) =>
        withHandle(fs.open(path, 0o2001, context) as Promise<FileHandle>, async (handle) => {
          if (data.length > 0) await handle.write(0, data, context);
        }),
    ],
    [6, `truncate ${path} to ${offset}`, async (fs) => truncate(fs, path, offset)],
    [
      15,
      `read ${path}`,
      (fs) => withHandle(fs.open(path, 0, context) as Promise<FileHandle>, readAll),
    ],
    [10, `mkdir ${path}`, async (fs) => void (await fs.mkdir(path, 0o755, context))],
    [5, `rmdir ${path}`, async (fs) => fs.rmdir(path, context)],
    [8, `unlink ${path}`, async (fs) => fs.unlink(path, context)],
    [12, `rename ${path} to ${other}`, async (fs) => rename(fs, path, other)],
    [3, `symlink ${path}`, async (fs) => void (await fs.symlink(path, other, context))],
    [3, `chmod ${path}`, async (fs) => void (await fs.setattr(path, { mode }, context))],
    [10, `list ${path}`, async (fs) => listing(fs, path)],
    [10, `stat ${path}`, async (fs) => describeEntry(await fs.getattr(path, context))],
  ];
  let roll = random.integer(steps.reduce((sum, [weight]) => sum + weight, 0));
  for (const [weight, line, run] of steps) {
    if (roll < weight) return { line, run };
    roll -= weight;
  }
  throw new Error("The weights do not add up");
}

// the kernel asks for the directory of the new name first
async function rename(fs: FileSystem, from: string, to: string): Promise<void> {
  const { stat } = await fs.getattr(parentPath(to), context);
  if (!isDirectory(stat)) throw new FsError("ENOTDIR", "not a directory");
  await fs.rename(from, to, 0, context);
}

// the kernel refuses to truncate a directory before any file system hears of it
async function truncate(fs: FileSystem, path: string, size: number): Promise<void> {
  const { stat } = await fs.getattr(path, context);
  if ((stat.mode & FileType.mask) !== FileType.file) throw new FsError("EISDIR", "not a file");
  await fs.setattr(path, { size }, context);
}

function describeEntry({ stat }: { stat: { mode: number; size: number } }): string {
  const isFile = (stat.mode & FileType.mask) === FileType.file;
  return `${stat.mode.toString(8)} ${isFile ? stat.size : "-"}`;
}

async function listing(fs: FileSystem, path: string): Promise<string[]> {
  const directory = await fs.opendir(path, context);
  const found: string[] = [];
  for (let offset = 0; ;) {
    const entries = await directory.read(offset, context);
    if (entries.length === 0) break;
    for (const { name, stat } of entries) found.push(`${name} ${describeEntry({ stat })}`);
    offset += entries.length;
  }
  directory.release();
  return found.sort();
}

/** What a step gave, or that it failed: which of several errors comes first is the kernel's choice in most cases. */
export async function outcome(fs: FileSystem, step: Step): Promise<string> {
  try {
    return JSON.stringify((await step.run(fs)) ?? "ok");
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return "fails";
  }
}

/** Every name below the root with its attributes and content. */
export async function wholeTree(fs: FileSystem, path = "/"): Promise<string[]> {
  const lines: string[] = [];
  for (const line of await listing(fs, path)) {
    const name = line.slice(0, line.indexOf(" "));
    const child = path === "/" ? `/${name}` : `${path}/${name}`;
    const { stat } = await fs.getattr(child, context);
    const type = stat.mode & FileType.mask;
    let content = "";
    if (type === FileType.symlink) content = await fs.readlink(child, context);
    if (type === FileType.file) {
      content = await withHandle(fs.open(child, 0, context) as Promise<FileHandle>, readAll);
    }
    lines.push(`${path} ${line} ${content}`);
    if (type === FileType.directory) lines.push(...(await wholeTree(fs, child)));
  }
  return lines;
}
