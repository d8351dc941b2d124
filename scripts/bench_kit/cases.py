"""The cases, their figures and the bars that pailfs has to reach."""

from collections.abc import Callable
from dataclasses import dataclass

from . import crawling, reading, trees, writing
from .file_systems import FileSystem
from .run import Result, Run

# figures of each row of a case: medians by metric, and requests by verb
Rows = dict[str, Result]
Verdict = tuple[str, bool]


@dataclass(frozen=True)
class Metric:
    key: str
    title: str
    unit: str  # s, ms, us (kept in seconds), MiB or count
    compared: bool = True


@dataclass(frozen=True)
class Bar:
    text: str
    judge: Callable[[Rows], Verdict]


@dataclass(frozen=True)
class Case:
    name: str
    title: str
    latency: float
    measure: Callable[[Run, FileSystem], Result]
    metrics: tuple[Metric, ...]
    bars: tuple[Bar, ...]
    bound: Callable[[Run], dict[str, float]] | None = None
    bound_is: str = ""
    note: str = ""
    # measured for pailfs alone: the others would take minutes
    alone: bool = False
    # whether requests to S3 are part of the table
    counted: bool = True


def _at_most(key: str, limit: float, text: str, unit: str = "s") -> Bar:
    def judge(rows: Rows) -> Verdict:
        value = rows["pailfs"].figures[key]
        return in_unit(value, unit), value <= limit

    return Bar(text, judge)


def _faster(key: str, factor: float, text: str) -> Bar:
    """At least `factor` times as fast as the better of s3fs and rclone."""

    def judge(rows: Rows) -> Verdict:
        best = min(rows[name].figures[key] for name in ("s3fs", "rclone"))
        ratio = best / rows["pailfs"].figures[key]
        return f"{ratio:.2f}x", ratio >= factor

    return Bar(text, judge)


def _near(key: str, factor: float, text: str, above: str, below: str) -> Bar:
    """The figure of row `above` is at most `factor` times that of row `below`."""

    def judge(rows: Rows) -> Verdict:
        ratio = rows[above].figures[key] / rows[below].figures[key]
        return f"{ratio:.2f}x", ratio <= factor

    return Bar(text, judge)


def _near_bound(key: str, factor: float, text: str) -> Bar:
    return _near(key, factor, text, "pailfs", "bound")


def _at_least(key: str, limit: float, text: str) -> Bar:
    def judge(rows: Rows) -> Verdict:
        value = rows["pailfs"].figures[key]
        return in_unit(value, "count"), value >= limit

    return Bar(text, judge)


def _rate_near_bound(key: str, factor: float, text: str) -> Bar:
    return _near(key, factor, text, "bound", "pailfs")


def _three_lists(rows: Rows) -> Verdict:
    asked = rows["pailfs"].requests
    return requests_text(asked), set(asked) <= {"LIST"} and asked.get("LIST", 0) <= 3


def _hundred_lists(rows: Rows) -> Verdict:
    asked = rows["pailfs"].requests
    return requests_text(asked), set(asked) <= {"LIST"} and asked.get("LIST", 0) <= 100


def _no_read_served(rows: Rows) -> Verdict:
    served = rows["pailfs"].figures["served"]
    return f"{served:.2f} MiB written by the daemon", served < 0.1


def _crawl_in_time(rows: Rows) -> Verdict:
    took = rows["pailfs"].figures["crawl"]
    ratio = took / rows["bound"].figures["crawl"]
    return f"{took:.1f} s, {ratio:.1f}x", took <= 30 or ratio <= 2


def in_unit(value: float, unit: str) -> str:
    match unit:
        case "us":
            return f"{value * 1e6:.0f} us"
        case "ms":
            return f"{value * 1000:.1f} ms"
        case "s":
            return f"{value:.2f} s"
        case "MiB":
            return f"{value:.0f} MiB"
        case _:
            return f"{value:.0f}"


def requests_text(requests: dict[str, int]) -> str:
    return ", ".join(f"{count} {verb}" for verb, count in requests.items()) or "none"


