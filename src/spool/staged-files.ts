// What the upload queue needs of the spool besides what everyone may use.
import type { Spool } from "./spool.ts";

/** A spool that knows which of its files records and plans refer to. */
export interface StagedFiles extends Spool {
  /** Absolute path of a staged file. */
  path(id: string): string;
  /** Counts a record or plan that refers to the file: discard() waits for it. */
  retain(id: string): void;
  /** Ends one retain(); a discarded file is deleted with the last. Never throws. */
  unretain(id: string): void;
  isRetained(id: string): boolean;
  /** Bytes, undefined when the file is gone; rejects with FsError when the disk cannot say. */
  sizeOf(id: string): Promise<number | undefined>;
  /** Moves the file to quarantine/, with what is known of it in a `.json` beside it; resolves to its new path. Rejects with FsError. */
  quarantine(id: string, about: QuarantineNote): Promise<string>;
  /** The file was renamed away; open uses keep their descriptor. */
  forget(id: string): void;
}

/** Kept beside a quarantined file, so that a person or `pailfs queue` can bring it back. */
export interface QuarantineNote {
  readonly reason: string;
  readonly key?: string;
  /** Bytes that were promised. */
  readonly size?: number;
}
