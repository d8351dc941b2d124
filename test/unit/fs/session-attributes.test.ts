import { afterEach, expect, test } from "vitest";
import { startCore, type TestCore } from "../../support/core.ts";
import { context } from "../../model/operations.ts";

let open: TestCore | undefined;

afterEach(async () => {
  await open?.close();
  open = undefined;
});

const YEAR_2020 = 1_577_934_245_000_000_000n;

test.each([
  ["before its upload", false],
  ["after its upload", true],
])("times set through an open that writes nothing stay, %s", async (_name, drained) => {
  open = await startCore();
  const { fileSystem } = open.core;
  const writer = await fileSystem.create("/f", 1, 0o644, context);
  await writer.write(0, Buffer.from("x"), context);
  await writer.flush(context);
  writer.release();
  if (drained) await open.core.drained();
  const toucher = await fileSystem.open("/f", 1, context);
  await toucher.setattr({ mtime: YEAR_2020 }, context);
  await toucher.flush(context);
  toucher.release();
  expect((await fileSystem.getattr("/f", context)).stat.mtime).toBe(YEAR_2020);
  await open.core.drained();
  await open.reopen({ emptyCache: true });
  const again = open.core.fileSystem;
  expect((await again.getattr("/f", context)).stat.mtime).toBe(YEAR_2020);
});

test("times set through an open for reading stay", async () => {
  open = await startCore();
  const { fileSystem } = open.core;
  const writer = await fileSystem.create("/f", 1, 0o644, context);
  await writer.flush(context);
  writer.release();
  await open.core.drained();
  const reader = await fileSystem.open("/f", 0, context);
  await reader.setattr({ mtime: YEAR_2020 }, context);
  expect((await fileSystem.getattr("/f", context)).stat.mtime).toBe(YEAR_2020);
  reader.release();
});
