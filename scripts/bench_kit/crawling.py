"""The case of --sharing=exclusive: a bucket of a Synapse store is listed once, and costs nothing afterwards."""

import contextlib
import dataclasses
import json
import os
import pathlib
import random
import socket
import statistics
import subprocess
import tempfile
import threading
import time
import urllib.parse
from collections.abc import Iterator

from .file_systems import FileSystem, Mount
from .run import MIB, Result, Run
from .s3_server import S3Server

_BUCKET = "names"
_CORE_LOOKUPS = pathlib.Path(__file__).parent / "core_lookups.js"
_CURLS = 8
_STATS = 2000
_CLOSE_EVERY = 0.05
_LIMIT = 400


def crawl(run: Run, system: FileSystem) -> Result:
    """Mounts with sharing=exclusive while somebody writes files, and again with S3 stopped."""
    with _served(run) as (server, made):
        exclusive = dataclasses.replace(system, options=(*system.options, "--sharing", "exclusive"))
        counting = server.counting()
        requests = counting.__enter__()
        started = time.monotonic()
        with Mount(exclusive, server.endpoint, _BUCKET, run.work, _LIMIT) as mount:
            with _Writer(mount.root) as writer:
                peak = 0.0
                while not (coverage := _status(mount)["coverage"])["complete"]:
                    peak = max(peak, _anonymous_mib(mount))
                    if time.monotonic() - started > _LIMIT:
                        raise RuntimeError(f"the crawl has come to {coverage}")
                    time.sleep(0.1)
                took = time.monotonic() - started
            counting.__exit__(None, None, None)
            known, unknown = _sample(made["keys"])
            figures = {
                "crawl": took,
                "close": max(writer.closes),
                "closes": float(len(writer.closes)),
                "peak": max(peak, _anonymous_mib(mount)),
                "lists": float(requests.get("LIST", 0)),
                "stat": _stats(mount.root, known),
                "miss": _misses(mount.root, unknown),
                "rest": _anonymous_mib(mount),
            }
            with server.counting() as again:
                _stats(mount.root, known[::-1])
                _misses(mount.root, [f"{name}y" for name in unknown])
            mount.stop()
            index = sum(path.stat().st_size for path in mount.paths.state.rglob("index.mdb"))
            figures["bytes"] = index / (len(made["keys"]) + made["directories"])
            server.stop()
            mount.start()
            figures["down"] = _stats(mount.root, known)
            figures["down-miss"] = _misses(mount.root, unknown)
            figures["asked"] = float(sum(again.values()))
        requests.pop("PUT", None)
        return Result(figures, requests)


def crawl_bound(run: Run) -> dict[str, float]:
    """As many curls as the crawl has workers, each with its share of the pages."""
    with _served(run) as (server, made):
        starts = ["", *made["starts"]]
        login = server.client.login
        shares = [starts[i :: _CURLS] for i in range(_CURLS)]

        def command(share: list[str]) -> list[str]:
            config = run.work / f"curl-{share[0].replace('/', '_')[:60]}"
            lines = [
                f'url = "{server.endpoint}/{_BUCKET}?list-type=2&max-keys=1000&encoding-type=url'
                f'&start-after={urllib.parse.quote(key, safe="")}"\noutput = "{os.devnull}"\n'
                for key in share
            ]
            config.write_text("".join(lines), encoding="utf-8")
            signed = ["--aws-sigv4", f"aws:amz:{login.region}:s3"]
            user = ["--user", f"{login.access_key}:{login.secret_key}"]
            return ["curl", "--silent", "--fail", *signed, *user, "--config", str(config)]

        commands = [command(share) for share in shares if share]
        started = time.monotonic()
        curls = [subprocess.Popen(command, stdin=subprocess.DEVNULL) for command in commands]
        if any(curl.wait() != 0 for curl in curls):
            raise RuntimeError("curl failed")
        return {"crawl": time.monotonic() - started, "lists": float(len(starts))}


