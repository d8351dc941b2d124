"""A bucket, a store and what the shell blocks of the document need around them."""

import hashlib
import os
import pathlib
import random
import subprocess

from bench_kit.s3_client import Login
from bench_kit.s3_server import S3Server

from .document import Document

_ROOT = pathlib.Path(__file__).resolve().parents[2]
_SHARED = "What the blocks share"
# a block that takes longer hangs
_LIMIT_S = 180

# sha256 by path
Tree = dict[str, str]


class Workplace:
    """`store` is where Synapse has its media; `prefix` and `owner` are those of the blocks."""

    prefix = "synapse/"
    owner = 991

    def __init__(
        self, folder: pathlib.Path, server: S3Server, bucket: str, document: Document
    ) -> None:
        self.folder, self.server, self.bucket = folder, server, bucket
        self.store = folder / "media_store"
        self._document = document
        programs = folder / "bin"
        programs.mkdir()
        pailfs = programs / "pailfs"
        pailfs.write_text(f'#!/bin/sh\nexec node {_ROOT}/bin/pailfs.js "$@"\n', encoding="utf-8")
        pailfs.chmod(0o755)
        login = Login()
        self.environment = {
            # rclone cannot have a bundle of certificates from there
            **{name: value for name, value in os.environ.items() if name != "AWS_CA_BUNDLE"},
            "PATH": f"{programs}:{os.environ['PATH']}",
            "AWS_ACCESS_KEY_ID": login.access_key,
            "AWS_SECRET_ACCESS_KEY": login.secret_key,
            "AWS_DEFAULT_REGION": login.region,
            "RCLONE_CONFIG": os.devnull,
            "RCLONE_CONFIG_S3_REGION": login.region,
            "RCLONE_CACHE_DIR": str(folder / "rclone"),
            "PAILFS_STATE_DIR": str(folder / "state"),
            "PAILFS_CACHE_DIR": str(folder / "cache"),
            "PAILFS_MIN_FREE": "0",
        }

    def run(self, heading: str, number: int = 0) -> None:
        """A block of the document, in the shell that its readers have."""
        self.shell(self._document.block(_SHARED) + self._document.block(heading, number))

    def shell(self, script: str) -> None:
        variables = {
            "ENDPOINT": self.server.endpoint,
            "BUCKET": self.bucket,
            "STORE": str(self.store),
            "PREFIX": self.prefix,
            "OWNER": str(self.owner),
        }
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=self.folder,
            env={**self.environment, **variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_LIMIT_S,
            check=False,
        )
        if done.returncode != 0:
            said = (done.stderr or done.stdout).strip()
            raise RuntimeError(f"a block ended with {done.returncode}: {said}\n{script}")

    def fill(self, seed: int = 1) -> None:
        """Media as Synapse lays them out, in `store`."""
        numbers = random.Random(seed)
        for index, size in enumerate([0, 1, 300, 70_000, 1_000_000, 9 * 2**20]):
            name = f"{'abcdef'[index]}{seed % 10}/xy/{numbers.getrandbits(80):020x}"
            self._write(f"local_content/{name}", numbers.randbytes(size))
            self._write(f"local_thumbnails/{name}/32-32-image-png-crop", numbers.randbytes(500))
            self._write(f"remote_content/example.org:8448/{name}", numbers.randbytes(2000 + index))
        self._write("remote_content/[2001:db8::1]:8448/aa/bb/cccc", b"v6")
        self._write(f"url_cache/2026-11-2{seed % 10}/abcdefghijklmnop", b"<html>")
        self._write(f"url_cache_thumbnails/2026-11-2{seed % 10}/abcdefghijklmnop/32-32-image-png-crop", b"p")

    def change(self) -> None:
        """What goes on while a store is in use: one file goes, others come."""
        first = sorted((self.store / "local_content").rglob("*"))
        gone = next(path for path in first if path.is_file())
        gone.unlink()
        self.fill(seed=2)

    def tree(self, place: pathlib.Path | None = None) -> Tree:
        root = place or self.store
        files = (path for path in sorted(root.rglob("*")) if path.is_file())
        return {
            str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in files
        }

    def stored(self) -> Tree:
        """What the bucket has below the prefix, seen through S3; directory markers are no files."""
        client = self.server.client
        return {
            key.removeprefix(self.prefix): hashlib.sha256(client.get(self.bucket, key)).hexdigest()
            for key in client.keys(self.bucket, self.prefix)
            if not key.endswith("/")
        }

    def close(self) -> None:
        for place in (self.store, pathlib.Path(f"{self.store}.mount")):
            if place.is_mount():
                subprocess.run(["umount", "-l", str(place)], check=False, timeout=60)

    def _write(self, name: str, content: bytes) -> None:
        path = self.store / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def equal(got: object, expected: object, what: str) -> None:
    if got == expected:
        return
    if isinstance(got, dict) and isinstance(expected, dict):
        names = got.keys() ^ expected.keys()
        changed = [name for name in got.keys() & expected.keys() if got[name] != expected[name]]
        raise AssertionError(f"{what}: only on one side {sorted(names)}, changed {sorted(changed)}")
    raise AssertionError(f"{what}: expected {expected}, got {got}")


def without_previews(tree: Tree) -> Tree:
    return {name: digest for name, digest in tree.items() if not name.startswith("url_cache")}