CASES = (
    Case(
        "lookups",
        "64 callers look up 20 different names each in one directory",
        5,
        reading.look_up_names,
        (Metric("time", "time", "s"),),
        (_at_most("time", 0.6, "<= 0.6 s"),),
    ),
    Case(
        "large-read",
        "A large object read in sequence, cold and again without the page cache",
        15,
        reading.read_cold_and_again,
        (
            Metric("cold", "cold", "s"),
            Metric("first", "first byte", "ms"),
            Metric("peak", "peak RSS", "MiB"),
            Metric("again", "again", "s"),
            Metric("cpu", "CPU of it", "s"),
            Metric("warm", "again from the page cache", "s"),
            Metric("served", "through the daemon", "MiB", compared=False),
            Metric("refetched", "GETs again", "count", compared=False),
        ),
        (
            _faster("cold", 1.1, "cold: 1.1x the better of s3fs and rclone"),
            _at_most("first", 0.0275, "first byte <= 1.5 round trips + 5 ms", "ms"),
            _at_most("peak", 256, "RSS <= 256 MiB", "MiB"),
            _faster("again", 3, "again: >= 3x s3fs and rclone"),
            _near_bound("again", 1.25, "again: within 1.25x of a plain file"),
            _faster("cpu", 3, "CPU of it: >= 3x less than s3fs and rclone"),
            _faster("warm", 3, "from the page cache: >= 3x s3fs and rclone"),
            Bar("no READ reaches the daemon", _no_read_served),
        ),
        reading.read_cold_bound,
        "curl, one stream; plain file",
        note="Each file is read again five times, after its pages and those behind it were dropped, then five times more. "
        "The kernel reads our cache file by itself, so the bound is a plain file, and where the disk delivers that in half "
        "the time that a FUSE daemon needs, nothing can be 3x as fast; CPU time and the page cache show what is saved.",
    ),
    Case(
        "large-write",
        "A large file written",
        15,
        writing.write_large,
        (
            Metric("close", "until close", "s"),
            Metric("stored", "until in the bucket", "s"),
            Metric("peak", "peak RSS", "MiB"),
        ),
        (
            _near_bound("close", 1.3, "close within 1.3x of dd conv=fdatasync"),
            _faster("stored", 1, "in the bucket before s3fs and rclone"),
            _at_most("peak", 256, "RSS <= 256 MiB", "MiB"),
        ),
        writing.write_large_bound,
        "dd conv=fdatasync; curl, one PUT",
    ),
    Case(
        "close",
        "close() of 100 KB files, one after the other",
        15,
        writing.close_medium,
        (
            Metric("p50", "p50", "ms"),
            Metric("p99", "p99", "ms"),
            Metric("file", "open to close, p50", "ms"),
        ),
        (
            _at_most("p50", 0.002, "p50 <= 2 ms", "ms"),
            _at_most("p99", 0.02, "p99 <= 20 ms", "ms"),
            _near_bound("file", 4, "open to close within 4x of the plain disk"),
        ),
        writing.close_medium_bound,
        "fdatasync on the plain disk",
    ),
    Case(
        "close-eight",
        "100 KB files by eight writers",
        15,
        writing.close_by_eight,
        (Metric("rate", "closes per second", "count"),),
        (
            _at_least("rate", 1000, ">= 1,000 per second"),
            _rate_near_bound("rate", 3, "within 3x of the plain disk"),
        ),
        writing.close_by_eight_bound,
        "the same with fdatasync on the plain disk",
    ),
    Case(
        "close-crowd",
        "1,000 files of 100 KB, closed at once",
        15,
        writing.close_a_thousand,
        (Metric("time", "until all are closed", "s"),),
        (_at_most("time", 1, "<= 1 s"),),
        writing.close_a_thousand_bound,
        "the same with fdatasync on the plain disk",
        alone=True,
    ),
    Case(
        "visible",
        "From close() of a 100 KB file to its object",
        15,
        writing.until_visible,
        (Metric("p50", "p50", "ms"), Metric("p99", "p99", "ms")),
        (_at_most("p99", 1, "p99 <= 1 s", "ms"),),
        alone=True,
    ),
    Case(
        "small-files",
        "100 small files in a listed directory",
        15,
        writing.create_small,
        (Metric("sequence", "in sequence", "s"), Metric("parallel", "in parallel", "s")),
        (
            _at_most("sequence", 0.6, "in sequence <= 0.6 s"),
            _at_most("parallel", 0.3, "in parallel <= 0.3 s"),
        ),
        writing.create_small_bound,
        "the same with fdatasync on the plain disk",
    ),
    Case(
        "list",
        "ls -l of 2,500 objects",
        15,
        reading.list_long,
        (Metric("time", "time", "s"),),
        (Bar("3 LIST, no HEAD", _three_lists),),
    ),
    Case(
        "list-large",
        "ls -l of 100,000 objects",
        15,
        trees.list_large,
        (
            Metric("time", "time", "s"),
            Metric("first", "first name", "ms"),
            Metric("peak", "peak RSS", "MiB"),
        ),
        (
            _at_most("time", 4, "<= 4 s"),
            Bar("100 LIST, no HEAD", _hundred_lists),
        ),
        alone=True,
    ),
    Case(
        "walk",
        "find over 1,515 directories of one file or directory each",
        15,
        trees.walk,
        (
            Metric("time", "time", "s"),
            Metric("lists", "LIST", "count"),
            Metric("again", "again", "s"),
            Metric("more", "requests again", "count", compared=False),
        ),
        (
            _at_most("time", 1.3, "<= 1.3 s"),
            _at_most("lists", 12, "<= 12 LIST", "count"),
            _at_most("more", 0, "again: no request", "count"),
        ),
    ),
    Case(
        "synapse-download",
        "A cold download of Synapse (isfile, open, read of 100 KB) from 1,000,000 objects",
        15,
        trees.synapse_download,
        (Metric("time", "time", "ms"), Metric("each", "requests each", "count")),
        (
            _at_most("each", 3, "<= 3 requests", "count"),
            _at_most("time", 0.075, "3 round trips: <= 75 ms", "ms"),
        ),
    ),
    Case(
        "rename-directory",
        "A directory of 1,000 objects renamed",
        15,
        trees.rename_directory,
        (Metric("returned", "until rename", "s"), Metric("stored", "until in the bucket", "s")),
        (_at_most("stored", 2, "in the bucket <= 2 s"),),
    ),
    Case(
        "remove-tree",
        "rm -rf of 1,000 small files",
        15,
        trees.remove_tree,
        (Metric("returned", "until rm", "s"), Metric("stored", "until in the bucket", "s")),
        (
            _at_most("returned", 1, "rm <= 1 s"),
            _at_most("stored", 3, "in the bucket <= 3 s"),
        ),
    ),
    Case(
        "streams",
        "Eight large objects read at once",
        15,
        reading.read_streams,
        (Metric("time", "time", "s"), Metric("peak", "peak RSS", "MiB")),
        (_at_most("peak", 200, "RSS <= 200 MiB", "MiB"),),
        reading.read_streams_bound,
        "as many curls",
    ),
    Case(
        "mount",
        "Mount, and memory at rest",
        15,
        reading.mount_and_rest,
        (Metric("mount", "until exit 0", "s"), Metric("idle", "idle RSS", "MiB")),
        (
            _at_most("mount", 1, "mount <= 1 s"),
            _at_most("idle", 80, "idle RSS <= 80 MiB", "MiB"),
        ),
    ),
    Case(
        "crawl",
        "A Synapse store of 1,000,000 objects, crawled with --sharing=exclusive",
        15,
        crawling.crawl,
        (
            Metric("crawl", "until all is known", "s"),
            Metric("lists", "LISTs", "count"),
            Metric("close", "longest close(2) meanwhile", "ms"),
            Metric("closes", "of", "count"),
            Metric("peak", "peak of RssAnon", "MiB"),
            Metric("rest", "RssAnon afterwards", "MiB"),
            Metric("bytes", "index, bytes per name", "count"),
            Metric("stat", "stat, p50", "us"),
            Metric("miss", "of an absent name", "us"),
            Metric("down", "S3 stopped, restarted: stat", "us"),
            Metric("down-miss", "of an absent name", "us"),
            Metric("asked", "requests of them", "count"),
        ),
        (
            Bar("crawl <= 30 s, or 2x of the curls", _crawl_in_time),
            _at_most("close", 0.02, "no close(2) takes more than 20 ms meanwhile", "ms"),
            _at_most("rest", 200, "RssAnon <= 200 MiB", "MiB"),
            _at_most("bytes", 300, "index <= 300 bytes per name", "count"),
            _at_most("stat", 0.0002, "stat <= 0.2 ms", "us"),
            _at_most("miss", 0.0002, "stat of an absent name <= 0.2 ms", "us"),
            _at_most("down", 0.0002, "stat after a restart without S3 <= 0.2 ms", "us"),
            _at_most("down-miss", 0.0002, "of an absent name <= 0.2 ms", "us"),
            _at_most("asked", 0, "names cost no request", "count"),
        ),
        crawling.crawl_bound,
        "8 curls, each a share of the pages",
        alone=True,
    ),
    Case(
        "core-lookups",
        "Lookups of random names among 1,000,000, in the core without a mount",
        0,
        crawling.core_lookups,
        (
            Metric("lookup", "a name that is there, mean", "us"),
            Metric("miss", "an absent name, mean", "us"),
            Metric("memory", "RssAnon", "MiB"),
            Metric("bytes", "index, bytes per name", "count"),
        ),
        (
            _at_most("lookup", 0.00001, "<= 10 us", "us"),
            _at_most("miss", 0.00001, "absent: <= 10 us", "us"),
            _at_most("memory", 200, "RssAnon <= 200 MiB", "MiB"),
            _at_most("bytes", 300, "index <= 300 bytes per name", "count"),
        ),
        alone=True,
    ),
)
