// The opcode table as a whole.
import { attributeOperations } from "./attributes.ts";
import { directoryOperations } from "./directories.ts";
import { fileOperations } from "./files.ts";
import { connectionOperations } from "./init.ts";
import { nameOperations } from "./names.ts";
import { openOperations } from "./open.ts";
import type { Operation } from "./operation-row.ts";
import { xattrOperations } from "./xattrs.ts";

const table: (Operation | undefined)[] = [];
for (const row of [
  ...connectionOperations,
  ...nameOperations,
  ...attributeOperations,
  ...openOperations,
  ...fileOperations,
  ...directoryOperations,
  ...xattrOperations,
]) {
  table[row.opcode] = row;
}

/** The operation of an opcode; undefined is answered ENOSYS, after which the kernel does without it. */
export function operationFor(opcode: number): Operation | undefined {
  return table[opcode];
}
