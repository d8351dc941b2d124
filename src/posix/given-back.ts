// Memory that is used again.
import { debuglog } from "node:util";

const isPoisoned = debuglog("pailfs-poison").enabled;

/** Overwrites memory that was given back, with NODE_DEBUG=pailfs-poison: tests then see who still looks at it. */
export function poison(memory: Uint8Array): void {
  if (isPoisoned) memory.fill(0xdb);
}