def core_lookups(run: Run, _system: FileSystem) -> Result:
    """Lookups of random names in a core that knows a whole bucket, without a mount; each path has several names."""
    with _served(run) as (server, _made), tempfile.TemporaryDirectory(dir=run.work) as folder:
        os.mkdir(f"{folder}/mnt")
        login = server.client.login
        keys = {
            "AWS_ACCESS_KEY_ID": login.access_key,
            "AWS_SECRET_ACCESS_KEY": login.secret_key,
        }
        # the flags of the daemon
        node = ["node", "--max-semi-space-size=1", "--heap-growing-percent=100"]
        done = subprocess.run(
            [*node, str(_CORE_LOOKUPS), server.endpoint, _BUCKET, folder],
            env={**os.environ, **keys},
            check=True,
            stdout=subprocess.PIPE,
            timeout=_LIMIT,
        )
        return Result(json.loads(done.stdout), {})


@contextlib.contextmanager
def _served(run: Run) -> Iterator[tuple[S3Server, dict]]:
    """A server of its own: a million objects would slow down the one of the other cases."""
    server = S3Server.start([_BUCKET])
    try:
        body = json.dumps({"count": run.sizes.bucket_of_synapse}).encode()
        made = json.loads(server.client.admin("POST", "synapse", body).body)
        told = json.loads(server.client.admin("GET", "keys?names").body)
        server.set_latency(run.latency_now)
        yield server, {**made, "keys": told}
    finally:
        server.stop()


class _Writer:
    """Closes a small file every 50 ms, and remembers how long each close(2) took."""

    def __init__(self, root: pathlib.Path) -> None:
        self.closes: list[float] = []
        self._folder = root / "written"
        self._stop = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "_Writer":
        self._folder.mkdir()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        try:
            while not self._stop.wait(_CLOSE_EVERY):
                path = self._folder / f"f{len(self.closes)}"
                fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
                os.write(fd, b"x" * 4096)
                started = time.monotonic()
                os.close(fd)
                self.closes.append(time.monotonic() - started)
        except BaseException as error:
            self._failure = error


def _sample(keys: list[str]) -> tuple[list[str], list[str]]:
    """Names that are there and not in the kernel's cache, and some that are not there."""
    chosen = random.Random(1).sample(keys, min(_STATS, len(keys)))
    return chosen, [f"{os.path.dirname(key)}/x{i}" for i, key in enumerate(chosen)]


def _stats(root: pathlib.Path, names: list[str]) -> float:
    """Median seconds of stat(2) of names whose directories are looked up before."""
    return _timed(root, names, True)


def _misses(root: pathlib.Path, names: list[str]) -> float:
    return _timed(root, names, False)


def _timed(root: pathlib.Path, names: list[str], there: bool) -> float:
    took = []
    for name in names:
        path = root / name
        # the path's directories are one look-up each, and not what is measured
        os.stat(path.parent)
        text = str(path)
        started = time.perf_counter()
        try:
            os.stat(text)
            found = True
        except FileNotFoundError:
            found = False
        took.append(time.perf_counter() - started)
        if found != there:
            raise RuntimeError(f"{name} is {'there' if found else 'not there'}")
    return statistics.median(took)


def _status(mount: Mount) -> dict:
    """Over the control socket: starting a command ten times a second would take a core."""
    [path] = mount.paths.state.rglob("control.sock")
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(path))
        connection.sendall(b'{"verb":"status","arguments":{}}\n')
        with connection.makefile(encoding="utf-8") as answers:
            return json.loads(answers.readline())["result"]


def _anonymous_mib(mount: Mount) -> float:
    """Memory of the daemon that is not the page cache's."""
    pid = _status(mount)["pid"]
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        kib = next(int(line.split()[1]) for line in file if line.startswith("RssAnon"))
    return kib * 1024 / MIB
