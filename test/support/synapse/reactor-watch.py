"""Asks a Synapse for its versions every 50 ms until its input ends, then prints how long the answers took, in ms.

An answer's time counts from the moment at which it was due to be asked for, so that one stall counts in all the requests
that it held up.
"""

import http.client
import json
import select
import sys
import time

EVERY = 0.05


def ask(connection: http.client.HTTPConnection) -> None:
    connection.request("GET", "/_matrix/client/versions")
    answer = connection.getresponse()
    answer.read()
    if answer.status != 200:
        raise RuntimeError(f"answered {answer.status}")


def main() -> None:
    connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=120)
    ask(connection)
    print("watching", flush=True)
    took: list[float] = []
    due = time.monotonic()
    while not select.select([sys.stdin], [], [], max(0, due - time.monotonic()))[0]:
        ask(connection)
        took.append((time.monotonic() - due) * 1000)
        due += EVERY
    took.sort()
    quantile = lambda part: round(took[min(len(took) - 1, int(len(took) * part))], 1)  # noqa: E731
    told = {"count": len(took), "p50": quantile(0.5), "p99": quantile(0.99), "max": quantile(1)}
    print(json.dumps(told), flush=True)


main()
