# Programs at work on a mount, until standard input ends; then one JSON line says what they did and what they saw.
# argv: a JSON object {root, seed, writers, pauseMs, bytes, changers, large, cached: {name: md5}, remote: {prefix, count}}.
#
# writers make new files in w0, w1, ... ; changers write, append, rename, remove and read back in c0, c1, ...; `large`: one
# more overwrites a file of 6 MB; one reader of `cached` files and one of `remote` objects, each read once.
import errno
import hashlib
import json
import os
import random
import sys
import threading
import time

plan = json.loads(sys.argv[1])
root = plan["root"]
stop = threading.Event()
lock = threading.Lock()
# content by path as of the last acknowledged call, paths of which a call failed, and what programs were told
expected: dict[str, str] = {}
uncertain: set[str] = set()
errors: dict[str, int] = {}
failures: list[str] = []
wrong: list[str] = []
longest: dict[str, float] = {}
calls: dict[str, int] = {}


def md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def call(kind: str, work):
    """Runs one call; None when it failed, which is noted."""
    started = time.monotonic()
    result = None
    try:
        result = work()
        if result is None:
            result = True
    except OSError as error:
        with lock:
            name = f"{kind} {errno.errorcode.get(error.errno, error.errno)}"
            errors[name] = errors.get(name, 0) + 1
            failures.append(f"{time.time():.3f} {kind}: {error}")
    took = (time.monotonic() - started) * 1000
    with lock:
        calls[kind] = calls.get(kind, 0) + 1
        longest[kind] = max(longest.get(kind, 0), took)
    return result


def write(path: str, data: bytes, flags: int, offset: int = 0) -> None:
    fd = os.open(f"{root}/{path}", os.O_WRONLY | flags, 0o644)
    try:
        os.pwrite(fd, data, offset) if offset else os.write(fd, data)
    finally:
        os.close(fd)


def read(path: str) -> bytes:
    with open(f"{root}/{path}", "rb", buffering=0) as file:
        return file.readall()


def compare(kind: str, path: str, digest: str) -> None:
    data = call(kind, lambda: read(path))
    if isinstance(data, bytes) and md5(data) != digest:
        with lock:
            wrong.append(path)


def writer(index: int) -> None:
    rng = random.Random(f"{plan['seed']} writer {index}")
    number = 0
    while not stop.is_set():
        path = f"w{index}/f{number}"
        number += 1
        data = rng.randbytes(plan["bytes"])
        done = call("write", lambda: write(path, data, os.O_CREAT | os.O_TRUNC))
        with lock:
            if done:
                expected[path] = md5(data)
            else:
                uncertain.add(path)
        stop.wait(plan["pauseMs"] / 1000)


