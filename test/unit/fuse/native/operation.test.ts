import { expect, test, vi } from "vitest";
import { NativeAdapter } from "../../../../src/fuse/native/adapter.ts";
import { attributeOperations } from "../../../../src/fuse/native/attributes.ts";
import { fileOperations } from "../../../../src/fuse/native/files.ts";
import type { FuseObject, Signal } from "../../../../src/fuse/native/fuse-native.ts";
import { nameOperations } from "../../../../src/fuse/native/names.ts";
import { install } from "../../../../src/fuse/native/operation.ts";
import type { FileSystem } from "../../../../src/fs/file-system.ts";
import { Errno } from "../../../../src/posix/errno.ts";
import { MemoryFileSystem } from "../../../support/memory-file-system.ts";

type Call = (name: string, ...args: readonly unknown[]) => Promise<readonly unknown[]>;

/** The package with our handlers on `fileSystem`: calls one as libfuse would. */
function installed(fileSystem: FileSystem): { adapter: NativeAdapter; call: Call } {
  const fuse = {} as FuseObject;
  const adapter = new NativeAdapter(fileSystem, { uid: 1, gid: 2 });
  install(fuse, adapter, [...attributeOperations, ...fileOperations, ...nameOperations]);
  const call: Call = (name, ...args) =>
    new Promise((resolve) => {
      const signal: Signal = (...answer) => resolve(answer);
      fuse[`_op_${name}`]?.(signal, ...args);
    });
  return { adapter, call };
}

test("an exception becomes EIO, and lent memory is given back", async () => {
  vi.spyOn(process.stderr, "write").mockReturnValue(true);
  const memory = new MemoryFileSystem();
  const { adapter, call } = installed(memory);
  const [, fh] = await call("create", "/f", 0o100644);
  memory.lookup = () => {
    throw new TypeError("a bug");
  };
  expect((await call("getattr", "/f"))[0]).toBe(-Errno.EIO);
  const lent = Buffer.alloc(8);
  expect(await call("read", "/f", fh, lent, 8, 0, 0)).toEqual([0, 0, lent.buffer]);
  expect(await call("write", "/f", 99, lent, 8, 0, 0)).toEqual([-Errno.EBADF, 0, lent.buffer]);
  expect(adapter.inFlight).toBe(0);
});

test("a name that somebody else made between lookup and create makes the kernel look again", async () => {
  const { call } = installed(new MemoryFileSystem());
  await call("create", "/f", 0o100644);
  expect(await call("create", "/f", 0o100644)).toEqual([-Errno.ESTALE]);
});

test("open files follow the renames of what is above them, and stay when they are unlinked", async () => {
  const { adapter, call } = installed(new MemoryFileSystem());
  await call("mkdir", "/d", 0o755);
  const [, fh] = await call("create", "/d/f", 0o100644);
  expect(fh).toBe(1);
  await call("rename", "/d", "/e");
  const hidden = "/e/.fuse_hidden0000000300000001";
  expect(await call("getattr", hidden)).toEqual([-Errno.ENOENT]);
  expect(await call("rename", "/e/f", hidden)).toEqual([0]);
  expect((await call("getattr", "/e/f"))[0]).toBe(-Errno.ENOENT);
  expect((await call("getattr", hidden))[0]).toBe(0);
  expect(await call("chmod", hidden, 0o600)).toEqual([0]);
  expect(await call("release", hidden, fh)).toEqual([0]);
  expect(await call("unlink", hidden)).toEqual([0]);
  expect(await call("getattr", hidden)).toEqual([-Errno.ENOENT]);
  expect(adapter.files.size).toBe(0);
});

test("a file that is removed by the name of a closed one is removed", async () => {
  const { call } = installed(new MemoryFileSystem());
  const [, fh] = await call("create", "/f", 0o100644);
  await call("release", "/f", fh);
  expect(await call("unlink", "/f")).toEqual([0]);
  expect((await call("getattr", "/f"))[0]).toBe(-Errno.ENOENT);
});
