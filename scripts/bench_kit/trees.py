"""The cases of many names: listings, walks, whole trees renamed and removed."""

import os
import subprocess
import time

from . import load
from .file_systems import FileSystem
from .run import Result, Run


def walk(run: Run, system: FileSystem) -> Result:
    """find over directories of one file each, two levels of them, and again."""
    with run.synthetic("walk/", run.sizes.tree_files, 5, sharded=True), run.mount(system) as mount:
        found = []

        def find() -> float:
            started = time.monotonic()
            done = subprocess.run(
                ["find", str(mount.root / "walk")], check=True, capture_output=True
            )
            found.append(done.stdout.count(b"\n"))
            return time.monotonic() - started

        with run.server.counting() as requests:
            first = find()
        with run.server.counting() as more:
            again = find()
        expected = 1 + 3 * run.sizes.tree_files
        if found != [expected, expected]:
            raise RuntimeError(f"{system.name}: find saw {found} of {expected}")
        lists = float(requests.get("LIST", 0))
        figures = {"time": first, "again": again, "lists": lists, "more": float(sum(more.values()))}
        return Result(figures, requests)


def list_large(run: Run, system: FileSystem) -> Result:
    """`ls -l` of a directory of 100,000 objects, and how long the first name takes."""
    count = run.sizes.listed_large
    with run.synthetic("large/n", count, 5), run.mount(system) as mount:
        folder = mount.root / "large"
        os.stat(folder)
        with run.server.counting() as requests:
            started = time.monotonic()
            done = subprocess.run(["ls", "-l", str(folder)], check=True, capture_output=True)
            took = time.monotonic() - started
        if (shown := done.stdout.count(b"\n") - 1) != count:
            raise RuntimeError(f"{system.name}: ls shows {shown} of {count}")
        peak = mount.processes.peak_mib()
    with run.synthetic("large/n", count, 5), run.mount(system) as mount:
        folder = mount.root / "large"
        os.stat(folder)
        started = time.monotonic()
        with os.scandir(folder) as entries:
            next(entries)
            first = time.monotonic() - started
    figures = {"time": took, "first": first, "peak": peak}
    return Result(figures, requests)


def rename_directory(run: Run, system: FileSystem) -> Result:
    """A directory of 1,000 objects gets another name; until rename(2) returns, and until the bucket has it."""
    count = run.sizes.tree_size
    with run.work_mount(system) as (mount, bucket):
        _put_tree(run, bucket, count)
        os.listdir(mount.root / "tree")
        with run.server.counting() as requests:
            started = time.monotonic()
            os.rename(mount.root / "tree", mount.root / "moved")
            returned = time.monotonic() - started
            if len(os.listdir(mount.root / "moved")) != count:
                raise RuntimeError(f"{system.name}: the new name lacks files")

            def is_done() -> bool:
                keys = [key for key in run.client.keys(bucket) if not key.endswith("/")]
                moved = sum(key.startswith("moved/") for key in keys)
                return moved == count and not any(key.startswith("tree/") for key in keys)

            run.wait_for(is_done, f"{system.name}'s rename in the bucket")
            stored = time.monotonic() - started
        return Result({"returned": returned, "stored": stored}, requests)


def remove_tree(run: Run, system: FileSystem) -> Result:
    """rm -rf of 1,000 small files; until it returns, and until the bucket has none."""
    with run.work_mount(system) as (mount, bucket):
        _put_tree(run, bucket, run.sizes.tree_size)
        os.listdir(mount.root / "tree")
        with run.server.counting() as requests:
            started = time.monotonic()
            subprocess.run(["rm", "-rf", str(mount.root / "tree")], check=True)
            returned = time.monotonic() - started
            gone = lambda: not run.client.keys(bucket, "tree/")  # noqa: E731
            run.wait_for(gone, f"{system.name}'s removal in the bucket")
            stored = time.monotonic() - started
        return Result({"returned": returned, "stored": stored}, requests)


def synapse_download(run: Run, system: FileSystem) -> Result:
    """isfile, open and read of 100 KB, each in a shard of which nothing is known; medians."""
    count, wanted = run.sizes.bucket_of_synapse, 25
    with run.synthetic("local_content/", count, 100_000, sharded=True):
        with run.mount(system) as mount:
            top = mount.root / "local_content"
            os.stat(top)
            names = [name for name, _ in zip(_names(top, count), range(wanted), strict=False)]
            took = []
            with run.server.counting() as requests:
                for name in names:
                    started = time.monotonic()
                    if not os.path.isfile(name):
                        raise RuntimeError(f"{system.name}: {name} is not there")
                    with open(name, "rb") as file:
                        if len(file.read()) != 100_000:
                            raise RuntimeError(f"{system.name}: {name} is short")
                    took.append(time.monotonic() - started)
            each = sum(requests.values()) / wanted
            return Result({"time": load.percentile(took, 0.5), "each": each}, requests)


def _names(top: os.PathLike[str], count: int):  # noqa: ANN202
    """Files of shards that are far apart; the first shards come with the LIST of the top."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    for number in range(1500, 2600, 37):
        first = letters[number % 52] + letters[number // 52 % 52]
        yield os.path.join(top, first, "AA", str(number))
    raise RuntimeError(f"{count} objects are too few")


def _put_tree(run: Run, bucket: str, count: int) -> None:
    with run.latency(0):

        def put_share(index: int) -> None:
            for number in range(index, count, 8):
                run.client.put(bucket, f"tree/n{number:05}", b"a small object\n")

        load.at_once(8, put_share)
