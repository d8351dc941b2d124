/** The commands that exist; any other first word is a source, as with goofys. */
export const commandNames = [
  "mount",
  "umount",
  "status",
  "flush",
  "refresh",
  "queue",
  "undelete",
  "config",
  "install-helpers",
  "uninstall-helpers",
  "version",
  "help",
] as const;
