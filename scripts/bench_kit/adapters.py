"""The cases of --adapters: what the way to the kernel costs, with the same core behind each."""

import json
import os
import pathlib
import subprocess
import time

from . import load, reading
from .cases import Bar, Case, Metric, Rows, in_unit
from .file_systems import FileSystem, Mount
from .run import MIB, Result, Run

_SMALL = 4096
# calls of one burst, and calls that are timed one after the other
_WIDE = 64
_CALLS = 5000


def look_up(run: Run, system: FileSystem) -> Result:
    """As in the other table."""
    return reading.look_up_names(run, system)


def small_files(run: Run, system: FileSystem) -> Result:
    """Files of 4 KiB in a listed directory: made and closed, then opened and read, one after the other."""
    with run.work_mount(system) as (mount, _):
        folder = mount.root / "dir"
        os.listdir(folder)
        count = run.sizes.adapter_files
        used = mount.processes.cpu_seconds()
        started = time.monotonic()
        for number in range(count):
            load.write_file(folder / f"small-{number}", _SMALL)
        made = time.monotonic() - started
        started = time.monotonic()
        for number in range(count):
            load.read_all(folder / f"small-{number}")
        read = time.monotonic() - started
        used = mount.processes.cpu_seconds() - used
        return Result({"make": made / count, "read": read / count, "cpu": used / count})


def sequential(run: Run, system: FileSystem) -> Result:
    """A large file written, then read from pailfs's own cache or spool without a page in memory."""
    size = run.sizes.big_mib * MIB
    with run.work_mount(system) as (mount, bucket):
        path = mount.root / "dir/large"
        used = mount.processes.cpu_seconds()
        written, _ = load.write_file(path, size)
        write_cpu = mount.processes.cpu_seconds() - used
        run.wait_for(lambda: run.client.size(bucket, "dir/large") == size, "the upload")
        # what is read first in a run of the daemon is verified: measured is the second time
        load.read_all(path)
        mount.drop_page_cache(path)
        used = mount.processes.cpu_seconds()
        _, read, _ = load.read_all(path)
        read_cpu = mount.processes.cpu_seconds() - used
        figures = {"write": written, "write-cpu": write_cpu, "read": read, "read-cpu": read_cpu}
        return Result(figures)


def slow_calls(run: Run, system: FileSystem) -> Result:
    """Bursts of fsync(2), each slow because it waits for the disk, and what they leave behind."""
    # fuse-native becomes very slow, but does not hang
    with run.work_mount(system, limit=1800) as (mount, _):
        paths = [mount.root / f"dir/burst-{number}" for number in range(_WIDE)]
        files = [os.open(path, os.O_WRONLY | os.O_CREAT, 0o644) for path in paths]
        try:
            os.setxattr(paths[0], "user.a", b"1")
            before = _call_time(paths[0])
            memory = mount.processes.memory_mib()

            def sync(index: int) -> None:
                os.pwrite(files[index], b"x", 0)
                os.fsync(files[index])

            for _ in range(run.sizes.slow_calls // _WIDE):
                load.at_once(_WIDE, sync)
            figures = {
                "before": before,
                "after": _call_time(paths[0]),
                "memory-before": memory,
                "memory-after": mount.processes.memory_mib(),
                "handles": float(_thread_handles(mount)),
            }
        finally:
            for file in files:
                os.close(file)
        return Result(figures)


def _call_time(path: pathlib.Path) -> float:
    """Seconds of one call that always reaches the daemon, and that it answers from memory."""
    started = time.monotonic()
    for _ in range(_CALLS):
        os.getxattr(path, "user.a")
    return (time.monotonic() - started) / _CALLS


def _thread_handles(mount: Mount) -> int:
    asked = [*mount.system.program, "status", "--json", str(mount.root)]
    done = subprocess.run(asked, capture_output=True, text=True, check=True, timeout=30)
    return json.loads(done.stdout).get("threadHandles", {}).get("count", 0)


def _stays_fast(rows: Rows) -> tuple[str, bool]:
    figures = rows["pailfs"].figures
    text = f"{in_unit(figures['before'], 'us')}, then {in_unit(figures['after'], 'us')}"
    return text, figures["after"] <= 1.5 * figures["before"]


ADAPTER_CASES = (
    Case(
        "adapter-lookups",
        "64 callers look up 20 different names each in one directory",
        5,
        look_up,
        (Metric("time", "time", "s"),),
        (),
    ),
    Case(
        "adapter-small",
        "Small files, one after the other",
        0,
        small_files,
        (
            Metric("make", "make and close one", "us"),
            Metric("read", "open and read one", "us"),
            Metric("cpu", "CPU of both", "us"),
        ),
        (),
        counted=False,
    ),
    Case(
        "adapter-sequential",
        "A large file written and read",
        0,
        sequential,
        (
            Metric("write", "written", "s"),
            Metric("write-cpu", "CPU", "s"),
            Metric("read", "read", "s"),
            Metric("read-cpu", "CPU", "s"),
        ),
        (),
        counted=False,
    ),
    Case(
        "adapter-bursts",
        "Before and after slow calls, 64 at once: 50,000, with --quick 5,000",
        0,
        slow_calls,
        (
            Metric("before", "a call before", "us"),
            Metric("after", "a call after", "us"),
            Metric("memory-before", "RSS before", "MiB"),
            Metric("memory-after", "RSS after", "MiB"),
            Metric("handles", "handles of threads", "count", compared=False),
        ),
        (Bar("pailfs: a call afterwards takes at most 1.5x", _stays_fast),),
        counted=False,
    ),
)
ADAPTER_ROWS = ("pailfs", "pailfs-off", "pailfs-user", "pailfs-native")
