// The file system calls that Synapse makes, in its order: makedirs as Python's, files written once and looked at again.
import { O_CREAT, O_RDONLY, O_TRUNC, O_WRONLY } from "../../src/posix/open-flags.ts";
import { FileType } from "../../src/posix/stat.ts";
import type { PosixDriver } from "../posix/posix-driver.ts";

const READ = 128 * 1024;

/** Sizes and methods of the thumbnails of a large image. */
const thumbnails = ["32-32", "96-96", "320-240", "640-480", "800-600"].map(
  (size) => `${size}-image-png-${size === "32-32" || size === "96-96" ? "crop" : "scale"}`,
);

/** os.path.exists: any error means "no". */
async function exists(driver: PosixDriver, path: string): Promise<boolean> {
  try {
    await driver.lstat(path);
    return true;
  } catch {
    return false;
  }
}

function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/")) || "/";
}

/** os.makedirs(path, exist_ok=True). */
async function makedirs(driver: PosixDriver, path: string): Promise<void> {
  const parent = parentOf(path);
  if (!(await exists(driver, parent))) await makedirs(driver, parent);
  try {
    await driver.mkdir(path);
  } catch (error) {
    const { mode } = await driver.lstat(path);
    if ((mode & FileType.mask) !== FileType.directory) throw error;
  }
}

/** MediaStorage.store_into_file. */
export async function store(driver: PosixDriver, path: string, size: number): Promise<void> {
  await makedirs(driver, parentOf(path));
  const file = await driver.open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o666);
  await file.stat();
  const piece = Buffer.alloc(64 * 1024, "x");
  for (let at = 0; at < size; at += piece.length) {
    await file.write(at, piece.subarray(0, Math.min(piece.length, size - at)));
  }
  await file.close();
}

/** Opens and reads to the end, as ThreadedFileSender and Pillow do. */
export async function readWhole(driver: PosixDriver, path: string): Promise<void> {
  const file = await driver.open(path, O_RDONLY);
  for (let at = 0; ;) {
    const bytes = await file.read(at, READ);
    if (bytes.length === 0) break;
    at += bytes.length;
  }
  await file.close();
}

/** os.path.isfile, then the file: FileStorageProviderBackend.fetch and the response. */
export async function respond(driver: PosixDriver, path: string): Promise<boolean> {
  if (!(await exists(driver, path))) return false;
  await readWhole(driver, path);
  return true;
}

async function storeThumbnails(
  driver: PosixDriver,
  folder: string,
  names: readonly string[],
): Promise<void> {
  for (const name of names) {
    await store(driver, `${folder}/${name}`, 5_000);
    await driver.lstat(`${folder}/${name}`);
  }
}

/** A 300 KB image is uploaded, or fetched from another server: the original, then its thumbnails. */
export async function storeImage(
  driver: PosixDriver,
  original: string,
  thumbnailFolder: string,
  count: number,
): Promise<void> {
  await store(driver, original, 300_000);
  await readWhole(driver, original);
  await storeThumbnails(driver, thumbnailFolder, thumbnails.slice(0, count));
}

/** A thumbnail that should be there is not: the original is read and the thumbnail made again. */
export async function restoreThumbnail(
  driver: PosixDriver,
  original: string,
  thumbnail: string,
): Promise<void> {
  if (await respond(driver, thumbnail)) throw new Error(`${thumbnail} is not missing`);
  await respond(driver, original);
  await store(driver, thumbnail, 5_000);
  await driver.lstat(thumbnail);
}

/** A thumbnail of remote media: the original is opened to see that it is there, and not read. */
export async function remoteThumbnail(
  driver: PosixDriver,
  original: string,
  thumbnail: string,
): Promise<void> {
  if (!(await exists(driver, original))) throw new Error(`${original} is missing`);
  await (await driver.open(original, O_RDONLY)).close();
  await respond(driver, thumbnail);
}

/** shutil.rmtree of a directory of files, by descriptor. */
async function rmtree(driver: PosixDriver, path: string): Promise<void> {
  if (!(await exists(driver, path))) return;
  for (const [name] of await driver.readdir(path)) await driver.unlink(`${path}/${name}`);
  await driver.rmdir(path);
}

/** Media is removed by an admin, by retention or by a purge. */
export async function removeMedia(
  driver: PosixDriver,
  original: string,
  thumbnailFolder: string,
): Promise<void> {
  await driver.unlink(original);
  await rmtree(driver, thumbnailFolder);
}

/** A URL is previewed: the page, its image and the image's thumbnails. */
export async function previewUrl(driver: PosixDriver, date: string, id: string): Promise<void> {
  await store(driver, `/url_cache/${date}/${id}page`, 20_000);
  await readWhole(driver, `/url_cache/${date}/${id}page`);
  const image = `/url_cache/${date}/${id}image`;
  await storeImage(driver, image, `/url_cache_thumbnails/${date}/${id}image`, 3);
}

/** url_previewer._expire_url_cache_data: the files of one date, and its directories once they are empty. */
export async function expireUrlCache(
  driver: PosixDriver,
  date: string,
  ids: readonly string[],
): Promise<void> {
  const ignoring = async (work: Promise<unknown>): Promise<void> => {
    await work.catch(() => undefined);
  };
  for (const id of ids) {
    await ignoring(driver.unlink(`/url_cache/${date}/${id}`));
    await ignoring(driver.rmdir(`/url_cache/${date}`));
    const folder = `/url_cache_thumbnails/${date}/${id}`;
    await ignoring(rmtree(driver, folder));
    await ignoring(driver.rmdir(folder));
    await ignoring(driver.rmdir(`/url_cache_thumbnails/${date}`));
  }
}
