// Many callers that ask for names of one directory at once: one LIST of the directory answers hundreds of them, where
// each name of its own costs two requests.
import type { DirectoryListing } from "./directory-listing.ts";
import type { Listings } from "./listings.ts";
import type { Located, Namespace } from "../namespace/namespace.ts";

/** Names under question at once that make a crowd. */
const CROWD = 8;

/** Pages that a caller waits for before it asks for its own name. */
const PATIENCE = 4;

/** How long a directory that a listing did not help with is left alone, in ms. */
const REST_MS = 60_000;

/** Directories remembered as those. */
const RESTING = 1000;

export class Crowds {
  readonly #namespace: Namespace;
  readonly #listings: Listings;
  /** Names under question, by inode number of their directory. */
  readonly #sizes = new Map<number, number>();
  /** Inode number -> ms since the epoch until which listing it is no help: too many names, or names of directories. */
  readonly #resting = new Map<number, number>();

  constructor(namespace: Namespace, listings: Listings) {
    this.#namespace = namespace;
    this.#listings = listings;
  }

  /** Asks for a name: by `alone`, or in a crowd by listing the directory, and by `alone` if that did not tell; rejects when S3 does not. */
  async ask(directory: Located, name: string, alone: () => Promise<void>): Promise<void> {
    const { ino } = directory.entry;
    const size = (this.#sizes.get(ino) ?? 0) + 1;
    this.#sizes.set(ino, size);
    try {
      if (size >= CROWD && (await this.#isListed(directory, name))) return;
      await alone();
    } finally {
      const left = (this.#sizes.get(ino) ?? 1) - 1;
      if (left > 0) this.#sizes.set(ino, left);
      else this.#sizes.delete(ino);
    }
  }

  /** Whether listing the directory told what the name is. */
  async #isListed(directory: Located, name: string): Promise<boolean> {
    const { ino } = directory.entry;
    if ((this.#resting.get(ino) ?? 0) > Date.now()) return false;
    const listing = this.#listings.list(directory);
    for (let waited = 0; waited < PATIENCE; waited += 1) {
      try {
        await listing.next();
      } catch (error) {
        // a name that was known is served in trouble, another one needs no second try
        if (this.#namespace.get(ino, name)) return false;
        throw error;
      }
      const entry = this.#namespace.get(ino, name);
      if (entry && listing.stands(entry)) return true;
      if (listing.state === "complete") return true;
      if (listing.state !== "going" || listing.hasPassed(name)) return false;
      if (hasMoreDirectories(listing)) break;
    }
    this.#rest(ino);
    return false;
  }

  #rest(ino: number): void {
    if (this.#resting.size >= RESTING) this.#resting.clear();
    this.#resting.set(ino, Date.now() + REST_MS);
  }
}

/** The LIST below a directory of its own teaches more than its name in a listing. */
function hasMoreDirectories({ lastPage }: DirectoryListing): boolean {
  return lastPage !== undefined && lastPage.prefixes > lastPage.objects;
}
