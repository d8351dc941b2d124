"""What all cases of one run share: the server, sizes, prepared objects."""

import contextlib
import os
import pathlib
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from . import load
from .file_systems import FileSystem, Mount
from .s3_client import S3Client
from .s3_server import S3Server

MIB = 2**20
DATA = "data"
# seconds after which a mount is taken to hang
_LIMIT = 240


@dataclass(frozen=True)
class Sizes:
    big_mib: int
    stream_mib: int
    closes: int
    closes_of_eight: int = 2000
    crowd: int = 1000
    visible: int = 200
    streams: int = 8
    callers: int = 64
    names_each: int = 20
    listed: int = 2500
    small: int = 100
    tree_files: int = 757
    tree_size: int = 1000
    listed_large: int = 100_000
    bucket_of_synapse: int = 1_000_000
    adapter_files: int = 500
    slow_calls: int = 50_000


FULL = Sizes(big_mib=1000, stream_mib=200, closes=200)
QUICK = Sizes(
    big_mib=100,
    stream_mib=20,
    closes=50,
    closes_of_eight=200,
    crowd=100,
    visible=20,
    listed_large=10_000,
    bucket_of_synapse=50_000,
    adapter_files=100,
    slow_calls=5_000,
)


@dataclass
class Result:
    """One measurement of one row: figures by metric, requests by verb."""

    figures: dict[str, float]
    requests: dict[str, int] = field(default_factory=dict)


class Run:
    def __init__(self, server: S3Server, sizes: Sizes, work: pathlib.Path) -> None:
        self.server, self.sizes, self.work = server, sizes, work
        self._latency = 0.0

    @property
    def client(self) -> S3Client:
        return self.server.client

    @property
    def latency_now(self) -> float:
        return self._latency

    @contextlib.contextmanager
    def latency(self, milliseconds: float) -> Iterator[None]:
        before = self._latency
        self.server.set_latency(milliseconds)
        self._latency = milliseconds
        try:
            yield
        finally:
            self.server.set_latency(before)
            self._latency = before

    def mount(self, system: FileSystem, bucket: str = DATA, limit: float = _LIMIT) -> Mount:
        return Mount(system, self.server.endpoint, bucket, self.work, limit)

    @contextlib.contextmanager
    def work_mount(
        self, system: FileSystem, limit: float = _LIMIT
    ) -> Iterator[tuple[Mount, str]]:
        """A mount of a bucket of the row's own, with a few objects in `dir/`, empty again afterwards."""
        bucket = work_bucket(system.name)
        with self.latency(0):
            for number in range(3):
                self.client.put(bucket, f"dir/before-{number}", b"before\n")
        try:
            with self.mount(system, bucket, limit) as mount:
                yield mount, bucket
        finally:
            with self.latency(0):
                for key in self.client.keys(bucket):
                    self.client.delete(bucket, key)

    def prepare(self) -> None:
        """Fills the bucket that the reading cases share."""
        big = load.block(self.sizes.big_mib * MIB)
        self.client.put(DATA, "big.bin", big)
        for number in range(self.sizes.streams):
            part = big[: self.sizes.stream_mib * MIB]
            self.client.put(DATA, f"streams/{number}", part)
        del big
        self._put_many("lookups", self.sizes.callers * self.sizes.names_each)
        self._put_many("list", self.sizes.listed)

    @contextlib.contextmanager
    def synthetic(
        self, prefix: str, count: int, size: int, sharded: bool = False
    ) -> Iterator[None]:
        """Objects in the bucket that the reading cases share, for one measurement."""
        self.server.put_synthetic(prefix, count, size, sharded)
        try:
            yield
        finally:
            self.server.delete_synthetic(prefix)

    def curl(self, path: str, *more: str) -> tuple[float, str]:
        """Seconds that one transfer takes, and what --write-out said."""
        login = self.client.login
        command = ["curl", "--silent", "--fail", "--output", os.devnull, *more]
        command += ["--aws-sigv4", f"aws:amz:{login.region}:s3"]
        command += ["--user", f"{login.access_key}:{login.secret_key}"]
        command += ["--header", "x-amz-content-sha256: UNSIGNED-PAYLOAD"]
        started = time.monotonic()
        done = subprocess.run(
            [*command, f"{self.server.endpoint}/{path}"], check=True, capture_output=True, text=True
        )
        return time.monotonic() - started, done.stdout

    def wait_for(self, done: Callable[[], bool], what: str, seconds: float = 300) -> float:
        """Seconds until `done()`."""
        started = time.monotonic()
        while not done():
            if time.monotonic() - started > seconds:
                raise RuntimeError(f"{what} did not happen within {seconds} s")
            time.sleep(0.01)
        return time.monotonic() - started

    def _put_many(self, folder: str, count: int) -> None:
        def put_share(index: int) -> None:
            for number in range(index, count, 8):
                self.client.put(DATA, f"{folder}/n{number:04}", b"a small object\n")

        load.at_once(8, put_share)


def work_bucket(name: str) -> str:
    return f"work-{name}"
