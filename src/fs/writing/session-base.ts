// The content a session starts from, when it does not start empty.
import type { StagedFile } from "../../spool/spool.ts";
import { pinned } from "../reading/object-handle.ts";
import type { ObjectReader } from "../reading/object-reader.ts";
import { WHOLE_OBJECT } from "../reading/object-segments.ts";
import type { SessionBase } from "./write-session.ts";

/** Bytes copied at a time (1 MiB). */
const COPY_STEP = 1024 * 1024;

/** Starts from an object version; `release` ends the reader's use. */
export function objectBase(
  reader: ObjectReader,
  release: () => void,
  replaced: () => void,
): SessionBase {
  const { size } = reader.version;
  const bytes = (start: number, end: number, signal: AbortSignal): Promise<Uint8Array[]> =>
    pinned(reader.version.key, reader.read(start, end, signal, WHOLE_OBJECT), replaced);
  return {
    size,
    read: async (offset, length, signal) => {
      const end = Math.min(offset + length, size);
      return offset >= end ? [] : bytes(offset, end, signal);
    },
    copyTo: async (staged, wanted) => {
      const { signal } = new AbortController();
      for (let at = 0; at < wanted; at += COPY_STEP) {
        const end = Math.min(at + COPY_STEP, wanted);
        reader.prefetch(at, Math.min(at + 2 * WHOLE_OBJECT, wanted));
        let offset = at;
        // lent for this turn only
        const copies = (await bytes(at, end, signal)).map((piece) => new Uint8Array(piece));
        for (const piece of copies) {
          await staged.write(offset, piece);
          offset += piece.length;
        }
      }
    },
    release,
  };
}

/** Starts from content that was closed and is not uploaded yet. */
export function stagedBase(from: StagedFile): SessionBase {
  const { size } = from.stat();
  return {
    size,
    read: async (offset, length) => {
      const bytes = await from.read(offset, Math.min(length, Math.max(0, size - offset)));
      return bytes.length === 0 ? [] : [bytes];
    },
    copyTo: async (staged, wanted) => {
      for (let at = 0; at < wanted; at += COPY_STEP) {
        await staged.write(at, await from.read(at, Math.min(COPY_STEP, wanted - at)));
      }
    },
    release: () => from.release(),
  };
}
