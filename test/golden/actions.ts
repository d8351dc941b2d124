// What is counted: single calls, and what Synapse does with its media store.
import { O_RDONLY } from "../../src/posix/open-flags.ts";
import type { PosixDriver } from "../posix/posix-driver.ts";
import { known } from "./bucket-of-synapse.ts";
import {
  expireUrlCache,
  previewUrl,
  readWhole,
  remoteThumbnail,
  removeMedia,
  respond,
  restoreThumbnail,
  store,
  storeImage,
} from "./synapse-calls.ts";

export interface Action {
  readonly name: string;
  /** Works on the bucket of bucket-of-synapse.ts. */
  run(driver: PosixDriver): Promise<unknown>;
}

const fresh = "zB/xY/newnewnewnewnewnewne";
const ignoring = async (work: Promise<unknown>): Promise<void> => {
  await work.catch(() => undefined);
};

/** Single calls on the names of a populated bucket. */
export const calls: readonly Action[] = [
  { name: "stat of a file", run: (d) => d.lstat(known.local) },
  { name: "stat of an absent name", run: (d) => ignoring(d.lstat(`${known.local}x`)) },
  { name: "open and close", run: async (d) => (await d.open(known.local, O_RDONLY)).close() },
  { name: "read of a file of 300 KB", run: (d) => readWhole(d, known.local) },
  { name: "ls of a directory of one file", run: (d) => d.readdir("/local_content/zB/cD") },
  { name: "ls -l of a directory of 1,300 names", run: (d) => d.readdir("/url_cache/2026-11-19") },
  { name: "create, write and close", run: (d) => store(d, `/local_content/${fresh}`, 1000) },
  { name: "mkdir", run: (d) => d.mkdir("/local_content/zB/cD/new") },
  {
    name: "rmdir of a directory made here",
    async run(d) {
      await d.mkdir("/local_content/zB/cD/new");
      await d.rmdir("/local_content/zB/cD/new");
    },
  },
  { name: "unlink", run: (d) => d.unlink(known.local) },
  { name: "rename of a file", run: (d) => d.rename(known.local, `${known.local}x`) },
  {
    name: "rename of a file just written",
    async run(d) {
      await store(d, `/local_content/${fresh}`, 1000);
      await d.rename(`/local_content/${fresh}`, `/local_content/${fresh}x`);
    },
  },
];

/** What users and admins of Synapse do. */
export const synapse: readonly Action[] = [
  {
    name: "upload of an image, 5 thumbnails",
    run: (d) => storeImage(d, `/local_content/${fresh}`, `/local_thumbnails/${fresh}`, 5),
  },
  { name: "upload of a text", run: (d) => store(d, `/local_content/${fresh}`, 20) },
  { name: "download", run: (d) => respond(d, known.local) },
  {
    name: "thumbnail view",
    run: (d) => respond(d, `${known.localThumbnails}/${known.thumbnail}`),
  },
  {
    name: "missing thumbnail",
    run: (d) =>
      restoreThumbnail(d, known.local, `${known.localThumbnails}/${known.missingThumbnail}`),
  },
  {
    name: "remote image, first, 3 thumbnails",
    run: (d) =>
      storeImage(
        d,
        `/remote_content/example.org/${fresh}`,
        `/remote_thumbnail/example.org/${fresh}`,
        3,
      ),
  },
  {
    name: "remote thumbnail, cached",
    run: (d) => remoteThumbnail(d, known.remote, `${known.remoteThumbnails}/${known.thumbnail}`),
  },
  { name: "URL preview, 3 thumbnails", run: (d) => previewUrl(d, "2026-11-21", "klmnopqrst") },
  {
    name: "delete of an image, 2 thumbnails",
    run: (d) => removeMedia(d, known.local, known.localThumbnails),
  },
  {
    name: "purge of a remote image, 2 thumbnails",
    run: (d) => removeMedia(d, known.remote, known.remoteThumbnails),
  },
  {
    name: "expiry of a date of URL previews, 2 files",
    run: (d) => expireUrlCache(d, known.previewDate, known.previews),
  },
];
