export type OptionErrorKind = "usage" | "credentials" | "configuration";

/** A value or name the user must change: one line that names it and the remedy. */
export class OptionError extends Error {
  /** What is to be changed: the command, keys, or the configuration file. */
  readonly kind: OptionErrorKind;

  constructor(message: string, options?: { cause?: unknown; kind?: OptionErrorKind }) {
    super(message, options);
    this.name = "OptionError";
    this.kind = options?.kind ?? "usage";
  }
}
