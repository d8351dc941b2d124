// Many callers that ask for different names of one directory at once.
import { expect, test } from "vitest";
import type { TestCore } from "../../support/core.ts";
import { context, countsOf, testCore } from "./core-fixture.ts";

async function askAll(core: TestCore, paths: readonly string[]): Promise<(number | undefined)[]> {
  const found = paths.map(async (path) => core.core.fileSystem.lookup(path, context));
  return (await Promise.all(found)).map((entry) => entry?.stat.size);
}

function namesFrom(first: number, count: number): string[] {
  return Array.from({ length: count }, (_, i) => `/d/n${first + i}`);
}

test("a crowd is answered by listing the directory", async () => {
  const core = await testCore();
  core.s3.putSynthetic("d/n", 1280, 5);
  const sizes = await askAll(core, namesFrom(0, 1280));
  expect(sizes).toEqual(sizes.map(() => 5));
  // d itself, the first seven of those that its first page did not have, two pages
  expect(countsOf(core)).toEqual({ HEAD: 8, LIST: 10 });
  await askAll(core, namesFrom(0, 2000));
  expect(core.s3.count()).toBe(18);
});

test("names that a crowd asks for and that are not there are absent", async () => {
  const core = await testCore();
  core.s3.putSynthetic("d/n", 1500, 5);
  const sizes = await askAll(core, namesFrom(1400, 200));
  expect(sizes).toEqual(sizes.map((_, i) => (i < 100 ? 5 : undefined)));
});

test("in a huge directory a crowd soon asks name by name", async () => {
  const core = await testCore();
  core.s3.putSynthetic("d/n", 20_000, 5);
  // behind the fourth page, and in no order
  const paths = Array.from({ length: 40 }, (_, i) => `/d/n${9000 + ((i * 7919) % 999)}`);
  expect(await askAll(core, paths)).toEqual(paths.map(() => 5));
  const { LIST = 0, HEAD = 0 } = countsOf(core);
  // four pages, and two that were read ahead
  expect({ HEAD, LIST }).toEqual({ HEAD: 41, LIST: 47 });
  core.s3.reset();
  const others = Array.from({ length: 40 }, (_, i) => `/d/n${7000 + i}`);
  await askAll(core, others);
  expect(countsOf(core)).toEqual({ HEAD: 40, LIST: 40 });
});

test("a crowd that asks for directories gets all that is below them", async () => {
  const core = await testCore();
  for (let i = 0; i < 2000; i += 1) core.s3.putText(`d/s${i}/f`, "x");
  const paths = Array.from({ length: 30 }, (_, i) => `/d/s${i * 60}`);
  await askAll(core, paths);
  const first = core.s3.count("LIST");
  expect(first).toBeLessThanOrEqual(32);
  // the last of them were beyond the pages of the parent: their own LIST told of their files
  core.s3.reset();
  expect(await askAll(core, [`${paths.at(-1)}/f`])).toEqual([1]);
  expect(core.s3.count()).toBe(0);
});

test("a crowd learns that S3 is away, not that names are absent", async () => {
  const core = await testCore({ "s3-deadline": "1s" });
  core.s3.putSynthetic("d/n", 2000, 5);
  await askAll(core, ["/d"]);
  core.s3.faults.add({ effect: { kind: "status", status: 503 } });
  const asked = namesFrom(1990, 20).map(async (path) => core.core.fileSystem.lookup(path, context));
  const results = await Promise.allSettled(asked);
  const codes = results.map((result) =>
    result.status === "rejected" ? (result.reason as { code: string }).code : "found",
  );
  expect(new Set(codes)).toEqual(new Set(["EIO"]));
});

test.each(["walk", "hashed", "utf16"] as const)(
  "a crowd finds all names of a store that lists in %s order",
  async (listOrder) => {
    const core = await testCore();
    core.s3.settings.quirks = { listOrder };
    core.s3.putSynthetic("d/n", 3000, 5);
    for (const name of ["n1", "n1-a", "n1.b", "\u{1f600}", "\uff5e"]) {
      core.s3.putText(`d/${name}x/f`, "x");
    }
    const paths = [...namesFrom(2900, 150), "/d/n1x", "/d/n1-ax", "/d/\u{1f600}x", "/d/\uff5ex"];
    const found = await askAll(core, paths);
    expect(found.map((size) => size !== undefined)).toEqual(
      paths.map((path) => !/n30\d\d$/.test(path)),
    );
  },
);
