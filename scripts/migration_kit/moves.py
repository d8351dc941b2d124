"""Each move of the document, there and back, with every file compared on the way."""

import contextlib
import os
import pathlib
import shutil
import sqlite3
import time
from collections.abc import Callable

from synapse.environment import ensure_synapse
from synapse.provider import ensure_provider

from .workplace import Workplace, equal, without_previews


class Missing(Exception):
    """A program that a move needs is not there."""


def _needs(*programs: str) -> None:
    for program in programs:
        if shutil.which(program) is None:
            raise Missing(f"{program} is not installed")


def _plain(place: Workplace) -> None:
    _needs("rclone")
    heading = "A plain directory"
    place.fill()
    place.run(heading, 0)
    place.change()
    place.run(heading, 1)
    before = place.tree()
    equal(place.stored(), without_previews(before), "the bucket")
    place.run(heading, 2)
    equal(place.tree(), before, "the mount")
    _use(place)
    before = place.tree()
    place.run("Back to a plain directory")
    equal(place.tree(), before, "the directory that came back")
    equal({path.stat().st_uid for path in place.store.rglob("*")}, {place.owner}, "owners")


def _provider(place: Workplace) -> None:
    _needs("rsync")
    # without a slash, as in the README of the provider
    place.prefix = "pfx"
    place.fill()
    _upload_by_provider(place)
    uploaded = set(place.stored())
    if not uploaded:
        raise AssertionError("the provider uploaded nothing")
    heading = "synapse-s3-storage-provider"
    place.run(heading, 0)
    place.change()
    before = place.tree()
    place.run(heading, 1)
    # what was removed while the provider was in charge is still in the bucket
    seen = place.tree()
    equal({name: seen.get(name) for name in before}, before, "the mount")
    _use(place)
    before = place.tree()
    place.run(heading, 2)
    equal(place.stored(), without_previews(before), "what the provider finds")
    previews = {name: before[name] for name in before.keys() - without_previews(before).keys()}
    equal(place.tree(), previews, "the previews")


def _upload_by_provider(place: Workplace) -> None:
    """s3_media_upload of a part of the store: as after uploads that failed."""
    provider = ensure_provider("python3", say)
    python = ensure_synapse("python3", say)
    script = provider / "bin/s3_media_upload"
    rows = [
        ("", path.relative_to(place.store / "local_content").as_posix().replace("/", ""), "local")
        for path in sorted((place.store / "local_content").rglob("*"))[: 3 * 4]
        if path.is_file()
    ]
    with contextlib.closing(sqlite3.connect(place.folder / "cache.db")) as database:
        database.execute(
            "CREATE TABLE media (origin TEXT NOT NULL, media_id TEXT NOT NULL,"
            " filesystem_id TEXT NOT NULL, type TEXT NOT NULL, known_deleted BOOLEAN NOT NULL)"
        )
        database.executemany(
            "INSERT INTO media VALUES (?, ?, ?, ?, 0)",
            [(origin, media, media, kind) for origin, media, kind in rows],
        )
        database.commit()
    place.environment["PYTHONPATH"] = str(provider)
    place.shell(
        f'"{python}" "{script}" --no-progress upload "$STORE" "$BUCKET"'
        ' --prefix "$PREFIX" --endpoint-url "$ENDPOINT"'
    )


def _goofys(place: Workplace) -> None:
    _needs("rclone")
    place.fill()
    before = place.tree()
    client = place.server.client
    for path in sorted(place.store.rglob("*")):
        key = place.prefix + path.relative_to(place.store).as_posix()
        # what its mkdir makes
        client.put(place.bucket, f"{key}/" if path.is_dir() else key, b"" if path.is_dir() else path.read_bytes())
    shutil.rmtree(place.store)
    place.store.mkdir()
    place.run("goofys", 0)
    equal(place.tree(), without_previews(before), "the mount")
    shutil.rmtree(place.store / "local_thumbnails")
    place.run("goofys", 1)
    _use(place)
    before = place.tree()
    place.run("goofys", 2)
    equal(place.stored(), without_previews(before), "what goofys finds")


def _s3fs(place: Workplace) -> None:
    _needs("s3fs")
    place.server.client.put(place.bucket, place.prefix, b"")
    place.store.mkdir()
    mount_s3fs = 's3fs "$BUCKET:/${PREFIX%/}" "$STORE" -o "url=$ENDPOINT,use_path_request_style"'
    place.shell(mount_s3fs)
    place.fill()
    (place.store / "link").symlink_to("local_content")
    for path in [place.store / "local_content", *(place.store / "local_content").rglob("*")]:
        os.chown(path, place.owner, place.owner)
        path.chmod(0o750 if path.is_dir() else 0o640)
    before, modes = place.tree(), _modes(place)
    place.run("s3fs", 0)
    equal(place.tree(), without_previews(before), "the mount")
    equal(_modes(place), modes, "modes and owners")
    equal((place.store / "link").readlink(), pathlib.Path("local_content"), "the link")
    _use(place)
    before, modes = without_previews(place.tree()), _modes(place)
    place.run("s3fs", 1)
    equal(without_previews(place.tree()), before, "what s3fs shows")
    equal(_modes(place), modes, "modes and owners in s3fs")


def _rclone(place: Workplace) -> None:
    _needs("rclone")
    place.store.mkdir()
    shared = 'export RCLONE_CONFIG_S3_TYPE=s3 RCLONE_CONFIG_S3_PROVIDER=Other RCLONE_CONFIG_S3_ENV_AUTH=true\n'
    place.shell(
        f'{shared}export RCLONE_CONFIG_S3_ENDPOINT="$ENDPOINT"\n'
        'rclone mount "s3:$BUCKET/$PREFIX" "$STORE" --daemon --vfs-cache-mode full'
    )
    place.fill()
    before = place.tree()
    _wait(lambda: place.stored() == before, "rclone to upload everything")
    place.run("rclone mount", 0)
    equal(place.tree(), without_previews(before), "the mount")
    _use(place)
    before = without_previews(place.tree())
    place.run("rclone mount", 1)
    equal(without_previews(place.tree()), before, "what rclone shows")


def _use(place: Workplace) -> None:
    """New files, one removed and one replaced, as Synapse and its operators do it."""
    place.fill(seed=3)
    shutil.rmtree(next(path for path in (place.store / "local_content").iterdir() if path.is_dir()))
    some = next(path for path in sorted((place.store / "remote_content").rglob("*")) if path.is_file())
    some.write_bytes(b"replaced")


def _modes(place: Workplace) -> dict[str, tuple[int, int, int]]:
    found = {}
    for path in (place.store / "local_content").rglob("*"):
        stat = path.stat()
        found[str(path.relative_to(place.store))] = (stat.st_mode, stat.st_uid, stat.st_gid)
    return found


def _wait(done: Callable[[], bool], what: str, seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds} s for {what}")
        time.sleep(0.5)


def say(text: str) -> None:
    print(text, flush=True)


Move = Callable[[Workplace], None]
MOVES: dict[str, Move] = {
    "plain": _plain,
    "provider": _provider,
    "goofys": _goofys,
    "s3fs": _s3fs,
    "rclone": _rclone,
}
