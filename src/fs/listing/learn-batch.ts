import type { NameChange } from "../../state/namespace-entry.ts";
import type { Located } from "../namespace/namespace.ts";

/** What one answer taught, until all of it is known. */
export class LearnBatch {
  readonly names: NameChange[] = [];
  /** Names that stand for something else now, with what they stood for. */
  readonly changed: Located[] = [];
  /** Directories that were known before and of which every name was told. */
  readonly complete: Located[] = [];
}
