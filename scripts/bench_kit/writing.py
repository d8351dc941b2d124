"""The cases that write."""

import os
import subprocess
import time

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
            closes = [
                load.write_file(folder / f"medium-{n}", _MEDIUM)[1] for n in range(run.sizes.closes)
            ]
            _wait_stored(run, system, bucket, "dir/medium-", run.sizes.closes)
        figures = {"p50": load.percentile(closes, 0.5), "p99": load.percentile(closes, 0.99)}
        return Result(figures, requests)


def close_medium_bound(run: Run) -> dict[str, float]:
    """write + fdatasync of the same on the plain disk: the fdatasync alone."""
    took = []
    for number in range(run.sizes.closes):
        path = run.work / f"medium-{number}"
        with open(path, "wb", buffering=0) as file:
            file.write(load.block(_MEDIUM))
            started = time.monotonic()
            os.fdatasync(file.fileno())
            took.append(time.monotonic() - started)
        path.unlink()
    return {"p50": load.percentile(took, 0.5), "p99": load.percentile(took, 0.99)}


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
