// Pending work and quarantined files under one roof, by id: what `pailfs queue` shows and does.
import { FsError } from "../posix/errno.ts";
import type { Quarantine } from "./quarantine.ts";
import type { QueueDesk } from "./queue-desk.ts";
import type { QueueItem } from "./queue-item.ts";
import type { StagedFiles } from "./staged-files.ts";

/** What lists, retries, exports and discards; the daemon's QueueControl. */
export class OperatorControl {
  readonly #desk: QueueDesk;
  readonly #quarantine: Quarantine;
  readonly #files: Pick<StagedFiles, "path">;
  readonly #holds: { hold(staged: string): void; unhold(staged: string): void };

  constructor(
    queue: { readonly desk: QueueDesk; hold(staged: string): void; unhold(staged: string): void },
    quarantine: Quarantine,
    files: Pick<StagedFiles, "path">,
  ) {
    this.#desk = queue.desk;
    this.#holds = queue;
    this.#quarantine = quarantine;
    this.#files = files;
  }

  /** @yields pending work by number, then quarantined files by name; what leaves meanwhile is left out. */
  async *list(after: string, all: boolean): AsyncGenerator<QueueItem> {
    const isPastWork = after !== "" && !isNumber(after);
    if (!isPastWork) yield* this.#desk.items(Number(after), all);
    for (const id of await this.#quarantine.ids(isPastWork ? after : "")) {
      const item = await this.#quarantine.item(id).catch(() => undefined);
      if (item !== undefined) yield item;
    }
  }

  retry(ids: readonly string[]): number {
    const quarantined = ids.find((id) => !isNumber(id));
    if (quarantined === undefined) return this.#desk.retry(ids.map(Number));
    throw new FsError("EINVAL", `Cannot retry "${quarantined}": export it and write it again`);
  }

  async export(
    id: string,
    signal: AbortSignal,
  ): Promise<{ path: string; size: number; key?: string }> {
    if (!isNumber(id)) {
      const { bytes = 0, key } = await this.#quarantine.item(id);
      const path = this.#quarantine.path(id);
      return { path, size: bytes, ...(key === undefined ? {} : { key }) };
    }
    const { key, staged, size } = this.#desk.upload(Number(id));
    // an upload that ends meanwhile leaves the file where it is
    if (!signal.aborted) {
      this.#holds.hold(staged);
      signal.addEventListener("abort", () => this.#holds.unhold(staged), { once: true });
    }
    return { path: this.#files.path(staged), size, key };
  }

  async discard(id: string): Promise<void> {
    if (isNumber(id)) await this.#desk.discard(Number(id));
    else await this.#quarantine.discard(id);
  }
}

function isNumber(id: string): boolean {
  return /^\d{1,15}$/.test(id);
}
