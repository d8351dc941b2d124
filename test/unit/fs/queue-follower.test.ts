import { expect, test } from "vitest";
import { QueueFollower } from "../../../src/fs/writing/queue-follower.ts";
import type { NamespaceEntry } from "../../../src/state/namespace-entry.ts";
import { FileType } from "../../../src/posix/stat.ts";
import { newEntry } from "../../../src/fs/namespace/entries.ts";

type Parts = ConstructorParameters<typeof QueueFollower>;

/** A follower that knows the one name `/x/a`. */
function followerOf(entry: NamespaceEntry): QueueFollower {
  const located = { path: "/x/a", parent: 2, name: "a", entry };
  const namespace = { durable: () => located, touch: () => undefined } as unknown as Parts[0];
  const keys = { toPath: (key: string) => `/${key}` } as unknown as Parts[2];
  const options = { metadata: "index", statCacheTtlMs: 1000 } as unknown as Parts[3];
  const changed = (): void => undefined;
  return new QueueFollower(
    namespace,
    {} as unknown as Parts[1],
    keys,
    options,
    {},
    changed,
    {} as unknown as Parts[6],
  );
}

function fileOf(more: Partial<NamespaceEntry>): NamespaceEntry {
  return newEntry(7, FileType.file | 0o644, { uid: 0, gid: 0 }, more);
}

const was = { key: "x/a", etag: "old" };
const now = { key: "z/a", etag: "old" };

test("a copy that saves what a key held tells the name whose bytes they are where they are", () => {
  const [change] = followerOf(fileOf({ etag: "old" })).relocated("x/a", was, now);
  expect(change?.entry).toMatchObject({ key: "z/a", etag: "old" });
});

test("a name that was written since is left alone, whatever was at its key", () => {
  // the ETag of what is replaced tells only that the bucket has something there
  const written = fileOf({ etag: "old", staged: "s1" });
  expect(followerOf(written).relocated("x/a", was, now)).toEqual([]);
});

test("the bytes of an upload are at the name's own key", () => {
  const record = { kind: "put", key: "x/a", staged: "s1", size: 1 } as const;
  const written = fileOf({ etag: "old", staged: "s1", key: "z/a" });
  const [change] = followerOf(written).uploaded(record, "new", true);
  expect(change?.entry).toMatchObject({ etag: "new" });
  expect(change?.entry).not.toHaveProperty("key");
  expect(change?.entry).not.toHaveProperty("staged");
});
