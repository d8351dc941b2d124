"""The S3 server of a run: the loopback S3 as a process of its own, or one that runs already."""

import collections
import contextlib
import json
import pathlib
import signal
import subprocess
from collections.abc import Iterator

from .s3_client import Login, S3Client

_ROOT = pathlib.Path(__file__).resolve().parents[2]
_MAIN = _ROOT / "dist/test-support/loopback-s3/main.js"
# names of the same requests at another test server
_SPELLING = {
    "PART": "UPLOAD_PART",
    "MPU-INIT": "CREATE_MULTIPART",
    "MPU-COMPLETE": "COMPLETE_MULTIPART",
    "PARTCOPY": "COPY_PART",
    "MULTIDELETE": "DELETE_MANY",
}
_NOT_REQUESTS = {"total", "connections"}


class S3Server:
    """Made by `start` or `running`; `client` speaks to it."""

    def __init__(self, endpoint: str, process: subprocess.Popen[str] | None) -> None:
        self.client = S3Client(endpoint, Login())
        self.endpoint = endpoint
        self._process = process

    @classmethod
    def start(cls, buckets: list[str]) -> "S3Server":
        if not _MAIN.exists():
            raise RuntimeError(f"{_MAIN.relative_to(_ROOT)} is not built; run: npm run build")
        names = [argument for name in buckets for argument in ("--bucket", name)]
        process = subprocess.Popen(
            ["node", str(_MAIN), "--port", "0", "--lenient", *names],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )
        said = process.stdout.readline().split() if process.stdout else []
        if len(said) != 2 or said[0] != "listening":
            process.kill()
            raise RuntimeError(f"The loopback S3 did not start: {' '.join(said)}")
        return cls(said[1], process)

    @classmethod
    def running(cls, endpoint: str, buckets: list[str]) -> "S3Server":
        server = cls(endpoint, None)
        for name in buckets:
            server.client.make_bucket(name)
        return server

    def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self._process.kill()

    def set_latency(self, milliseconds: float) -> None:
        body = json.dumps({"latencyMs": milliseconds}).encode()
        if self.client.admin("POST", "settings", body).status != 200:
            self.client.admin("POST", f"latency?ms={milliseconds}")

    def put_synthetic(self, prefix: str, count: int, size: int, sharded: bool = False) -> None:
        """Objects in the first bucket that take no memory; only the loopback S3 can."""
        wanted = {"prefix": prefix, "count": count, "size": size, "sharded": sharded}
        if self.client.admin("POST", "synthetic", json.dumps(wanted).encode()).status != 200:
            raise RuntimeError("this server cannot make synthetic objects")

    def delete_synthetic(self, prefix: str) -> None:
        self.client.admin("POST", "delete", json.dumps({"prefix": prefix}).encode())

    @contextlib.contextmanager
    def counting(self) -> Iterator[dict[str, int]]:
        """Requests that others sent while the block ran, by verb; filled at its end."""
        found: dict[str, int] = {}
        before, own = self._counts(), self.client.sent.copy()
        yield found
        after, mine = self._counts(), self.client.sent - own
        for verb in sorted(after):
            if (more := after[verb] - before[verb] - mine[verb]) > 0:
                found[verb] = more

    def _counts(self) -> collections.Counter[str]:
        told = json.loads(self.client.admin("GET", "counts").body)
        counts = told.get("counts", told)
        return collections.Counter(
            {_SPELLING.get(k, k): v for k, v in counts.items() if k not in _NOT_REQUESTS}
        )
