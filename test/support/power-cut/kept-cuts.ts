// Cuts that failed once, kept as cases: each is replayed before new ones are tried.
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { deserialize, serialize } from "node:v8";
import { gunzip, gzip } from "node:zlib";
import type { Cut } from "./check-cut.ts";

const folder = new URL("cases/", import.meta.url).pathname;
const SUFFIX = ".cut.gz";

/** A cut with no more than it needs, as bytes of a file. */
export async function packCut(cut: Cut): Promise<Uint8Array> {
  const { recording, count } = cut;
  const log = recording.log.slice(0, count);
  const at = log.at(-1)?.at ?? 0n;
  const bucket = recording.bucket.filter((change) => change.at <= at);
  const clients = recording.clients.map(({ directory, history }) => ({
    directory,
    history: history.filter(({ started }) => started <= at),
  }));
  const needed = { ...cut, recording: { ...recording, log, bucket, clients } };
  return promisify(gzip)(serialize(needed));
}

export async function unpackCut(bytes: Uint8Array): Promise<Cut> {
  return deserialize(await promisify(gunzip)(bytes)) as Cut;
}

/** Writes the cut beside the others; resolves to its path, for the message of the failure. */
export async function keepCut(name: string, cut: Cut): Promise<string> {
  await mkdir(folder, { recursive: true });
  const path = join(folder, `${name}${SUFFIX}`);
  await writeFile(path, await packCut(cut));
  return path;
}

/** The names of what was kept. */
export async function keptCuts(): Promise<string[]> {
  const names = await readdir(folder).catch(() => []);
  return names.filter((name) => name.endsWith(SUFFIX)).toSorted();
}

export async function readCut(name: string): Promise<Cut> {
  return unpackCut(await readFile(join(folder, name)));
}
