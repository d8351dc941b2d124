// Which bytes an open file, a mapping and a name show when the content behind the name is replaced, and how opens of
// every kind share an inode. By read, write and mmap, with and without passthrough.
import { readFile, stat, writeFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import type { ChildMount } from "../support/mount/mount-in-child.ts";
import { waitUntil } from "../support/mount/wait-until.ts";
import { agent, mount as mountAny } from "./mount-fixture.ts";

/** Opens `p` in an agent and maps it; `s` then shows what that open sees by read, mmap and fstat. */
async function reader(mounted: ChildMount, name: string): Promise<() => Promise<unknown>> {
  const other = agent();
  await other.run(
    "f = os.open(p, os.O_RDONLY); m = mmap.mmap(f, 0, prot=mmap.PROT_READ, flags=mmap.MAP_SHARED)",
    { p: mounted.path(name) },
  );
  return () =>
    other.run("s = os.fstat(f).st_size; result = [os.pread(f, 100, 0).decode(), m[:].decode(), s]");
}

describe.each(["auto", "off"] as const)("passthrough %s", (passthrough) => {
  async function mount(replaceOnTruncate: boolean): Promise<ChildMount> {
    return mountAny({
      backed: true,
      mount: { passthrough },
      fileSystem: { replaceOnTruncate },
    });
  }

  test("O_TRUNC over old content: others see the old until the close, the writer the new", async () => {
    const mounted = await mount(true);
    const path = mounted.path("f");
    await writeFile(path, "old content");
    const old = await reader(mounted, "f");
    const writer = agent();
    await writer.run("w = os.open(p, os.O_RDWR | os.O_TRUNC)", { p: path });
    await writer.run("os.write(w, b'new')");
    const view = "result = [os.fstat(w).st_size, os.pread(w, 9, 0).decode()]";
    expect(await writer.run(view)).toEqual([3, "new"]);
    expect(await readFile(path, "utf8")).toBe("old content");
    expect((await stat(path)).size).toBe(11);
    expect(await old()).toEqual(["old content", "old content", 11]);
    await writer.run("os.close(w)");
    expect((await stat(path)).size).toBe(3);
    expect(await readFile(path, "utf8")).toBe("new");
    expect(await old()).toEqual(["old content", "old content", 11]);
  });

  test("open with O_CREAT and O_TRUNC on a name that is there works the same", async () => {
    const mounted = await mount(true);
    const path = mounted.path("f");
    for (let round = 0; round < 20; round++) {
      await writeFile(path, `round ${round}`);
      expect(await readFile(path, "utf8")).toBe(`round ${round}`);
      expect((await stat(path)).size).toBe(`round ${round}`.length);
    }
    expect((await mounted.counts()).files).toBe(0);
  });

  test("writers that replace one name at the same time leave one of their contents", async () => {
    const mounted = await mount(true);
    const path = mounted.path("f");
    await writeFile(path, "start");
    const texts = Array.from({ length: 30 }, (_, index) => `content ${index} `.repeat(index + 1));
    const outcomes = await Promise.allSettled(texts.map((text) => writeFile(path, text)));
    expect(outcomes.filter(({ status }) => status === "rejected")).toEqual([]);
    expect(texts).toContain(await readFile(path, "utf8"));
    await waitUntil("all is released", async () => (await mounted.counts()).files === 0);
  });

  test("a name that another host replaced is opened anew, its readers keep what they opened", async () => {
    const mounted = await mount(false);
    const path = mounted.path("f");
    await writeFile(path, "first version");
    const first = await reader(mounted, "f");
    await mounted.command({ do: "replace", path: "/f", text: "second" });
    // the kernel still believes in the first
    const second = await reader(mounted, "f");
    expect(await second()).toEqual(["second", "second", 6]);
    expect(await first()).toEqual(["first version", "first version", 13]);
    expect((await stat(path)).size).toBe(6);
  });

  test("an open file whose name another host removed goes on, with attributes", async () => {
    const mounted = await mountAny({
      backed: true,
      mount: { passthrough },
      fileSystem: { validMs: 0 },
    });
    await writeFile(mounted.path("f"), "content");
    const open = await reader(mounted, "f");
    await mounted.command({ do: "remove", path: "/f" });
    expect(await open()).toEqual(["content", "content", 7]);
    await expect(stat(mounted.path("f"))).rejects.toMatchObject({ code: "ENOENT" });
    expect(await open()).toEqual(["content", "content", 7]);
    await writeFile(mounted.path("f"), "new");
    expect(await open()).toEqual(["content", "content", 7]);
    expect(await readFile(mounted.path("f"), "utf8")).toBe("new");
  });

  test("every kind of open beside every other one reads, writes and maps the same bytes", async () => {
    const mounted = await mount(false);
    const path = mounted.path("f");
    await writeFile(path, "0123456789");
    const read = await reader(mounted, "f");
    const writer = agent();
    await writer.run(
      "w = os.open(p, os.O_RDWR); m = mmap.mmap(w, 0); a = os.open(p, os.O_WRONLY | os.O_APPEND)",
      { p: path },
    );
    await writer.run("os.pwrite(w, b'ab', 0)");
    expect(await read()).toEqual(["ab23456789", "ab23456789", 10]);
    await writer.run("m[2:4] = b'cd'; m.flush()");
    expect(await read()).toEqual(["abcd456789", "abcd456789", 10]);
    await writer.run("os.write(a, b'!')");
    expect(await writer.run("result = os.fstat(w).st_size")).toBe(11);
    expect(await readFile(path, "utf8")).toBe("abcd456789!");
    await writer.run("m.close(); os.close(a); os.close(w)");
    expect(await readFile(path, "utf8")).toBe("abcd456789!");
  });

  test("READ and WRITE reach the daemon only without passthrough", async () => {
    const mounted = await mount(false);
    await writeFile(mounted.path("f"), "x".repeat(100_000));
    await readFile(mounted.path("f"));
    const calls = await mounted.calls();
    const isSeen = {
      read: calls["file.read"] !== undefined,
      write: calls["file.write"] !== undefined,
    };
    expect(isSeen).toEqual({ read: passthrough === "off", write: passthrough === "off" });
    expect((await mounted.counts()).passthrough).toBe(passthrough === "auto");
  });

  test("an open without a name to look up again gets the present bytes, uncached", async () => {
    const mounted = await mount(false);
    await writeFile(mounted.path("f"), "one");
    const other = agent();
    await other.run("d = os.open(p, os.O_PATH)", { p: mounted.path("f") });
    await mounted.command({ do: "replace", path: "/f", text: "second" });
    // the kernel's second try meets the same inode again
    await other.run("f = os.open('/proc/self/fd/%d' % d, os.O_RDONLY)");
    expect(await other.run("result = os.pread(f, 9, 0).decode()")).toBe("second");
    await other.run("os.close(f); os.close(d)");
    expect(await readFile(mounted.path("f"), "utf8")).toBe("second");
    await waitUntil("all is released", async () => (await mounted.counts()).files === 0);
  });
});

describe("notifications", () => {
  async function mount(delays: Readonly<Record<string, number>>): Promise<ChildMount> {
    return mountAny({ fileSystem: { validMs: 600_000 }, delays });
  }

  test("a replaced name is seen at once, however long answers may be kept", async () => {
    const mounted = await mount({});
    await writeFile(mounted.path("f"), "one");
    expect((await stat(mounted.path("f"))).size).toBe(3);
    await mounted.command({ do: "replace", path: "/f", text: "second" });
    expect((await stat(mounted.path("f"))).size).toBe(3);
    await mounted.command({ do: "announce", change: { kind: "entry", path: "/f" } });
    await waitUntil("the new size", async () => (await stat(mounted.path("f"))).size === 6);
    expect(await readFile(mounted.path("f"), "utf8")).toBe("second");
  });

  test.each([
    ["lookup", "entry"],
    ["lookup", "attributes"],
    ["create", "entry"],
    ["file.read", "data"],
    ["file.read", "attributes"],
    ["file.write", "data"],
  ] as const)("one that meets a %s in flight (%s) does not hang", async (operation, kind) => {
    const mounted = await mount({});
    await writeFile(mounted.path("f"), "one");
    await mounted.command({ do: "delays", delays: { [operation]: 400 } });
    const path = operation === "lookup" || operation === "create" ? "new" : "f";
    const used =
      operation === "file.write" || operation === "create"
        ? writeFile(mounted.path(path), "two")
        : readFile(mounted.path(path)).catch(() => undefined);
    await waitUntil("it is in flight", async () => (await mounted.counts()).inFlight > 0);
    for (let round = 0; round < 5; round++) {
      await mounted.command({ do: "announce", change: { kind, path: `/${path}` } });
      await mounted.command({ do: "announce", change: { kind, path: "/f" } });
    }
    await used;
    await mounted.command({ do: "delays", delays: {} });
    await writeFile(mounted.path("g"), "still there");
    expect(await readFile(mounted.path("g"), "utf8")).toBe("still there");
  });
});
