"""The cases that write."""

import os
import pathlib
import subprocess
import time
from collections.abc import Callable

from . import load
from .file_systems import FileSystem
from .run import DATA, MIB, Result, Run

_SMALL = 4096
_MEDIUM = 100_000


def write_large(run: Run, system: FileSystem) -> Result:
    """A large new file: close, then its object."""
    size = run.sizes.big_mib * MIB
    with run.work_mount(system) as (mount, bucket):
        os.listdir(mount.root / "dir")
        mount.processes.reset_peak()
        with run.server.counting() as requests:
            closed, _ = load.write_file(mount.root / "dir/large", size)
            more = run.wait_for(
                lambda: run.client.size(bucket, "dir/large") == size, f"{system.name}'s upload"
            )
        figures = {"close": closed, "stored": closed + more, "peak": mount.processes.peak_mib()}
        return Result(figures, requests)


def write_large_bound(run: Run) -> dict[str, float]:
    """dd to the same disk, and one PUT by curl."""
    plain = run.work / "plain"
    dd = ["dd", "if=/dev/zero", f"of={plain}", "bs=1M", f"count={run.sizes.big_mib}"]
    started = time.monotonic()
    subprocess.run([*dd, "conv=fdatasync"], check=True, capture_output=True)
    closed = time.monotonic() - started
    stored, _ = run.curl(f"{DATA}/plain", "--upload-file", str(plain))
    plain.unlink()
    run.client.delete(DATA, "plain")
    return {"close": closed, "stored": stored}


def close_medium(run: Run, system: FileSystem) -> Result:
    """close() of 100 KB files, one after the other."""
    with run.work_mount(system) as (mount, bucket):
        folder = mount.root / "dir"
        os.listdir(folder)
        with run.server.counting() as requests:
            took = [
                load.write_file(folder / f"medium-{n}", _MEDIUM) for n in range(run.sizes.closes)
            ]
            _wait_stored(run, system, bucket, "dir/medium-", run.sizes.closes)
        return Result(_close_figures(took), requests)


def close_medium_bound(run: Run) -> dict[str, float]:
    """write + fdatasync of the same on the plain disk."""
    took = []
    for number in range(run.sizes.closes):
        took.append(_write_plain(run.work / f"medium-{number}"))
        (run.work / f"medium-{number}").unlink()
    return _close_figures(took)


def close_by_eight(run: Run, system: FileSystem) -> Result:
    """100 KB files by eight writers at once: how many they close per second."""
    with run.work_mount(system) as (mount, bucket):
        folder = mount.root / "dir"
        os.listdir(folder)
        with run.server.counting() as requests:
            count = run.sizes.closes_of_eight
            rate = _rate_of_eight(count, lambda n: load.write_file(folder / f"eight-{n}", _MEDIUM))
            _wait_stored(run, system, bucket, "dir/eight-", count)
        return Result({"rate": rate}, requests)


def close_by_eight_bound(run: Run) -> dict[str, float]:
    """The same with fdatasync on the plain disk."""
    count = run.sizes.closes_of_eight
    rate = _rate_of_eight(count, lambda n: _write_plain(run.work / f"eight-{n}"))
    for number in range(count):
        (run.work / f"eight-{number}").unlink()
    return {"rate": rate}


def close_a_thousand(run: Run, system: FileSystem) -> Result:
    """1,000 written files of 100 KB, closed at once."""
    with run.work_mount(system) as (mount, bucket):
        folder = mount.root / "dir"
        os.listdir(folder)
        with run.server.counting() as requests:
            files = [_open_written(folder / f"crowd-{n}") for n in range(run.sizes.crowd)]
            took = load.at_once(run.sizes.crowd, lambda n: os.close(files[n]))
            _wait_stored(run, system, bucket, "dir/crowd-", run.sizes.crowd)
        return Result({"time": took}, requests)


