/** The commands that exist; any other first word is a source, as with goofys. */
export const commandNames = [
  "mount",
  "umount",
  "status",
  "flush",
  "refresh",
  "version",
  "help",
] as const;
