// INIT, and the messages about the connection rather than about a file.
import { Errno } from "../../posix/errno.ts";
import { log } from "../../log.ts";
import {
  InitFlag,
  InitFlag2,
  KERNEL_MAJOR,
  KERNEL_MINOR,
  MAX_PAGES,
  MAX_WRITE,
  OLDEST_MINOR,
  Opcode,
} from "./abi.ts";
import { type Operation, operation } from "./operation-row.ts";
import { DONE, type InitReply, NONE } from "./reply.ts";

/** What the kernel offers in INIT. */
export interface InitOffer {
  readonly major: number;
  readonly minor: number;
  readonly maxReadahead: number;
  readonly flags: number;
  readonly flags2: number;
}

// Each is asked for only where offered. Left out on purpose: both kinds of locks (the kernel then keeps them local, right
// for one host), WRITEBACK_CACHE (the kernel would own sizes and times), DONT_MASK, POSIX_ACL, NO_OPEN.
const WANTED =
  InitFlag.ASYNC_READ |
  InitFlag.ATOMIC_O_TRUNC |
  InitFlag.BIG_WRITES |
  InitFlag.AUTO_INVAL_DATA |
  InitFlag.DO_READDIRPLUS |
  InitFlag.READDIRPLUS_AUTO |
  InitFlag.ASYNC_DIO |
  InitFlag.PARALLEL_DIROPS |
  InitFlag.ABORT_ERROR |
  InitFlag.MAX_PAGES |
  InitFlag.CACHE_SYMLINKS |
  InitFlag.HANDLE_KILLPRIV_V2 |
  InitFlag.INIT_EXT;

/** The answer to an offer; undefined for a kernel that is too old. */
export function negotiate(
  offer: InitOffer,
  wishes: { readonly maxReadahead: number; readonly passthrough: boolean },
): InitReply | undefined {
  if (offer.major < KERNEL_MAJOR || (offer.major === KERNEL_MAJOR && offer.minor < OLDEST_MINOR)) {
    return undefined;
  }
  const flags = offer.flags & WANTED;
  const offered2 = (flags & InitFlag.INIT_EXT) === 0 ? 0 : offer.flags2;
  const flags2 = wishes.passthrough ? offered2 & InitFlag2.PASSTHROUGH : 0;
  return {
    major: KERNEL_MAJOR,
    minor: Math.min(KERNEL_MINOR, offer.major > KERNEL_MAJOR ? KERNEL_MINOR : offer.minor),
    maxReadahead: Math.max(offer.maxReadahead, wishes.maxReadahead),
    flags,
    flags2,
    // backing files must lie on a real file system, not on a stacked one (fs/fuse/passthrough.c)
    maxStackDepth: flags2 === 0 ? 0 : 1,
    maxBackground: 128,
    congestionThreshold: 96,
    maxWrite: MAX_WRITE,
    maxPages: MAX_PAGES,
  };
}

/** A BATCH_FORGET may bring 65k nodes: other requests get their turn after this many (about 4 ms). */
const FORGET_SLICE = 2000;

/** INIT, FORGET, BATCH_FORGET, DESTROY; INTERRUPT is the connection's. */
export const connectionOperations: readonly Operation[] = [
  operation({
    opcode: Opcode.INIT,
    name: "INIT",
    parse: (body): InitOffer => ({
      major: body.u32(),
      minor: body.u32(),
      maxReadahead: body.u32(),
      flags: body.u32(),
      // absent before Linux 5.17
      flags2: body.remaining >= 4 ? body.u32() : 0,
    }),
    handle(adapter, _request, offer) {
      const { maxReadahead, backingCalls, onInit } = adapter.options;
      const granted = negotiate(offer, { maxReadahead, passthrough: backingCalls !== undefined });
      if (granted === undefined) {
        log.error("this kernel speaks FUSE %d.%d, 7.31 is needed", offer.major, offer.minor);
        onInit(undefined);
        return { kind: "error", errno: Errno.EPROTO };
      }
      if (granted.flags2 === 0) adapter.ioModes.disable();
      onInit(granted);
      return { kind: "init", init: granted };
    },
  }),
  operation({
    opcode: Opcode.FORGET,
    name: "FORGET",
    parse: (body) => ({ nlookup: body.u64() }),
    handle(adapter, request, { nlookup }) {
      adapter.nodes.forget(request.nodeid, nlookup);
      return NONE;
    },
  }),
  operation({
    opcode: Opcode.BATCH_FORGET,
    name: "BATCH_FORGET",
    parse(body) {
      const count = body.u32();
      body.skip(4);
      const pairs: number[] = [];
      for (let index = 0; index < count; index++) pairs.push(body.u64(), body.u64());
      return { pairs };
    },
    handle(adapter, _request, { pairs }) {
      const slice = (start: number): void => {
        const end = Math.min(pairs.length, start + FORGET_SLICE * 2);
        for (let at = start; at < end; at += 2) {
          adapter.nodes.forget(pairs[at] ?? 0, pairs[at + 1] ?? 0);
        }
        if (end < pairs.length) setImmediate(slice, end);
      };
      slice(0);
      return NONE;
    },
  }),
  operation({
    opcode: Opcode.DESTROY,
    name: "DESTROY",
    parse: () => ({}),
    handle: () => DONE,
  }),
];
