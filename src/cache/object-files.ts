// Where objects lie on disk, and what is under way with their files.
import { join } from "node:path";
import type { DiskIo } from "./disk-io.ts";
import { keyOfObjectId, type ObjectId } from "./object-record.ts";

/** Files `objects/<2 hex>/<32 hex>`; what must not overlap on one path waits here. */
export class ObjectFiles {
  /** The directory that holds them all. */
  readonly path: string;
  private readonly io: DiskIo;
  private readonly changes = new Map<ObjectId, Promise<void>>();
  private readonly folders = new Map<string, Promise<void>>();

  constructor(io: DiskIo, directory: string) {
    this.io = io;
    this.path = join(directory, "objects");
  }

  pathOf(id: ObjectId): string {
    const name = keyOfObjectId(id).toString("hex");
    return join(this.path, name.slice(0, 2), name);
  }

  /** Resolves once earlier removals and holes are done; never rejects. */
  async settled(id: ObjectId): Promise<void> {
    await this.changes.get(id);
  }

  /** Resolves once nothing is under way; never rejects. */
  async allSettled(): Promise<void> {
    while (this.changes.size > 0) await Promise.all(this.changes.values());
  }

  /** Makes readers and writers of `id` wait for `work`, which comes after what is under way. */
  async change<T>(id: ObjectId, work: () => Promise<T>): Promise<T> {
    const result = (this.changes.get(id) ?? Promise.resolve()).then(work);
    const change: Promise<void> = result.then(
      () => this.finish(id, change),
      () => this.finish(id, change),
    );
    this.changes.set(id, change);
    return result;
  }

  /** Never rejects: what cannot be removed is swept at the next start. */
  async unlink(id: ObjectId): Promise<void> {
    await this.change(id, async () => this.io.unlink(this.pathOf(id)).catch(() => undefined));
  }

  async makeFolder(id: ObjectId): Promise<void> {
    const folder = join(this.pathOf(id), "..");
    let made = this.folders.get(folder);
    if (made === undefined) {
      made = this.io.makeDirectory(folder);
      this.folders.set(folder, made);
    }
    await made;
  }

  /** After a failure: the directories may be gone. */
  forgetFolders(): void {
    this.folders.clear();
  }

  private finish(id: ObjectId, change: Promise<void>): void {
    if (this.changes.get(id) === change) this.changes.delete(id);
  }
}
