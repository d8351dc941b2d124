"""Processes found again by a mark in their environment, whether they became daemons or not."""

import os
import signal
import subprocess
import tempfile
import time
import uuid

_MARK = "PAILFS_BENCH_MARK"


class MarkedProcesses:
    """The processes that descend from what `run` starts."""

    def __init__(self) -> None:
        self._mark = uuid.uuid4().hex

    def environment(self, extra: dict[str, str] | None = None) -> dict[str, str]:
        """This process's environment with the mark; the peers trip over a foreign AWS set-up."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "RCLONE_"))}
        return {**kept, **(extra or {}), _MARK: self._mark}

    def run(
        self, argv: list[str], extra: dict[str, str] | None = None, timeout: float = 60
    ) -> float:
        """Seconds until exit 0; output in the error otherwise."""
        started = time.monotonic()
        # a file, not a pipe: a daemon that keeps its output open must not be waited for
        with tempfile.TemporaryFile() as log:
            try:
                done = subprocess.run(
                    argv,
                    env=self.environment(extra),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    timeout=timeout,
                    check=False,
                )
            except subprocess.TimeoutExpired:
                raise RuntimeError(f"{argv[0]} did not return within {timeout} s") from None
            took = time.monotonic() - started
            if done.returncode != 0:
                log.seek(0)
                said = log.read().decode(errors="replace").strip()
                raise RuntimeError(f"{' '.join(argv)} exited with {done.returncode}: {said}")
        return took

    def pids(self) -> list[int]:
        wanted = f"{_MARK}={self._mark}".encode()
        found = []
        for name in os.listdir("/proc"):
            if not name.isdigit():
                continue
            try:
                with open(f"/proc/{name}/environ", "rb") as file:
                    if wanted in file.read().split(b"\0"):
                        found.append(int(name))
            except OSError:
                continue
        return found

    def wait_gone(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while self.pids():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        return True

    def end(self) -> None:
        """Leaves none of them behind."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            for pid in self.pids():
                try:
                    os.kill(pid, number)
                except ProcessLookupError:
                    continue
            if self.wait_gone(5):
                return

    def memory_mib(self) -> float:
        return sum(_status_kib(pid, "VmRSS") for pid in self.pids()) / 1024

    def reset_peak(self) -> None:
        for pid in self.pids():
            with open(f"/proc/{pid}/clear_refs", "w", encoding="ascii") as file:
                file.write("5")

    def peak_mib(self) -> float:
        """Sum of the highest resident sizes since `reset_peak`."""
        return sum(_status_kib(pid, "VmHWM") for pid in self.pids()) / 1024

    def cpu_seconds(self) -> float:
        """What they used so far, in user and kernel mode."""
        ticks = 0
        for pid in self.pids():
            with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
                # the name in parentheses may have spaces
                fields = file.read().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def written_mib(self) -> float:
        """What they wrote anywhere, replies to the kernel included."""
        total = 0
        for pid in self.pids():
            with open(f"/proc/{pid}/io", encoding="ascii") as file:
                total += next(int(line.split()[1]) for line in file if line.startswith("wchar"))
        return total / 2**20


def _status_kib(pid: int, field: str) -> int:
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8") as file:
            return next((int(line.split()[1]) for line in file if line.startswith(field)), 0)
    except OSError:
        return 0
