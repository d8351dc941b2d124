"""The Python environment that holds Synapse: made once, outside the checkout."""

import fcntl
import os
import pathlib
import shutil
import subprocess
from collections.abc import Callable

# the version that the smoke test was last seen to work with
VERSION = "1.163.2"


def ensure_synapse(python: str, say: Callable[[str], None]) -> pathlib.Path:
    """The environment's python, with the pinned Synapse installed."""
    default = pathlib.Path.home() / ".cache/pailfs-test"
    cache = pathlib.Path(os.environ.get("PAILFS_TEST_CACHE") or default)
    folder = cache / "synapse-venv"
    own_python = folder / "bin/python"
    cache.mkdir(parents=True, exist_ok=True)
    with open(cache / "synapse-venv.lock", "w", encoding="ascii") as lock:
        # two test files may come here at once
        fcntl.flock(lock, fcntl.LOCK_EX)
        if _installed_version(own_python) != VERSION:
            say(f"Installing Synapse {VERSION} (about a minute, once)")
            shutil.rmtree(folder, ignore_errors=True)
            _run([python, "-m", "venv", str(folder)])
        if not _can_preview(own_python):
            wanted = f"matrix-synapse[url-preview]=={VERSION}"
            _run([str(own_python), "-m", "pip", "install", "--quiet", wanted])
    return own_python


def _installed_version(python: pathlib.Path) -> str | None:
    if not python.exists():
        return None
    asked = "import importlib.metadata as m; print(m.version('matrix-synapse'))"
    done = subprocess.run([python, "-c", asked], capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else None


def _can_preview(python: pathlib.Path) -> bool:
    """URL previews need beautifulsoup4, an extra; so this is false too when nothing is installed."""
    done = subprocess.run([python, "-c", "import bs4, synapse"], capture_output=True, check=False)
    return done.returncode == 0


def _run(argv: list[str]) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(argv[1:4])} failed: {(done.stderr or done.stdout).strip()}")
