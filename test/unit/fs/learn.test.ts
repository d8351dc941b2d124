// What a listing may take away.
import { join } from "node:path";
import { withDir } from "tmp-promise";
import { expect, test } from "vitest";
import { Completeness } from "../../../src/fs/listing/completeness.ts";
import { StoreOrder } from "../../../src/fs/listing/page-order.ts";
import type { CoreOptions } from "../../../src/fs/core-options.ts";
import { newEntry, rootEntry } from "../../../src/fs/namespace/entries.ts";
import { Learner } from "../../../src/fs/listing/learn.ts";
import { ListedTree } from "../../../src/fs/listing/listed-tree.ts";
import { Namespace } from "../../../src/fs/namespace/namespace.ts";
import type { UploadQueue } from "../../../src/spool/spool.ts";
import { openMountState } from "../../../src/state/open-mount-state.ts";
import { asKey } from "../../support/s3-store.ts";

const options = { uid: 0, gid: 0, statCacheTtlMs: 0, metadata: "index" } as unknown as CoreOptions;
const keys = { toKey: (path: string) => asKey(path.slice(1)), toPath: (key: string) => `/${key}` };

interface Scene {
  readonly namespace: Namespace;
  readonly learner: Learner;
}

/** Runs `work` on an empty namespace, while the queue is about to do `fate` with any key. */
async function onNamespace<T>(
  fate: ReturnType<UploadQueue["fate"]>,
  work: (scene: Scene) => Promise<T>,
): Promise<T> {
  return withDir(
    async ({ path }) => {
      const state = await openMountState({ directory: join(path, "state"), identity: "test" });
      try {
        const queue = { fate: () => fate, removesBelow: () => false } as unknown as UploadQueue;
        const namespace = new Namespace(state);
        const root = rootEntry(options, 0o40755);
        await namespace.mutate({ names: [{ parent: 0, name: "", entry: root }] });
        const coverage = new Completeness(state, "shared", new StoreOrder());
        const changed = (): void => undefined;
        const learner = new Learner(namespace, queue, keys, options, changed, coverage);
        return await work({ namespace, learner });
      } finally {
        await state.close();
      }
    },
    { unsafeCleanup: true },
  );
}

/** Lists a root that holds `listed`, while the queue is about to do `fate` with "f", which is known as uploaded. */
function isThereAfterListing(
  fate: ReturnType<UploadQueue["fate"]>,
  listed: readonly string[],
): Promise<boolean> {
  return onNamespace(fate, async ({ namespace, learner }) => {
    const uploaded = { etag: "new", size: 1, until: 0 };
    const file = newEntry(namespace.nextIno(), 0o100644, options, uploaded);
    namespace.learn([{ parent: 1, name: "f", entry: file }]);
    const seen = namespace.observe();
    const tree = new ListedTree();
    for (const name of listed) {
      tree.add(name, { key: asKey(name), size: 1, etag: "old", lastModified: 0 });
    }
    tree.markComplete();
    await learner.merge(namespace.root(), tree.root, seen);
    seen.end();
    return namespace.get(1, "f") !== undefined;
  });
}

// the entry is uploaded, and the queue's operation not quite over: its staged file goes to the cache
test.each(["put", "copy", "describe"] as const)("a name whose %s is ending stays", async (fate) => {
  expect(await isThereAfterListing(fate, ["f"])).toBe(true);
  expect(await isThereAfterListing(fate, [])).toBe(true);
});

test("a directory stays in which a name became an object while its listing was under way", async () => {
  await onNamespace(undefined, async ({ namespace, learner }) => {
    const directory = newEntry(namespace.nextIno(), 0o40755, options, { until: 0 });
    const file = newEntry(namespace.nextIno(), 0o100644, options, { until: 0, staged: "s" });
    const { staged: _staged, ...uploaded } = { ...file, etag: "new" };
    namespace.learn([{ parent: 1, name: "d", entry: directory }]);
    await namespace.mutate({ names: [{ parent: directory.ino, name: "f", entry: file }] });
    const seen = namespace.observe();
    await namespace.mutate({ names: [{ parent: directory.ino, name: "f", entry: uploaded }] });
    const tree = new ListedTree();
    tree.markComplete();
    await learner.merge(namespace.root(), tree.root, seen);
    seen.end();
    expect(namespace.get(1, "d")?.ino).toBe(directory.ino);
    expect(namespace.get(directory.ino, "f")?.etag).toBe("new");
  });
});

test("a name of nobody's that is not listed goes", async () => {
  expect(await isThereAfterListing(undefined, ["f"])).toBe(true);
  expect(await isThereAfterListing(undefined, ["g"])).toBe(false);
});
