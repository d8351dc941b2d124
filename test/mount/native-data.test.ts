// Random operations on one file against a model of it, as fsx does, through libfuse 2.
import { type FileHandle, open, stat, truncate } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type ChildMount, mountInChild } from "../support/mount/mount-in-child.ts";
import { runsNative } from "../support/native.ts";
import { Random } from "../support/random.ts";

const LONGEST = 400_000;
const OPERATIONS = 300;

/** The file as it should be. */
class Model {
  #bytes = Buffer.alloc(0);

  get size(): number {
    return this.#bytes.length;
  }

  resize(size: number): void {
    const rest = Buffer.alloc(Math.max(0, size - this.size));
    this.#bytes = Buffer.concat([this.#bytes.subarray(0, size), rest]);
  }

  write(at: number, data: Buffer): void {
    if (at + data.length > this.size) this.resize(at + data.length);
    data.copy(this.#bytes, at);
  }

  slice(at: number, length: number): Buffer {
    return this.#bytes.subarray(at, at + length);
  }
}

async function step(path: string, file: FileHandle, model: Model, random: Random): Promise<void> {
  const at = random.integer(LONGEST);
  const length = 1 + random.integer(random.chance(50) ? 5000 : LONGEST - at);
  const kind = random.integer(10);
  if (kind < 4) {
    const data = Buffer.alloc(length, 1 + random.integer(255));
    const { bytesWritten } = await file.write(data, 0, length, at);
    expect(bytesWritten).toBe(length);
    model.write(at, data);
  } else if (kind < 8) {
    const { bytesRead, buffer } = await file.read(Buffer.alloc(length), 0, length, at);
    expect(buffer.subarray(0, bytesRead).equals(model.slice(at, length))).toBe(true);
  } else if (kind === 8) {
    await (random.chance(50) ? file.truncate(at) : truncate(path, at));
    model.resize(at);
  } else {
    await file.sync();
    expect((await stat(path)).size).toBe(model.size);
  }
}

describe.skipIf(!runsNative)("fuse=native", () => {
  let mount: ChildMount | undefined;
  beforeAll(async () => {
    mount = await mountInChild({ native: true, backed: true });
  });
  afterAll(async () => mount?.stop());

  test.each([1, 2, 3, 4])("a file has the bytes of its model, seed %i", async (seed) => {
    const random = new Random(seed);
    const model = new Model();
    const path = mount?.path(`file-${seed}`) ?? "";
    let file = await open(path, "w+");
    for (let number = 0; number < OPERATIONS; number++) {
      await step(path, file, model, random);
      if (!random.chance(5)) continue;
      await file.close();
      file = await open(path, "r+");
    }
    const all = await file.read(Buffer.alloc(LONGEST), 0, LONGEST, 0);
    expect(all.bytesRead).toBe(model.size);
    expect(all.buffer.subarray(0, all.bytesRead).equals(model.slice(0, LONGEST))).toBe(true);
    await file.close();
  });
});
