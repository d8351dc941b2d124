// The keys of a Synapse media store, as many as wanted: media, and for each its five thumbnails, local and remote.
import { Random } from "../random.ts";

export interface SynapseBucket {
  readonly keys: readonly string[];
  /** Directories that the keys imply. */
  readonly directories: number;
}

const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
const thumbnails = ["32-32-crop", "96-96-crop", "320-240-scale", "640-480-scale", "800-600-scale"];
const otherServers = 300;

/** The same seed makes the same keys; two thirds of the media are remote, half of those from one server. */
export function synapseBucket(count: number, seed = 1): SynapseBucket {
  const random = new Random(seed);
  const text = (length: number): string => {
    let made = "";
    for (let i = 0; i < length; i += 1) made += letters[random.integer(letters.length)];
    return made;
  };
  const servers = Array.from({ length: otherServers }, () => `${text(8).toLowerCase()}.example`);
  const keys: string[] = [];
  while (keys.length < count) {
    const id = `${text(2)}/${text(2)}/${text(20)}`;
    const server = random.chance(50) ? "matrix.example" : random.pick(servers);
    const [media, small] = random.chance(33)
      ? ["local_content", "local_thumbnails"]
      : [`remote_content/${server}`, `remote_thumbnail/${server}`];
    keys.push(`${media}/${id}`);
    for (const name of thumbnails) {
      if (keys.length < count)
        keys.push(`${small}/${id}/${name.replace(/(?=-[a-z])/, "-image-png")}`);
    }
  }
  return { keys, directories: countDirectories(keys) };
}

function countDirectories(keys: readonly string[]): number {
  const directories = new Set<string>();
  for (const key of keys) {
    let at = key.lastIndexOf("/");
    while (at > 0 && !directories.has(key.slice(0, at))) {
      directories.add(key.slice(0, at));
      at = key.lastIndexOf("/", at - 1);
    }
  }
  return directories.size;
}
