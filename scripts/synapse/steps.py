"""The smoke test itself, step by step."""

import hashlib
import time
from collections.abc import Callable

from .homeserver import SECRET, Homeserver
from .media_place import MediaPlace
from .picture import noise_png

# methods and names of the thumbnails that Synapse makes of a picture of 1000 x 700
_THUMBNAILS = (
    "32-32-image-png-crop",
    "96-96-image-png-crop",
    "320-224-image-png-scale",
    "640-448-image-png-scale",
    "800-560-image-png-scale",
)


def run_steps(server: Homeserver, place: MediaPlace, say: Callable[[str], None]) -> None:
    """Raises at the first thing that is not as on a local disk."""
    picture = noise_png()
    digest = hashlib.sha256(picture).hexdigest()
    with place.counting() as requests:
        say(f"Synapse answers after {server.start():.1f} s")
    say(f"  requests: {_told(requests)}")
    server.client.register_admin("smoke", "password", SECRET)

    started = time.monotonic()
    with place.counting() as requests:
        medium = server.client.upload(picture, "image/png")
        took = time.monotonic() - started
        paths = _own_paths(medium.partition("/")[2])
        _wait(lambda: set(place.keys()) == set(paths), f"exactly {paths} in the bucket", place)
    say(f"Uploaded a PNG of {len(picture)} bytes in {took:.2f} s; it and 5 thumbnails are stored")
    say(f"  requests: {_told(requests)}")

    original, thumbnails = paths[0], paths[1:]
    _equal(_sha256(place.read(original)), digest, f"sha256 of {original}")
    lengths = server.thumbnail_lengths(medium.partition("/")[2])
    _equal(sorted(place.keys()[key] for key in thumbnails), lengths, "sizes of the thumbnails")
    for key in thumbnails:
        _equal(_sha256(place.read(key)), _sha256((place.folder / key).read_bytes()), key)
    stored_scaled = place.read(thumbnails[2])
    say("The stored bytes are those that were uploaded, and those that the mount shows")

    server.stop()
    say(f"Synapse stopped; {place.start_cold()}")
    server.start()
    with place.counting() as requests:
        _equal(_sha256(server.client.download(medium)), digest, "sha256 of the download")
    say(f"Downloaded it with the same sha256\n  requests: {_told(requests)}")
    with place.counting() as requests:
        got = server.client.thumbnail(medium, 320, 240, "scale")
    _equal(_sha256(got), _sha256(stored_scaled), "sha256 of the thumbnail")
    say(f"Downloaded a thumbnail with the stored bytes\n  requests: {_told(requests)}")

    with place.counting() as requests:
        server.client.delete(medium)
        _wait(lambda: not place.keys(), "an empty bucket", place)
    say(f"Deleted by the admin API, and gone from the bucket\n  requests: {_told(requests)}")
    server.stop()
    if lines := server.trouble():
        raise AssertionError("Synapse's log speaks of errors:\n" + "\n".join(lines[:20]))
    say("Synapse's log has no OSError and no traceback")


def _own_paths(media_id: str) -> list[str]:
    """Synapse's own relative paths: the original, then the thumbnails."""
    shard = f"{media_id[:2]}/{media_id[2:4]}/{media_id[4:]}"
    thumbnails = [f"local_thumbnails/{shard}/{name}" for name in _THUMBNAILS]
    return [f"local_content/{shard}", *thumbnails]


def _wait(done: Callable[[], bool], what: str, place: MediaPlace, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            raise AssertionError(f"Waited {seconds} s for {what}; there is {sorted(place.keys())}")
        time.sleep(0.05)


def _equal(got: object, expected: object, what: str) -> None:
    if got != expected:
        raise AssertionError(f"{what}: expected {expected}, got {got}")


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _told(requests: dict[str, int]) -> str:
    return ", ".join(f"{count} {verb}" for verb, count in requests.items()) or "none"