class Changer:
    """Changes the files of one directory, which nobody else does."""

    def __init__(self, index: int) -> None:
        self.rng = random.Random(f"{plan['seed']} changer {index}")
        self.folder = f"c{index}/a"
        self.files: dict[str, bytes] = {}
        # names of which a call failed: they go along when the folder moves
        self.doubted: set[str] = set()

    def run(self) -> None:
        steps = [self.create] * 4 + [self.append, self.patch, self.rename, self.remove, self.look]
        while not stop.is_set():
            (self.move_folder if self.rng.random() < 0.03 else self.rng.choice(steps))()
            stop.wait(plan["pauseMs"] / 1000)
        with lock:
            expected.update({f"{self.folder}/{n}": md5(d) for n, d in self.files.items()})

    def known(self) -> str | None:
        return self.rng.choice(sorted(self.files)) if self.files else None

    def change(self, kind: str, name: str, data: bytes | None, work) -> None:
        if call(kind, work):
            self.files.pop(name, None)
            if data is not None:
                self.files[name] = data
        else:
            self.files.pop(name, None)
            self.doubt(name)

    def doubt(self, *names: str) -> None:
        self.doubted.update(names)
        with lock:
            uncertain.update(f"{self.folder}/{name}" for name in self.doubted)

    def create(self) -> None:
        name = f"f{self.rng.randrange(12)}"
        data = self.rng.randbytes(self.rng.choice([0, 1, 5000, 60_000]))
        path = f"{self.folder}/{name}"
        self.change("write", name, data, lambda: write(path, data, os.O_CREAT | os.O_TRUNC))

    def append(self) -> None:
        if (name := self.known()) is None:
            return
        more = self.rng.randbytes(3000)
        path = f"{self.folder}/{name}"
        grown = self.files[name] + more
        self.change("append", name, grown, lambda: write(path, more, os.O_APPEND))

    def patch(self) -> None:
        if (name := self.known()) is None or len(self.files[name]) < 100:
            return
        old, more = self.files[name], self.rng.randbytes(50)
        path = f"{self.folder}/{name}"
        data = old[:40] + more + old[90:]
        self.change("write", name, data, lambda: write(path, more, 0, 40))

    def rename(self) -> None:
        if (name := self.known()) is None:
            return
        to = f"r{self.rng.randrange(6)}"
        if to == name:
            return
        data = self.files[name]
        done = call("rename", lambda: os.rename(self.at(name), self.at(to)))
        self.files.pop(name)
        self.files.pop(to, None)
        if done:
            self.files[to] = data
        else:
            self.doubt(name, to)

    def remove(self) -> None:
        if (name := self.known()) is not None:
            self.change("unlink", name, None, lambda: os.unlink(self.at(name)))

    def look(self) -> None:
        if (name := self.known()) is not None:
            compare("read", f"{self.folder}/{name}", md5(self.files[name]))

    def move_folder(self) -> None:
        parent, _, last = self.folder.partition("/")
        to = f"{parent}/{'b' if last == 'a' else 'a'}"
        if call("rename", lambda: os.rename(f"{root}/{self.folder}", f"{root}/{to}")):
            self.folder = to
            self.doubt()

    def at(self, name: str) -> str:
        return f"{root}/{self.folder}/{name}"


def large() -> None:
    rng = random.Random(f"{plan['seed']} large")
    while not stop.is_set():
        data = rng.randbytes(6_000_000)
        done = call("write", lambda: write("big/large", data, os.O_CREAT | os.O_TRUNC))
        with lock:
            if done:
                expected["big/large"] = md5(data)
            else:
                uncertain.add("big/large")
        stop.wait(1)


def read_cached() -> None:
    while not stop.is_set():
        for name, digest in plan["cached"].items():
            compare("read cached", name, digest)
        stop.wait(0.02)


def read_remote() -> None:
    remote = plan["remote"]
    ramp = bytes(i % 251 for i in range(remote["size"]))
    for number in range(remote["count"]):
        if stop.is_set():
            return
        compare("read remote", f"{remote['prefix']}{number}", md5(ramp))
        stop.wait(0.02)


def main() -> None:
    for index in range(plan["writers"]):
        os.makedirs(f"{root}/w{index}", exist_ok=True)
    os.makedirs(f"{root}/big", exist_ok=True)
    for index in range(plan["changers"]):
        os.makedirs(f"{root}/c{index}/a", exist_ok=True)
    work = [lambda index=index: writer(index) for index in range(plan["writers"])]
    work += [Changer(index).run for index in range(plan["changers"])]
    work += [large] if plan["large"] else []
    work += [read_cached] if plan["cached"] else []
    work += [read_remote] if plan["remote"]["count"] else []
    threads = [threading.Thread(target=one, daemon=True) for one in work]
    for thread in threads:
        thread.start()
    print("started", flush=True)
    sys.stdin.read()
    stop.set()
    for thread in threads:
        thread.join()
    told = {
        "expected": {path: digest for path, digest in expected.items() if path not in uncertain},
        "uncertain": sorted(uncertain),
        "errors": errors,
        "failures": failures[:20],
        "wrong": wrong,
        "longestMs": longest,
        "calls": calls,
    }
    print(json.dumps(told), flush=True)


main()
