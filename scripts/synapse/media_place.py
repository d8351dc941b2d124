"""Where the media of the smoke test are kept: a mounted bucket, or a plain directory to prove the test itself."""

import contextlib
import pathlib
import shutil
from collections.abc import Iterator
from typing import Protocol

from bench_kit.file_systems import FileSystem, Mount
from bench_kit.s3_server import S3Server


class MediaPlace(Protocol):
    folder: pathlib.Path

    def keys(self) -> dict[str, int]:
        """What is stored, with sizes, as anyone else would see it."""

    def read(self, key: str) -> bytes:
        """The stored bytes of one key."""

    def counting(self) -> contextlib.AbstractContextManager[dict[str, int]]:
        """Requests made inside the block."""

    def start_cold(self) -> str:
        """As after a reboot with the cache lost; says what it did."""

    def close(self) -> None: ...


class PlainPlace:
    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder

    def keys(self) -> dict[str, int]:
        files = (path for path in self.folder.rglob("*") if path.is_file())
        return {str(path.relative_to(self.folder)): path.stat().st_size for path in files}

    def read(self, key: str) -> bytes:
        return (self.folder / key).read_bytes()

    @contextlib.contextmanager
    def counting(self) -> Iterator[dict[str, int]]:
        yield {}

    def start_cold(self) -> str:
        return "nothing to mount again"

    def close(self) -> None:
        pass


class BucketPlace:
    """The bucket is looked at through S3, never through the mount."""

    def __init__(
        self, system: FileSystem, server: S3Server, bucket: str, work: pathlib.Path
    ) -> None:
        self._server, self._bucket = server, bucket
        self._mount = Mount(system, server.endpoint, bucket, work)
        try:
            self._mount.start()
        except BaseException:
            self._mount.close()
            raise
        self.folder = self._mount.root

    def keys(self) -> dict[str, int]:
        return self._server.client.keys(self._bucket)

    def read(self, key: str) -> bytes:
        return self._server.client.get(self._bucket, key)

    def counting(self) -> contextlib.AbstractContextManager[dict[str, int]]:
        return self._server.counting()

    def start_cold(self) -> str:
        self._mount.stop()
        shutil.rmtree(self._mount.paths.cache)
        self._mount.paths.cache.mkdir()
        self._mount.start()
        return "unmounted, mounted again with an empty cache"

    def close(self) -> None:
        self._mount.close()
