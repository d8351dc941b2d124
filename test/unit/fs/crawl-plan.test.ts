// The workers of a crawl, without S3: they list a sorted array of keys.
import { describe, expect, test } from "vitest";
import { CrawlPlan, type Lane } from "../../../src/fs/crawl/crawl-plan.ts";
import { includes } from "../../../src/fs/listing/key-range.ts";
import { compareBytewise } from "../../../src/posix/byte-order.ts";
import { Random } from "../../support/random.ts";

interface Listed {
  readonly keys: string[];
  pages: number;
  /** The most lanes at once. */
  lanes: number;
}

/** Lists `keys` by several workers in random order; `stopAfter` pages it goes on with a plan made of what is left. */
function crawl(keys: readonly string[], random: Random, stopAfter = Infinity): Listed {
  let plan = new CrawlPlan([{}]);
  let busy: Lane[] = [];
  const listed: Listed = { keys: [], pages: 0, lanes: 0 };
  while (!plan.isDone) {
    while (busy.length < 8) {
      const lane = plan.take();
      if (!lane) break;
      busy.push(lane);
    }
    listed.lanes = Math.max(listed.lanes, busy.length);
    const [lane] = busy.splice(random.integer(busy.length), 1);
    if (!lane) throw new Error("nothing to do, and not done");
    const { after } = lane;
    const start = after === undefined ? 0 : firstAfter(keys, after);
    const page = keys.slice(start, start + 1000);
    const isLast = start + 1000 >= keys.length;
    const range = plan.listed(lane, page[0], page.at(-1) ?? "", isLast);
    listed.pages += 1;
    // killed before it was merged
    if (listed.pages === stopAfter) {
      plan = new CrawlPlan(plan.ranges);
      busy = [];
      continue;
    }
    listed.keys.push(...page.filter((key) => includes(range, key)));
    if (plan.merged(lane)) busy.push(lane);
  }
  return listed;
}

function firstAfter(keys: readonly string[], after: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (compareBytewise(keys[middle] ?? "", after) > 0) high = middle;
    else low = middle + 1;
  }
  return low;
}

function synapseKeys(random: Random, count: number): string[] {
  const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  const text = (length: number): string =>
    Array.from({ length }, () => letters[random.integer(letters.length)]).join("");
  const keys = Array.from({ length: count }, (_, i) => {
    const id = `${text(2)}/${text(2)}/${text(20)}`;
    if (i % 3 === 0) return `local_content/${id}`;
    const server = i % 5 === 0 ? `${text(5)}.org` : "matrix.org";
    if (i % 3 === 1) return `remote_content/${server}/${id}`;
    return `remote_thumbnail/${server}/${id}/96-96-image-png-crop`;
  });
  return keys.sort(compareBytewise);
}

function hexKeys(random: Random, count: number): string[] {
  const digits = (): string =>
    random
      .integer(2 ** 32)
      .toString(16)
      .padStart(8, "0");
  return Array.from({ length: count }, () => digits() + digits()).sort(compareBytewise);
}

const layouts: [string, (random: Random, count: number) => string[]][] = [
  ["a Synapse store", synapseKeys],
  ["hexadecimal names", hexKeys],
  [
    "one directory of numbers",
    (_, count) => Array.from({ length: count }, (_unused, i) => `d/${i}`).sort(compareBytewise),
  ],
  [
    "names without letters",
    (_, count) =>
      Array.from({ length: count }, (_unused, i) => `\u{4e00}/${String.fromCodePoint(0x4e00 + i)}`),
  ],
];

describe.each(layouts)("%s", (_name, keysOf) => {
  test.each([1, 2, 3])("every key is listed once, with few extra pages, seed %i", (seed) => {
    const random = new Random(seed);
    const keys = keysOf(random, 20_000);
    const listed = crawl(keys, random);
    expect(listed.keys.sort(compareBytewise)).toEqual(keys);
    expect(listed.pages).toBeLessThanOrEqual(20 * 1.3);
  });

  test("a crawl that is cut off goes on where it was", () => {
    const random = new Random(4);
    const keys = keysOf(random, 20_000);
    expect(crawl(keys, random, 9).keys.sort(compareBytewise)).toEqual(keys);
  });
});

test("a bucket of one page is one request", () => {
  expect(crawl(["a", "b/c"], new Random(1))).toMatchObject({ pages: 1, keys: ["a", "b/c"] });
  expect(crawl([], new Random(1))).toMatchObject({ pages: 1, keys: [] });
});

test("a large Synapse store is shared by many workers at a price of a few pages", () => {
  const random = new Random(7);
  const listed = crawl(synapseKeys(random, 200_000), random);
  expect(listed.lanes).toBe(8);
  expect(listed.pages).toBeLessThanOrEqual(200 * 1.1);
});
