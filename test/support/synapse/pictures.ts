import { execFile } from "node:child_process";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { synapsePython } from "./real-synapse.ts";

const run = promisify(execFile);
const program = new URL("pictures.py", import.meta.url).pathname;

/** Content types of the pictures, by name. */
const types = {
  "noise.png": "image/png",
  "small.png": "image/png",
  "turned.jpg": "image/jpeg",
  "animated.gif": "image/gif",
  "alpha.webp": "image/webp",
} as const;

export interface Picture {
  readonly content: Buffer;
  readonly type: string;
}

export type Pictures = Readonly<Record<keyof typeof types, Picture>>;

/** Makes them, by the image library of Synapse, in a new folder below `folder`. */
export async function makePictures(folder: string): Promise<Pictures> {
  const own = join(folder, "pictures");
  await mkdir(own);
  await run(await synapsePython(), [program, own], { timeout: 60_000 });
  const made = Object.entries(types).map(async ([name, type]) => {
    const content = await readFile(join(own, name));
    return [name, { content, type }] as const;
  });
  return Object.fromEntries(await Promise.all(made)) as unknown as Pictures;
}
