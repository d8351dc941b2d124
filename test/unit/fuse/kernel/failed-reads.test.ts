import { expect, test, vi } from "vitest";
import type { FileHandle } from "../../../../src/fs/file-system.ts";
import { FailedReads } from "../../../../src/fuse/kernel/failed-reads.ts";
import { FsError } from "../../../../src/posix/errno.ts";

const handle = {} as FileHandle;

/** Fails after `ms`. */
function failing(ms: number, code: "EIO" | "EINTR" = "EIO") {
  return vi.fn<() => Promise<never>>(async () => {
    await new Promise((resolve) => setTimeout(resolve, ms));
    throw new FsError(code, "Cannot read");
  });
}

test("a READ that is repeated at once fails with the first one's error, once", async () => {
  const reads = new FailedReads();
  const first = failing(600);
  await expect(reads.run(handle, 4096, first)).rejects.toMatchObject({ code: "EIO" });
  const second = vi.fn<() => string>(() => "bytes");
  expect(() => reads.run(handle, 4096, second)).toThrow("Cannot read");
  expect(second).not.toHaveBeenCalled();
  expect(reads.run(handle, 4096, second)).toBe("bytes");
});

test("other offsets, other handles and other failures are asked for", async () => {
  const reads = new FailedReads();
  await expect(reads.run(handle, 0, failing(600))).rejects.toThrow("Cannot read");
  expect(reads.run(handle, 4096, () => "bytes")).toBe("bytes");
  expect(reads.run({} as FileHandle, 0, () => "bytes")).toBe("bytes");
  for (const soon of [failing(1), failing(600, "EINTR")]) {
    const other = {} as FileHandle;
    await expect(reads.run(other, 0, soon)).rejects.toThrow("Cannot read");
    expect(reads.run(other, 0, () => "bytes")).toBe("bytes");
  }
});
