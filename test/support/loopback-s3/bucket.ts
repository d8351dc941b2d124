// One bucket's objects and uploads in progress, in memory or in a directory that survives a restart.
import { createHash, randomUUID } from "node:crypto";
import {
  constants,
  copyFileSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import type { Encryption } from "./encryption.ts";
import { type Body, ObjectIndex, type StoredObject } from "./objects.ts";

export interface UploadedPart {
  readonly body: Body;
  readonly size: number;
  readonly etag: string;
  readonly lastModified: number;
}

export interface Upload {
  readonly id: string;
  readonly key: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly encryption: Encryption;
  readonly parts: Map<number, UploadedPart>;
  readonly started: number;
  /** Set once completed: the object's ETag. */
  completedEtag?: string;
}

/** Objects and uploads; with a directory, objects are read from it at start. */
export class Bucket {
  readonly name: string;
  readonly objects = new ObjectIndex();
  readonly uploads = new Map<string, Upload>();
  readonly #directory: string | undefined;

  constructor(name: string, directory: string | undefined) {
    this.name = name;
    this.#directory = directory === undefined ? undefined : join(directory, name);
    if (this.#directory === undefined) return;
    mkdirSync(join(this.#directory, "bodies"), { recursive: true });
    mkdirSync(join(this.#directory, "objects"), { recursive: true });
    const records = readdirSync(join(this.#directory, "objects"));
    this.objects.putMany(records.map((record) => this.#readRecord(record)));
  }

  /** A fresh file for a body that is being received; undefined in memory. */
  newBodyPath(): string | undefined {
    return this.#directory && join(this.#directory, "bodies", randomUUID());
  }

  put(object: StoredObject): void {
    this.#dropBody(this.objects.get(object.key));
    this.objects.put(object);
    const record = this.#recordPath(object.key);
    if (record === undefined) return;
    writeFileSync(`${record}.new`, JSON.stringify(object, chunksAsBase64));
    renameSync(`${record}.new`, record);
  }

  /** Objects that are not written to the directory. */
  putSynthetic(objects: Iterable<StoredObject>): void {
    this.objects.putMany(objects);
  }

  delete(key: string): boolean {
    this.#dropBody(this.objects.get(key));
    const record = this.#recordPath(key);
    if (record !== undefined) rmSync(record, { force: true });
    return this.objects.delete(key);
  }

  /** All keys that start with `prefix`, at the price of one. */
  deleteBelow(prefix: string): void {
    for (const object of this.objects.deleteBelow(prefix)) {
      this.#dropBody(object);
      const record = this.#recordPath(object.key);
      if (record !== undefined) rmSync(record, { force: true });
    }
  }

  /** A copy of a file body under a name of its own. */
  copyBody(body: Body & { kind: "file" }): Body {
    const path = this.newBodyPath() ?? "";
    copyFileSync(body.path, path, constants.COPYFILE_FICLONE);
    return { kind: "file", path };
  }

  #dropBody(object: StoredObject | undefined): void {
    // an open reader of the old version keeps its descriptor
    if (object?.body.kind === "file") rmSync(object.body.path, { force: true });
  }

  #recordPath(key: string): string | undefined {
    const name = createHash("sha256").update(key).digest("hex");
    return this.#directory && join(this.#directory, "objects", `${name}.json`);
  }

  #readRecord(record: string): StoredObject {
    const text = readFileSync(join(this.#directory ?? "", "objects", record), "utf8");
    return JSON.parse(text, chunksFromBase64) as StoredObject;
  }
}

function chunksAsBase64(name: string, value: unknown): unknown {
  if (name !== "chunks") return value;
  return (value as Buffer[]).map((chunk) => Buffer.from(chunk).toString("base64"));
}

function chunksFromBase64(name: string, value: unknown): unknown {
  if (name !== "chunks") return value;
  return (value as string[]).map((chunk) => Buffer.from(chunk, "base64"));
}
