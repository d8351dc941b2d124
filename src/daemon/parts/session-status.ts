// What a mounted session tells `pailfs status`.
import type { MountCounts } from "../../fuse/session.ts";
import type { MountStatus } from "../status.ts";

/** A snapshot of what the adapter holds and has answered. */
export function sessionStatus(
  counts: MountCounts,
): Pick<MountStatus, "passthrough" | "threadHandles" | "fuse"> {
  const { passthrough, threadHandles, answered, inFlight, files, nodes } = counts;
  return {
    passthrough,
    ...(threadHandles === undefined ? {} : { threadHandles }),
    fuse: {
      answers: answered.answers(),
      readBytes: answered.readBytes,
      writtenBytes: answered.writtenBytes,
      inFlight,
      openFiles: files,
      names: nodes,
    },
  };
}
