"""A program that writes files over and over, and keeps books of what close(2) promised it."""

import hashlib
import os
import pathlib
import random
import threading
import time
from dataclasses import dataclass

NAMES = 60
SIZES = (1, 4000, 30_000, 100_000)


@dataclass(frozen=True)
class Content:
    """What tells one content from any other."""

    sha256: str
    md5: str

    @classmethod
    def of(cls, data: bytes) -> "Content":
        md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
        return cls(hashlib.sha256(data).hexdigest(), md5)


class Writer:
    """Writes between `start` and `pause`; knows for each name what may be in the bucket."""

    def __init__(self, root: pathlib.Path, rng: random.Random) -> None:
        self.root, self.rng = root, rng
        self.acknowledged: dict[str, Content] = {}
        # contents written after the last acknowledged one
        self.attempted: dict[str, set[Content]] = {}
        self.written: dict[str, set[Content]] = {}
        self.closes = self.failed = 0
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._stopping.clear()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def pause(self) -> None:
        """Returns when no call of ours is under way."""
        self._stopping.set()
        if self._thread is None:
            return
        self._thread.join(30)
        if self._thread.is_alive():
            raise RuntimeError("a call to a mount whose daemon is dead did not return within 30 s")
        self._thread = None

    def _run(self) -> None:
        while not self._stopping.is_set():
            if not self.write_one():
                # not mounted just now
                time.sleep(0.02)

    def write_one(self) -> bool:
        """Creates or overwrites one file; whether close(2) said that all is well."""
        name = f"f{self.rng.randrange(NAMES)}"
        data = self.rng.randbytes(self.rng.choice(SIZES))
        content = Content.of(data)
        self.attempted.setdefault(name, set()).add(content)
        self.written.setdefault(name, set()).add(content)
        try:
            fd = os.open(self.root / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
            try:
                rest = memoryview(data)
                while rest:
                    rest = rest[os.write(fd, rest) :]
            finally:
                os.close(fd)
        except OSError:
            self.failed += 1
            return False
        self.closes += 1
        self.acknowledged[name] = content
        self.attempted[name] = set()
        return True

    def judge(self, found: dict[str, str | None]) -> dict[str, int]:
        """Of contents by name (SHA-256, None: no file): `lost` are older or none, `torn` what was never written."""
        counts = {"lost": 0, "torn": 0}
        for name, content in self.acknowledged.items():
            digest = found.get(name)
            allowed = {content.sha256, *(each.sha256 for each in self.attempted[name])}
            if digest in allowed:
                continue
            ever = {each.sha256 for each in self.written[name]}
            counts["lost" if digest is None or digest in ever else "torn"] += 1
        return counts
