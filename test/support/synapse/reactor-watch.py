"""Watches the thread of a Synapse that answers everybody, until its input ends, then prints what it saw, in ms.

It asks for the versions every 50 ms. An answer's time counts from the moment at which it was due to be asked for, so that one
stall counts in all the requests that it held up. Beside that it looks what the thread waits for: on a busy machine answers
take long for want of a CPU, which is no fault of a mount.
"""

import http.client
import json
import select
import sys
import threading
import time

ASK_EVERY = 0.05
LOOK_EVERY = 0.01
# where Linux waits for a file system in user space
WAIT = ("request_wait_answer", "fuse")


class MountWatch(threading.Thread):
    """How long the first thread of a process was waiting for a mount, at the longest."""

    def __init__(self, pid: str) -> None:
        super().__init__(daemon=True)
        self._path = f"/proc/{pid}/task/{pid}/wchan"
        self.longest = 0.0

    def run(self) -> None:
        since: float | None = None
        while True:
            with open(self._path, encoding="ascii") as file:
                place = file.read()
            now = time.monotonic()
            if place.startswith(WAIT):
                since = now if since is None else since
                self.longest = max(self.longest, now - since)
            else:
                since = None
            time.sleep(LOOK_EVERY)


def ask(connection: http.client.HTTPConnection) -> None:
    connection.request("GET", "/_matrix/client/versions")
    answer = connection.getresponse()
    answer.read()
    if answer.status != 200:
        raise RuntimeError(f"answered {answer.status}")


def main() -> None:
    connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=120)
    ask(connection)
    mount = MountWatch(sys.argv[2])
    mount.start()
    print("watching", flush=True)
    took: list[float] = []
    due = time.monotonic()
    while not select.select([sys.stdin], [], [], max(0, due - time.monotonic()))[0]:
        ask(connection)
        took.append((time.monotonic() - due) * 1000)
        due += ASK_EVERY
    took.sort()
    part = lambda share: round(took[min(len(took) - 1, int(len(took) * share))], 1)  # noqa: E731
    told = {"count": len(took), "p50": part(0.5), "p99": part(0.99), "max": part(1)}
    print(json.dumps({**told, "mount": round(mount.longest * 1000)}), flush=True)


main()
