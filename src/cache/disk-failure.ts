// A failing cache disk: one warning, writes left out for a while, then one more try.
import { log } from "../log.ts";

/** Remembers that the disk failed, and until when not to bother it. */
export class DiskFailure {
  private readonly directory: string;
  private readonly retryMs: number;
  private failure: string | undefined;
  private retryAt = 0;

  constructor(directory: string, retryMs: number) {
    this.directory = directory;
    this.retryMs = retryMs;
  }

  get reason(): string | undefined {
    return this.failure;
  }

  /** Whether writing is to be left out now. */
  get isBlocking(): boolean {
    return this.failure !== undefined && performance.now() < this.retryAt;
  }

  failed(error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error);
    if (this.failure === undefined) {
      log.warn('Cache in "%s" is bypassed for writing: %s', this.directory, reason);
    }
    this.failure = reason;
    this.retryAt = performance.now() + this.retryMs;
  }

  worked(): void {
    if (this.failure === undefined) return;
    log.info('Cache in "%s" works again', this.directory);
    this.failure = undefined;
  }
}
