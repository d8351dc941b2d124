/** A value or name the user must change: one line that names it and the remedy. */
export class OptionError extends Error {
  /** Whether it is about how the command was written, or about keys. */
  readonly kind: "usage" | "credentials";

  constructor(message: string, options?: { cause?: unknown; kind?: "usage" | "credentials" }) {
    super(message, options);
    this.name = "OptionError";
    this.kind = options?.kind ?? "usage";
  }
}
