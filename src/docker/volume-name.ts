import { OptionError } from "../options/option-error.ts";

/** Throws OptionError unless a name can be a directory's; dockerd passes on whatever it was given, `../../x` too. */
export function checkVolumeName(name: string): void {
  if (/^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/.test(name)) return;
  throw new OptionError(
    `Cannot use "${name.slice(0, 200)}" as a volume's name: want at most 128 letters, digits, "_", "." and "-", a letter or digit first`,
  );
}
