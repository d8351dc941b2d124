// Work that nobody waits for but close().
import type { CachedFile } from "./cached-file.ts";

/** Tracks work under way; none of it rejects. */
export class BackgroundWork {
  private readonly working = new Set<Promise<void>>();
  private lastInTurn: Promise<void> = Promise.resolve();

  track(work: Promise<void>): void {
    this.working.add(work);
    void work.finally(() => this.working.delete(work));
  }

  /** One file at a time, so that checks do not compete with what somebody waits for; `file` stays open until then. */
  inTurn(file: CachedFile, work: () => Promise<void>): void {
    const before = this.lastInTurn;
    this.lastInTurn = file.during(async () => {
      await before;
      await work();
    });
    this.track(this.lastInTurn);
  }

  /** Resolves when nothing is under way. */
  async done(): Promise<void> {
    while (this.working.size > 0) await Promise.all(this.working);
  }
}
