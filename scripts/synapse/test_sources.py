"""Synapse's own tests, as its source distribution has them, and the packages that they and Synapse's workers want."""

import pathlib
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable

from .environment import VERSION

# psycopg2 and txredisapi for workers; what they need themselves comes with Synapse
_PACKAGES = (
    "parameterized==0.9.0",
    "psycopg2-binary==2.9.13",
    "txredisapi==1.5.0",
    "hiredis==3.5.0",
)


def ensure_test_sources(python: pathlib.Path, say: Callable[[str], None]) -> pathlib.Path:
    """A folder for PYTHONPATH with the package `tests` and the additions; `python` is that of ensure_synapse()."""
    # beside the environment
    cache = python.parent.parent.parent
    folder = cache / f"synapse-tests-{VERSION}"
    if folder.exists():
        return folder
    say(f"Fetching the tests of Synapse {VERSION} (once)")
    with tempfile.TemporaryDirectory(dir=cache, prefix="synapse-tests-") as made:
        scratch = pathlib.Path(made)
        whole = scratch / "whole"
        _pip(python, "install", "--only-binary", ":all:", "--target", str(whole), *_PACKAGES)
        wanted = ("--no-binary", "matrix-synapse", f"matrix-synapse=={VERSION}")
        _pip(python, "download", "--dest", str(scratch), *wanted)
        (archive,) = scratch.glob("matrix_synapse-*.tar.gz")
        with tarfile.open(archive) as tar:
            top = f"matrix_synapse-{VERSION}/"
            tests = [m for m in tar.getmembers() if m.name.startswith(f"{top}tests/")]
            tar.extractall(scratch, tests, filter="data")
        shutil.move(scratch / top / "tests", whole)
        # whole or not at all
        whole.rename(folder)
    return folder


def _pip(python: pathlib.Path, command: str, *words: str) -> None:
    argv = [str(python), "-m", "pip", command, "--quiet", "--no-deps", *words]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"pip {command} failed: {(done.stderr or done.stdout).strip()}")
