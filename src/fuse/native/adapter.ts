import { setMaxListeners } from "node:events";
import type { CallContext, FileSystem } from "../../fs/file-system.ts";
import { OperationCounts } from "../operation-counts.ts";
import { OpenFiles } from "./open-files.ts";

/** The state between one libfuse mount and one FileSystem. */
export class NativeAdapter {
  readonly fileSystem: FileSystem;
  readonly files = new OpenFiles();
  /** Of every call: fuse-native does not tell who calls, nor when they gave up. */
  readonly context: CallContext;
  /** Calls not yet answered. */
  inFlight = 0;
  readonly counts = new OperationCounts();

  constructor(fileSystem: FileSystem, owner: { readonly uid: number; readonly gid: number }) {
    this.fileSystem = fileSystem;
    const { signal } = new AbortController();
    // each call that waits listens to it
    setMaxListeners(0, signal);
    this.context = { uid: owner.uid, gid: owner.gid, pid: 0, umask: 0, signal };
  }
}
