"""How each file system is mounted and unmounted; every one returns from its command once it is mounted."""

import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass

from .processes import MarkedProcesses
from .s3_client import Login

_ROOT = pathlib.Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Paths:
    """Where one mount keeps things; `cache` may be emptied between mounts, `state` may not."""

    mountpoint: pathlib.Path
    cache: pathlib.Path
    state: pathlib.Path


@dataclass(frozen=True)
class FileSystem:
    """A row of the table."""

    name: str
    program: tuple[str, ...]
    version_argument: str
    options: tuple[str, ...] = ()
    # who mounts, by fusermount3; root by mount(8) when there is none
    user: int | None = None

    def available(self) -> bool:
        return shutil.which(self.program[0]) is not None

    def version(self) -> str:
        asked = [*self.program, self.version_argument]
        done = subprocess.run(asked, capture_output=True, text=True, check=False, timeout=30)
        found = re.search(r"\d+\.\d+(\.\d+)?", done.stdout + done.stderr)
        return found.group() if found else "unknown"

    def mount_command(
        self, bucket: str, endpoint: str, paths: Paths, foreground: bool = False
    ) -> list[str]:
        where = str(paths.mountpoint)
        match self.name.partition("-")[0]:
            case "pailfs":
                own = ("--cache-dir", str(paths.cache), "--state-dir", str(paths.state))
                tail = ["mount", bucket, where, "--endpoint", endpoint, *own]
            case "s3fs":
                key_file = paths.state / "password"
                fd = os.open(key_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
                os.write(fd, f"{Login().access_key}:{Login().secret_key}".encode())
                os.close(fd)
                options = f"url={endpoint},use_path_request_style,listobjectsv2"
                tail = [
                    bucket,
                    where,
                    "-o",
                    f"{options},use_cache={paths.cache},passwd_file={key_file}",
                ]
            case "rclone":
                full = ("--vfs-cache-mode", "full", "--cache-dir", str(paths.cache))
                # its best case for "in the bucket": no five seconds of waiting before an upload
                at_once = ("--vfs-write-back", "0s")
                background = () if foreground else ("--daemon",)
                tail = ["mount", f"store:{bucket}", where, *background, *full, *at_once]
            case "goofys" | "geesefs":
                tail = ["--endpoint", endpoint, "--region", Login().region, bucket, where]
            case other:
                raise ValueError(f"No mount command is known for {other}")
        as_user = () if self.user is None else _command_of(self.user, paths.mountpoint.parent)
        attached = ("-f",) if foreground and self.name != "rclone" else ()
        return [*as_user, *self.program, *tail, *self.options, *attached]

    def environment(self, endpoint: str) -> dict[str, str]:
        login = Login()
        if self.name == "s3fs":
            return {}
        if self.name == "rclone":
            prefix = "RCLONE_CONFIG_STORE_"
            return {
                f"{prefix}TYPE": "s3",
                f"{prefix}PROVIDER": "Other",
                f"{prefix}ENDPOINT": endpoint,
                f"{prefix}REGION": login.region,
                f"{prefix}LIST_VERSION": "2",
                f"{prefix}ACCESS_KEY_ID": login.access_key,
                f"{prefix}SECRET_ACCESS_KEY": login.secret_key,
                "RCLONE_CONFIG": os.devnull,
            }
        return {
            "AWS_ACCESS_KEY_ID": login.access_key,
            "AWS_SECRET_ACCESS_KEY": login.secret_key,
        }

    def unmount_command(self, paths: Paths) -> list[str]:
        if self.name.startswith("pailfs"):
            return [*self.program, "umount", str(paths.mountpoint)]
        return [
            "fusermount" if shutil.which("fusermount") else "fusermount3",
            "-u",
            str(paths.mountpoint),
        ]


class Mount:
    """One file system on one bucket, from an empty cache; a context manager.

    A caller of a file system that never answers cannot be stopped, but its daemon can: that happens after
    `limit` seconds.
    """

    def __init__(
        self,
        system: FileSystem,
        endpoint: str,
        bucket: str,
        work: pathlib.Path,
        limit: float | None = None,
    ) -> None:
        self.system = system
        self.processes = MarkedProcesses()
        self._endpoint, self._bucket = endpoint, bucket
        self._base = pathlib.Path(tempfile.mkdtemp(prefix=f"{system.name}-", dir=work))
        # other users have to come through when they are let in
        self._base.chmod(0o755)
        self.paths = Paths(self._base / "mnt", self._base / "cache", self._base / "state")
        # whether its daemon had to be ended because somebody waited for it for too long
        self.hung = False
        self._guard = threading.Timer(limit or 0, self._give_up)
        self._guard.daemon = True
        if limit is not None:
            self._guard.start()
        for path in (self.paths.mountpoint, self.paths.cache, self.paths.state):
            path.mkdir()
            if system.user is not None:
                os.chown(path, system.user, system.user)
        if system.user is not None:
            # what is mounted in the user's namespace is to be seen here
            subprocess.run(["mount", "--bind", self._base, self._base], check=True)
            subprocess.run(["mount", "--make-shared", self._base], check=True)

    def _give_up(self) -> None:
        self.hung = True
        self.processes.end()

    def __enter__(self) -> "Mount":
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def root(self) -> pathlib.Path:
        return self.paths.mountpoint

    def mount_command(self) -> list[str]:
        return self.system.mount_command(self._bucket, self._endpoint, self.paths)

    def environment(self) -> dict[str, str]:
        """What the mount command runs with."""
        return self.processes.environment(self.system.environment(self._endpoint))

    def start(self) -> float:
        """Seconds from the command to its exit 0; the mount must answer then."""
        took = self.processes.run(self.mount_command(), self.system.environment(self._endpoint))
        if not os.path.ismount(self.root):
            raise RuntimeError(f"{self.system.name} returned 0 but {self.root} is not mounted")
        os.statvfs(self.root)
        return took

    def spawn(self) -> subprocess.Popen[bytes]:
        """A daemon in the foreground, which costs less than `start`; it mounts when it is ready."""
        command = self.system.mount_command(self._bucket, self._endpoint, self.paths, True)
        environment = self.processes.environment(self.system.environment(self._endpoint))
        quiet = subprocess.DEVNULL
        return subprocess.Popen(
            command, env=environment, stdin=quiet, stdout=quiet, stderr=subprocess.PIPE
        )

    def stop(self) -> None:
        self.processes.run(self.system.unmount_command(self.paths), timeout=300)
        if not self.processes.wait_gone(30):
            raise RuntimeError(f"{self.system.name} still runs 30 s after its unmount")

    def drop_page_cache(self, *mounted: pathlib.Path) -> None:
        """Forgets the pages of these mounted files and of the files behind them, nobody else's."""
        for path in mounted:
            forget_pages(path, sync=False)
        for top in (self.paths.cache, self.paths.state):
            for folder, _, names in os.walk(top):
                for name in names:
                    forget_pages(os.path.join(folder, name))

    def close(self) -> None:
        self._guard.cancel()
        try:
            if os.path.ismount(self.root):
                self.stop()
        finally:
            self.processes.end()
            if _is_mounted(self.root):
                subprocess.run(["umount", "-l", str(self.root)], check=False)
                time.sleep(0.1)
            if self.system.user is not None:
                subprocess.run(["umount", "-l", str(self._base)], check=False)
            shutil.rmtree(self._base, ignore_errors=True)


def _command_of(user: int, folder: pathlib.Path) -> tuple[str, ...]:
    """Runs a command as a user whom fuse.conf lets open the mount to others, in a mount namespace of its own."""
    (folder / "fuse.conf").write_text("user_allow_other\n", encoding="ascii")
    script = """conf=$1 user=$2; shift 2
        mount --make-private "$(findmnt -n -o TARGET -T /etc/fuse.conf)" &&
        mount --bind "$conf" /etc/fuse.conf &&
        exec setpriv --reuid "$user" --regid "$user" --clear-groups "$@"
    """
    alone = ("unshare", "--mount", "--propagation", "unchanged")
    return (*alone, "sh", "-c", script, "sh", str(folder / "fuse.conf"), str(user))


def forget_pages(path: str | os.PathLike[str], sync: bool = True) -> None:
    """Drops a file's clean pages from the page cache."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return
    try:
        if sync:
            os.fdatasync(fd)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    except OSError:
        pass
    finally:
        os.close(fd)


def _is_mounted(path: pathlib.Path) -> bool:
    """From the table, since asking a dead mount fails."""
    with open("/proc/mounts", encoding="utf-8") as file:
        return any(line.split(" ")[1] == str(path) for line in file)


def known_systems(goofys: str | None, geesefs: str | None) -> dict[str, FileSystem]:
    pailfs = ("node", str(_ROOT / "bin/pailfs.js"))
    all_systems = [
        FileSystem("pailfs", pailfs, "--version"),
        FileSystem("pailfs-off", pailfs, "--version", ("--passthrough", "off")),
        FileSystem("pailfs-s3", pailfs, "--version", ("--ack", "s3")),
        # user 1 is one that every system knows
        FileSystem("pailfs-user", pailfs, "--version", ("--allow-other", "--uid=0"), user=1),
        FileSystem("pailfs-native", pailfs, "--version", ("--fuse", "native")),
        FileSystem("s3fs", ("s3fs",), "--version"),
        FileSystem("rclone", ("rclone",), "version"),
    ]
    for name, path in (("goofys", goofys), ("geesefs", geesefs)):
        if path is not None:
            all_systems.append(FileSystem(name, (path,), "--version"))
    return {system.name: system for system in all_systems}