def close_a_thousand_bound(run: Run) -> dict[str, float]:
    """The same with fdatasync on the plain disk."""
    files = [_open_written(run.work / f"crowd-{n}") for n in range(run.sizes.crowd)]

    def close(number: int) -> None:
        os.fdatasync(files[number])
        os.close(files[number])

    took = load.at_once(run.sizes.crowd, close)
    for number in range(run.sizes.crowd):
        (run.work / f"crowd-{number}").unlink()
    return {"time": took}


def until_visible(run: Run, system: FileSystem) -> Result:
    """From close() of a 100 KB file until its object is in the bucket, one after the other."""
    with run.work_mount(system) as (mount, bucket):
        os.listdir(mount.root / "dir")
        took = []
        with run.server.counting() as requests:
            for number in range(run.sizes.visible):
                key = f"dir/seen-{number}"
                load.write_file(mount.root / key, _MEDIUM)
                took.append(
                    run.wait_for(
                        lambda key=key: run.client.size(bucket, key) == _MEDIUM,
                        f"{system.name}'s upload of {key}",
                    )
                )
        figures = {"p50": load.percentile(took, 0.5), "p99": load.percentile(took, 0.99)}
        return Result(figures, requests)


def _close_figures(took: list[tuple[float, float]]) -> dict[str, float]:
    """Of seconds for a whole file and for its close alone."""
    closes = [close for _, close in took]
    return {
        "p50": load.percentile(closes, 0.5),
        "p99": load.percentile(closes, 0.99),
        "file": load.percentile([whole for whole, _ in took], 0.5),
    }


def _rate_of_eight(count: int, write: Callable[[int], object]) -> float:
    """Files per second by eight threads that share `count` of them."""

    def share(writer: int) -> None:
        for number in range(writer, count, 8):
            write(number)

    return count / load.at_once(8, share)


def _write_plain(path: pathlib.Path) -> tuple[float, float]:
    """As load.write_file(), with fdatasync in the place of what a mount does in close."""
    started = time.monotonic()
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    os.write(fd, load.block(_MEDIUM))
    closing = time.monotonic()
    os.fdatasync(fd)
    os.close(fd)
    ended = time.monotonic()
    return ended - started, ended - closing


def _open_written(path: pathlib.Path) -> int:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    os.write(fd, load.block(_MEDIUM))
    return fd


def create_small(run: Run, system: FileSystem) -> Result:
    """100 small files in a listed directory, in sequence, then as many at once."""
    with run.work_mount(system) as (mount, bucket):
        folder = mount.root / "dir"
        os.listdir(folder)
        with run.server.counting() as requests:
            started = time.monotonic()
            for number in range(run.sizes.small):
                load.write_file(folder / f"one-{number}", _SMALL)
            sequence = time.monotonic() - started
            _wait_stored(run, system, bucket, "dir/one-", run.sizes.small)
        os.listdir(folder)
        parallel = load.at_once(
            run.sizes.small, lambda n: load.write_file(folder / f"many-{n}", _SMALL)
        )
        _wait_stored(run, system, bucket, "dir/many-", run.sizes.small)
        return Result({"sequence": sequence, "parallel": parallel}, requests)


def create_small_bound(run: Run) -> dict[str, float]:
    """The same on the plain disk, each with fdatasync."""

    def create(number: int) -> None:
        with open(run.work / f"small-{number}", "wb", buffering=0) as file:
            file.write(load.block(_SMALL))
            os.fdatasync(file.fileno())

    started = time.monotonic()
    for number in range(run.sizes.small):
        create(number)
    sequence = time.monotonic() - started
    parallel = load.at_once(run.sizes.small, lambda n: create(n + run.sizes.small))
    for number in range(2 * run.sizes.small):
        (run.work / f"small-{number}").unlink()
    return {"sequence": sequence, "parallel": parallel}


def _wait_stored(run: Run, system: FileSystem, bucket: str, prefix: str, count: int) -> None:
    run.wait_for(
        lambda: sum(size > 0 for size in run.client.keys(bucket, prefix).values()) == count,
        f"{system.name}'s upload of {prefix}*",
    )
