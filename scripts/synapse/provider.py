"""synapse-s3-storage-provider and what it needs, beside Synapse's environment: put the folder into the module path."""

import fcntl
import pathlib
import shutil
import subprocess
from collections.abc import Callable

from synapse.environment import ensure_synapse

VERSION = "1.7.0"
# without its own wish for psycopg2, which has to be compiled: the same module comes ready
PACKAGES = ["boto3==1.44.5", "humanize", "tqdm", "psycopg2-binary==2.9.13"]


def ensure_provider(python: str, say: Callable[[str], None]) -> pathlib.Path:
    """The folder of modules for the environment's python; s3_media_upload is in its `bin`."""
    own_python = ensure_synapse(python, say)
    cache = own_python.parents[2]
    folder = cache / f"s3-storage-provider-{VERSION}"
    with open(cache / "s3-storage-provider.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            say(f"Installing synapse-s3-storage-provider {VERSION} (once)")
            unfinished = cache / "s3-storage-provider-unfinished"
            shutil.rmtree(unfinished, ignore_errors=True)
            pip = [str(own_python), "-m", "pip", "install", "--quiet", "--target", str(unfinished)]
            # in this order: of the second, pip leaves out the programs
            for packages in (["--no-deps", f"synapse-s3-storage-provider=={VERSION}"], PACKAGES):
                subprocess.run([*pip, *packages], capture_output=True, check=True)
            unfinished.rename(folder)
    return folder
