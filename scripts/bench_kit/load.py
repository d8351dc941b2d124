"""What the measured callers do; always in this process, never in the daemon's."""

import os
import threading
import time
from collections.abc import Callable, Sequence

_CHUNK = 2**20
_BLOCK = os.urandom(_CHUNK)


def at_once(count: int, call: Callable[[int], object]) -> float:
    """Seconds until `count` threads that start together have all done `call(index)`."""
    failures: list[BaseException] = []
    gate = threading.Barrier(count + 1)

    def work(index: int) -> None:
        gate.wait()
        try:
            call(index)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(count)]
    for thread in threads:
        thread.start()
    gate.wait()
    started = time.monotonic()
    for thread in threads:
        thread.join()
    took = time.monotonic() - started
    if failures:
        raise failures[0]
    return took


def read_all(path: str | os.PathLike[str]) -> tuple[float, float, int]:
    """Reads to the end: seconds to the first byte (the file being open), seconds to the end, bytes."""
    buffer = memoryview(bytearray(_CHUNK))
    with open(path, "rb", buffering=0) as file:
        started = time.monotonic()
        total = file.readinto(buffer[:4096]) or 0
        first = time.monotonic() - started
        while count := file.readinto(buffer):
            total += count
        return first, time.monotonic() - started, total


def write_file(path: str | os.PathLike[str], size: int) -> tuple[float, float]:
    """Seconds from open to the return of close, and of close alone."""
    started = time.monotonic()
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    left = size
    while left > 0:
        left -= os.write(fd, memoryview(_BLOCK)[: min(left, _CHUNK)])
    closing = time.monotonic()
    os.close(fd)
    ended = time.monotonic()
    return ended - started, ended - closing


def percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def block(size: int) -> bytes:
    """Bytes that do not compress."""
    return (_BLOCK * (size // _CHUNK + 1))[:size]
