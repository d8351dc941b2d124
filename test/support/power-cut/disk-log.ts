// What a recorded file system was told, in order. Files and directories go by inode number, which is never used again.

/** One call that changed the disk or made changes durable; `at`: ns on the system-wide monotonic clock. */
export type DiskOperation = { readonly at: bigint } & (
  | {
      readonly do: "create" | "mkdir";
      readonly parent: number;
      readonly name: string;
      readonly ino: number;
    }
  | {
      readonly do: "unlink" | "rmdir";
      readonly parent: number;
      readonly name: string;
      readonly ino: number;
    }
  | {
      readonly do: "rename";
      readonly parent: number;
      readonly name: string;
      readonly toParent: number;
      readonly toName: string;
      readonly ino: number;
    }
  | {
      readonly do: "write";
      readonly ino: number;
      readonly offset: number;
      readonly data: Uint8Array;
    }
  | { readonly do: "truncate"; readonly ino: number; readonly size: number }
  /** fsync(2) or fdatasync(2) of a file, or fsync of a directory, as it was answered. */
  | { readonly do: "sync"; readonly ino: number }
);

/** DiskOperation without the time, each alternative for itself. */
export type DiskChange<T = DiskOperation> = T extends DiskOperation ? Omit<T, "at"> : never;
