// The operations of the crash matrix: what each does in a directory of its own, and which points it passes.
import {
  appendFile,
  mkdir,
  open,
  rename,
  rmdir,
  truncate,
  unlink,
  writeFile,
} from "node:fs/promises";
import { join } from "node:path";
import { bytes } from "./daemon-fixture.ts";

/** What stands under each name below the round's directory: bytes of a file, or a directory. */
export type Tree = Readonly<Record<string, Buffer | "directory">>;

export interface CrashOperation {
  /** Makes `before` in the directory; all of it is in the bucket afterwards. */
  readonly before: Tree;
  readonly after: Tree;
  /** Resolves when the kernel said that it is done; what it leaves open is closed by `end`. */
  run(directory: string): Promise<{ end(): Promise<unknown> } | void>;
  /** Names of crash points, with .nth behind where it is not the first time. */
  readonly points: readonly string[];
}

const around = (...names: string[]): string[] =>
  names.flatMap((name) => [`${name}.before`, `${name}.during`, `${name}.after`]);

const sync = ["sync.before", "sync.after"];
const adopt = ["adopt.before", "adopt.after"];
const upload = [...around("put", "complete"), ...adopt];
const written = [...sync, ...around("commit"), ...upload];

const old = bytes(30_000);
const other = bytes(41_000);
const large = bytes(11_000_000);
const middle = Buffer.concat([old.subarray(0, 100), other.subarray(0, 50), old.subarray(150)]);

/** Every operation of the matrix, by name. */
export const crashOperations: Readonly<Record<string, CrashOperation>> = {
  create: {
    before: {},
    after: { new: other },
    run: async (directory) => writeFile(join(directory, "new"), other, { flag: "wx" }),
    points: written,
  },
  "create empty": {
    before: {},
    after: { empty: Buffer.alloc(0) },
    run: async (directory) => writeFile(join(directory, "empty"), "", { flag: "wx" }),
    points: [...around("commit", "put", "complete")],
  },
  "create in parts": {
    before: {},
    after: { large },
    run: async (directory) => writeFile(join(directory, "large"), large, { flag: "wx" }),
    points: [
      ...sync,
      ...around("commit", "create-upload", "record", "part", "finish-upload", "complete"),
      "part.after.2",
      ...adopt,
    ],
  },
  overwrite: {
    before: { old },
    after: { old: other },
    run: async (directory) => writeFile(join(directory, "old"), other),
    points: written,
  },
  append: {
    before: { old },
    after: { old: Buffer.concat([old, other]) },
    run: async (directory) => appendFile(join(directory, "old"), other),
    points: written,
  },
  truncate: {
    before: { old },
    after: { old: old.subarray(0, 5) },
    run: async (directory) => truncate(join(directory, "old"), 5),
    points: written,
  },
  close: {
    before: { old },
    after: { old: middle },
    run: async (directory) => {
      const handle = await open(join(directory, "old"), "r+");
      await handle.write(other, 0, 50, 100);
      await handle.close();
    },
    points: written,
  },
  fsync: {
    before: { old },
    after: { old: middle },
    run: async (directory) => {
      const handle = await open(join(directory, "old"), "r+");
      const end = async (): Promise<unknown> => handle.close().catch(() => undefined);
      try {
        await handle.write(other, 0, 50, 100);
        await handle.sync();
      } catch (error) {
        await end();
        throw error;
      }
      return { end };
    },
    points: [...sync, ...around("commit")],
  },
  "rename file": {
    before: { old },
    after: { moved: old },
    run: async (directory) => rename(join(directory, "old"), join(directory, "moved")),
    points: around("commit", "copy", "complete", "delete"),
  },
  "rename over a file": {
    before: { old, target: other },
    after: { target: old },
    run: async (directory) => rename(join(directory, "old"), join(directory, "target")),
    points: around("commit", "copy", "complete", "delete"),
  },
  "rename directory": {
    before: { dir: "directory", "dir/x": old, "dir/y": other },
    after: { dir2: "directory", "dir2/x": old, "dir2/y": other },
    run: async (directory) => rename(join(directory, "dir"), join(directory, "dir2")),
    points: [...around("commit", "copy", "complete", "delete"), "copy.after.2", "delete.after.2"],
  },
  unlink: {
    before: { old },
    after: {},
    run: async (directory) => unlink(join(directory, "old")),
    points: around("commit", "delete", "complete"),
  },
  mkdir: {
    before: {},
    after: { made: "directory" },
    run: async (directory) => mkdir(join(directory, "made")).then(() => undefined),
    points: around("commit"),
  },
  rmdir: {
    before: { made: "directory" },
    after: {},
    run: async (directory) => rmdir(join(directory, "made")),
    points: around("commit"),
  },
};
