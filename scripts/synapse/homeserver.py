"""One Synapse process with SQLite, everything but its media in a folder of its own."""

import base64
import json
import os
import pathlib
import socket
import sqlite3
import subprocess
import time

from .matrix_client import MatrixClient

SECRET = "registration secret of the smoke test"
_TROUBLE = ("OSError", "Traceback", "[Errno")


class Homeserver:
    """Configured once, started as often as wanted."""

    def __init__(self, python: pathlib.Path, folder: pathlib.Path, media: pathlib.Path) -> None:
        self._python, self._folder = python, folder
        self._process: subprocess.Popen[bytes] | None = None
        port = _free_port()
        self.client = MatrixClient(f"http://127.0.0.1:{port}")
        seed = base64.b64encode(os.urandom(32)).decode().rstrip("=")
        (folder / "signing.key").write_text(f"ed25519 a_smoke {seed}\n", encoding="ascii")
        # JSON is YAML too
        self._write("log.yaml", _log_config(folder / "synapse.log"))
        self._write("homeserver.yaml", self._config(port, media))

    def start(self) -> float:
        """Seconds until it answers."""
        started = time.monotonic()
        with open(self._folder / "output", "ab") as output:
            self._process = subprocess.Popen(
                [self._python, "-m", "synapse.app.homeserver", "-c", "homeserver.yaml"],
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        while not self.client.answers():
            if self._process.poll() is not None:
                raise RuntimeError(f"Synapse stopped at its start:\n{self._last_lines()}")
            if time.monotonic() - started > 90:
                raise RuntimeError(f"Synapse does not answer after 90 s:\n{self._last_lines()}")
            time.sleep(0.1)
        return time.monotonic() - started

    def stop(self) -> None:
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def thumbnail_lengths(self, media_id: str) -> list[int]:
        """The sizes that Synapse's database knows, in order."""
        asked = "SELECT thumbnail_length FROM local_media_repository_thumbnails WHERE media_id = ?"
        database = sqlite3.connect(f"file:{self._folder / 'homeserver.db'}?mode=ro", uri=True)
        try:
            return sorted(length for (length,) in database.execute(asked, (media_id,)))
        finally:
            database.close()

    def trouble(self) -> list[str]:
        """Lines of its log and output that speak of a failed file operation or an unhandled error."""
        found = []
        for name in ("synapse.log", "output"):
            path = self._folder / name
            lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
            found += [line for line in lines if any(word in line for word in _TROUBLE)]
        return found

    def _config(self, port: int, media: pathlib.Path) -> dict[str, object]:
        listener = {
            "port": port,
            "type": "http",
            "bind_addresses": ["127.0.0.1"],
            "resources": [{"names": ["client"]}],
        }
        return {
            "server_name": "smoke.test",
            "pid_file": str(self._folder / "synapse.pid"),
            "listeners": [listener],
            "database": {
                "name": "sqlite3",
                "args": {"database": str(self._folder / "homeserver.db")},
            },
            "log_config": str(self._folder / "log.yaml"),
            "media_store_path": str(media),
            "registration_shared_secret": SECRET,
            "macaroon_secret_key": "macaroon",
            "form_secret": "form",
            "signing_key_path": str(self._folder / "signing.key"),
            "trusted_key_servers": [],
            "report_stats": False,
        }

    def _write(self, name: str, value: dict[str, object]) -> None:
        (self._folder / name).write_text(json.dumps(value, indent=2), encoding="utf-8")

    def _last_lines(self) -> str:
        lines = []
        for name in ("output", "synapse.log"):
            path = self._folder / name
            if path.exists():
                lines += path.read_text(encoding="utf-8").splitlines()[-15:]
        return "\n".join(lines)


def _log_config(path: pathlib.Path) -> dict[str, object]:
    shape = "%(asctime)s %(levelname)s %(name)s %(message)s"
    handler = {"class": "logging.FileHandler", "filename": str(path), "formatter": "line"}
    return {
        "version": 1,
        "formatters": {"line": {"format": shape}},
        "handlers": {"file": handler},
        "root": {"level": "INFO", "handlers": ["file"]},
        "disable_existing_loggers": False,
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
