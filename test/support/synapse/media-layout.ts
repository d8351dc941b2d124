// Where Synapse keeps a medium and its thumbnails: keys of the bucket, paths below the mount.
import type { Homeserver, SqlValue } from "./homeserver.ts";
import type { Medium } from "./matrix-user.ts";

function shard(id: string): string {
  return `${id.slice(0, 2)}/${id.slice(2, 4)}/${id.slice(4)}`;
}

/** Of a medium that was uploaded here. */
export function localKey(medium: Medium): string {
  return `local_content/${shard(medium.id)}`;
}

function thumbnailName([width, height, type, method]: readonly SqlValue[]): string {
  return `${width}-${height}-${String(type).replace("/", "-")}-${method}`;
}

/** Thumbnails of a medium that was uploaded here, as the database knows them: their lengths by key. */
export async function localThumbnails(
  home: Homeserver,
  medium: Medium,
): Promise<Record<string, number>> {
  const rows = await home.sql(
    `SELECT thumbnail_width, thumbnail_height, thumbnail_type, thumbnail_method, thumbnail_length
     FROM local_media_repository_thumbnails WHERE media_id = ?`,
    medium.id,
  );
  const folder = `local_thumbnails/${shard(medium.id)}`;
  return lengths(folder, rows);
}

/** A cached remote medium's own key, and the lengths of its thumbnails by key; undefined when it is not known. */
export async function remoteKeys(
  home: Homeserver,
  medium: Medium,
): Promise<{ key: string; thumbnails: Record<string, number> } | undefined> {
  const [row] = await home.sql(
    "SELECT filesystem_id FROM remote_media_cache WHERE media_origin = ? AND media_id = ?",
    medium.server,
    medium.id,
  );
  if (row === undefined) return undefined;
  const rows = await home.sql(
    `SELECT thumbnail_width, thumbnail_height, thumbnail_type, thumbnail_method, thumbnail_length
     FROM remote_media_cache_thumbnails WHERE media_origin = ? AND media_id = ?`,
    medium.server,
    medium.id,
  );
  const place = `${medium.server}/${shard(String(row[0]))}`;
  return {
    key: `remote_content/${place}`,
    thumbnails: lengths(`remote_thumbnail/${place}`, rows),
  };
}

function lengths(folder: string, rows: readonly SqlValue[][]): Record<string, number> {
  return Object.fromEntries(rows.map((row) => [`${folder}/${thumbnailName(row)}`, Number(row[4])]));
}
