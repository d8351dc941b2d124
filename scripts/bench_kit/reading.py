"""The cases that read."""

import os
import pathlib
import statistics
import subprocess
import time
from collections.abc import Callable

from . import load
from .file_systems import FileSystem, forget_pages
from .run import DATA, MIB, Result, Run

# of one file, for a median
_READS = 5


def look_up_names(run: Run, system: FileSystem) -> Result:
    """64 callers, 20 names each, nothing known of the directory."""
    with run.mount(system) as mount:
        folder = mount.root / "lookups"

        def look_up(caller: int) -> None:
            for number in range(run.sizes.names_each):
                name = f"n{caller * run.sizes.names_each + number:04}"
                if os.stat(folder / name).st_size == 0:
                    raise RuntimeError(f"{system.name}: {name} has no size")

        with run.server.counting() as requests:
            took = load.at_once(run.sizes.callers, look_up)
        return Result({"time": took}, requests)


def read_cold_and_again(run: Run, system: FileSystem) -> Result:
    """A large object from an empty cache, then from the cache, with no page in memory and with all of them."""
    with run.mount(system) as mount:
        path = mount.root / "big.bin"
        os.stat(path)
        mount.processes.reset_peak()
        with run.server.counting() as requests:
            first, took, size = load.read_all(path)
        peak = mount.processes.peak_mib()
        if size != run.sizes.big_mib * MIB:
            raise RuntimeError(f"{system.name}: read {size} bytes")
        time.sleep(2)  # caches are filled behind the answer
        with run.server.counting() as again_requests:
            written = mount.processes.written_mib()
            again = _read_again(
                path, lambda: mount.drop_page_cache(path), mount.processes.cpu_seconds
            )
            served = (mount.processes.written_mib() - written) / (2 * _READS)
        figures = {
            "cold": took,
            "first": first,
            "peak": peak,
            **again,
            "served": served,
            "refetched": float(again_requests.get("GET", 0)),
        }
        return Result(figures, requests)


def _read_again(
    path: pathlib.Path, drop: Callable[[], None], cpu_seconds: Callable[[], float]
) -> dict[str, float]:
    """Medians of reads after `drop`, with the CPU time of reader and daemon, and of reads without it.

    One read after a drop says little on a virtual machine: pages that the host has to find memory for cost it up to a
    second and a half, a plain file no less.
    """
    cold, cpu, warm = [], [], []
    for _ in range(_READS):
        drop()
        used = cpu_seconds() + time.process_time()
        cold.append(load.read_all(path)[1])
        cpu.append(cpu_seconds() + time.process_time() - used)
    for _ in range(_READS):
        warm.append(load.read_all(path)[1])
    median = statistics.median
    return {"again": median(cold), "cpu": median(cpu), "warm": median(warm)}


def read_cold_bound(run: Run) -> dict[str, float]:
    """One stream of curl, and a plain file read in the same ways."""
    cold, first = run.curl(f"{DATA}/big.bin", "--write-out", "%{time_starttransfer}")
    plain = run.work / "plain"
    load.write_file(plain, run.sizes.big_mib * MIB)
    again = _read_again(plain, lambda: forget_pages(plain), lambda: 0)
    plain.unlink()
    return {"cold": cold, "first": float(first), **again}


def read_streams(run: Run, system: FileSystem) -> Result:
    """Eight large objects at once."""
    with run.mount(system) as mount:
        paths = [mount.root / "streams" / str(n) for n in range(run.sizes.streams)]
        for path in paths:
            os.stat(path)
        mount.processes.reset_peak()
        with run.server.counting() as requests:
            took = load.at_once(run.sizes.streams, lambda n: load.read_all(paths[n]))
        return Result({"time": took, "peak": mount.processes.peak_mib()}, requests)


def read_streams_bound(run: Run) -> dict[str, float]:
    """The same number of curls at once."""
    return {"time": load.at_once(run.sizes.streams, lambda n: run.curl(f"{DATA}/streams/{n}"))}


def list_long(run: Run, system: FileSystem) -> Result:
    """`ls -l` of a large directory of which only the name is known."""
    with run.mount(system) as mount:
        os.stat(mount.root / "list")
        with run.server.counting() as requests:
            started = time.monotonic()
            done = subprocess.run(
                ["ls", "-l", str(mount.root / "list")], check=True, capture_output=True
            )
            took = time.monotonic() - started
        shown = done.stdout.count(b"\n") - 1
        if shown != run.sizes.listed:
            raise RuntimeError(f"{system.name}: ls shows {shown} of {run.sizes.listed}")
        return Result({"time": took}, requests)


def mount_and_rest(run: Run, system: FileSystem) -> Result:
    """Time to mount, and memory of a mount that was looked at once."""
    mount = run.mount(system)
    try:
        with run.server.counting() as requests:
            took = mount.start()
            os.listdir(mount.root)
        time.sleep(2)
        return Result({"mount": took, "idle": mount.processes.memory_mib()}, requests)
    finally:
        mount.close()
