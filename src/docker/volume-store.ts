// The plugin's state file. dockerd forgets a volume that the plugin does not know at its start, so what is answered is on
// disk before, and a file that cannot be read never keeps the plugin from starting.
import { open, readFile, rename, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { makeDirectory } from "../daemon/make-directory.ts";
import { log } from "../log.ts";
import { Errno, errnoOf } from "../posix/errno.ts";
import { syncDirectory } from "../posix/sync-directory.ts";
import { type VolumeRecord, parseRecord } from "./volume-record.ts";

const VERSION = 1;

interface StateFile {
  readonly version: number;
  /** Of the boot in which it was written: references do not outlive one. */
  readonly bootId: string;
  readonly volumes: readonly VolumeRecord[];
}

/** All records, in memory and in a file that is replaced as a whole at each change. */
export class VolumeStore {
  readonly #path: string;
  readonly #bootId: string;
  #records: readonly VolumeRecord[];
  // changes are written one after the other
  #written: Promise<void> = Promise.resolve();

  private constructor(path: string, bootId: string, records: readonly VolumeRecord[]) {
    this.#path = path;
    this.#bootId = bootId;
    this.#records = records;
  }

  /** Opens the file in a folder, which is made; a broken one is kept beside and logged. */
  static async open(folder: string, bootId?: string): Promise<VolumeStore> {
    await makeDirectory(folder, 0o700);
    const path = join(folder, "volumes.json");
    const boot = bootId ?? (await readFile("/proc/sys/kernel/random/boot_id", "utf8")).trim();
    const file = await read(path);
    const isSameBoot = file?.bootId === boot;
    const records = (file?.volumes ?? []).map((record) =>
      isSameBoot ? record : { ...record, references: {} },
    );
    return new VolumeStore(path, boot, records);
  }

  get records(): readonly VolumeRecord[] {
    return this.#records;
  }

  /** The volume of a name, unless it was removed. */
  find(name: string): VolumeRecord | undefined {
    return this.#records.find((record) => record.name === name && !record.isRemoved);
  }

  /** Replaces `old` (undefined: none) by `record` (undefined: none); resolves when that is on disk. */
  async replace(old: VolumeRecord | undefined, record: VolumeRecord | undefined): Promise<void> {
    const others = this.#records.filter((candidate) => candidate !== old);
    this.#records = record === undefined ? others : [...others, record];
    const write = this.#written.then(() => this.#write());
    this.#written = write.catch(() => undefined);
    await write;
  }

  async #write(): Promise<void> {
    const content: StateFile = {
      version: VERSION,
      bootId: this.#bootId,
      volumes: this.#records,
    };
    const unfinished = `${this.#path}.new`;
    const file = await open(unfinished, "w", 0o600);
    try {
      await file.writeFile(`${JSON.stringify(content, null, 2)}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(unfinished, this.#path);
    await syncDirectory(dirname(this.#path));
  }
}

async function read(path: string): Promise<StateFile | undefined> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if (errnoOf(error) !== Errno.ENOENT) log.error("cannot read %s: %s", path, error);
    return undefined;
  }
  try {
    const { version, bootId, volumes } = JSON.parse(text) as Partial<StateFile>;
    if (version !== VERSION || !Array.isArray(volumes)) throw new Error(`version ${version}`);
    const records = (volumes as unknown[]).map(parseRecord);
    if (records.includes(undefined)) throw new Error("a volume without name or options");
    return {
      version,
      bootId: bootId ?? "",
      volumes: records.filter((record) => record !== undefined),
    };
  } catch (error) {
    const copy = `${path}.broken-${Date.now()}`;
    await writeFile(copy, text, { mode: 0o600 }).catch(() => undefined);
    log.error("cannot use %s: %s; it is kept as %s", path, (error as Error).message, copy);
    return undefined;
  }
}
