"""Medians of the rounds, as a table for the terminal and as docs/BENCHMARKS.md."""

import pathlib
import statistics
from dataclasses import dataclass, field

from .cases import Case, Metric, Rows, in_unit, requests_text
from .run import Result


@dataclass
class CaseReport:
    case: Case
    measured: dict[str, list[Result]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)

    def medians(self) -> Rows:
        """One row of medians for each file system; requests are those of the median-sized round."""
        rows: Rows = {}
        for name, results in self.measured.items():
            keys = results[0].figures
            figures = {k: statistics.median(r.figures[k] for r in results) for k in keys}
            by_total = sorted(results, key=lambda r: sum(r.requests.values()))
            rows[name] = Result(figures, by_total[len(by_total) // 2].requests)
        return rows

    def table(self) -> list[list[str]]:
        rows = self.medians()
        base = rows.get("pailfs") or next(iter(rows.values()), None)
        counted = self.case.counted
        titles = [metric.title for metric in self.case.metrics]
        lines = [["", *titles, *(["requests"] if counted else [])]]
        for name, row in rows.items():
            cells = [_cell(metric, row, base) for metric in self.case.metrics]
            if counted:
                cells.append("" if name == "bound" else requests_text(row.requests))
            lines.append([self._row_title(name), *cells])
        return lines

    def bars(self) -> list[tuple[str, str, str]]:
        """Text, measured, met or missed; nothing where a row that it needs is not there."""
        rows = self.medians()
        found = []
        for bar in self.case.bars:
            try:
                value, met = bar.judge(rows)
            except (KeyError, ValueError):
                continue
            found.append((bar.text, value, "met" if met else "MISSED"))
        return found

    def _row_title(self, name: str) -> str:
        return f"bound: {self.case.bound_is}" if name == "bound" else name


def _cell(metric: Metric, row: Result, base: Result | None) -> str:
    if metric.key not in row.figures:
        return ""
    value = row.figures[metric.key]
    text = in_unit(value, metric.unit)
    if base is None or row is base or not metric.compared:
        return text
    own = base.figures[metric.key]
    return f"{text} ({value / own:.1f}x)" if own > 0 else text


def as_text(reports: list[CaseReport]) -> str:
    parts = []
    for report in reports:
        table = report.table()
        widths = [max(len(line[i]) for line in table) for i in range(len(table[0]))]
        lines = [f"{report.case.title} ({report.case.latency:g} ms)"]
        for line in table:
            cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
            lines.append(f"  {'  '.join(cells)}".rstrip())
        lines += [f"  bar {verdict}: {text}: {value}" for text, value, verdict in report.bars()]
        lines += [f"  FAILED {name}: {why}" for name, why in report.failures.items()]
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def write_docs(path: pathlib.Path, text: str, adapters: bool) -> None:
    """Writes the part that was measured, and keeps the other one."""
    old = path.read_text(encoding="utf-8") if path.exists() else ""
    first, found, second = old.partition(_ADAPTERS_HEAD)
    if adapters:
        path.write_text(first.rstrip("\n") + "\n\n" + text, encoding="utf-8")
    else:
        rest = "\n" + found + second if found else ""
        path.write_text(text + rest, encoding="utf-8")


def as_markdown(reports: list[CaseReport], facts: dict[str, str], adapters: bool = False) -> str:
    parts = [_ADAPTERS_HEAD + _ADAPTERS_TEXT if adapters else _HEAD]
    parts += [*(f"- {name}: {value}" for name, value in facts.items()), ""]
    for report in reports:
        head, *body = report.table()
        parts += [
            f"## {report.case.title}",
            "",
            f"S3 answers after {report.case.latency:g} ms. {report.case.note}".strip(),
            "",
        ]
        parts += [_line(head), _line(["---"] * len(head)), *map(_line, body), ""]
        parts += [f"- {text}: {value}, {verdict}" for text, value, verdict in report.bars()]
        parts += [f"- {name} failed: {why}" for name, why in report.failures.items()]
        parts.append("")
    return "\n".join(parts)


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


_ADAPTERS_HEAD = "# Adapters\n"
_ADAPTERS_TEXT = """
Written by `scripts/bench --adapters --write-docs`; do not edit by hand. The same core behind each way to the kernel: pailfs
is the kernel adapter with passthrough, pailfs-off without; pailfs-user was mounted by an ordinary user through fusermount3,
who has no passthrough either; pailfs-native is `--fuse=native` (fuse-native, libfuse 2).
"""
_HEAD = """# Benchmarks

Written by `scripts/bench --write-docs`; do not edit by hand. All rows of a table come from one run on one machine:
rounds are interleaved, figures are medians, the factor in parentheses is relative to pailfs. The S3 server is the
loopback S3 in a process of its own. The bound is what the machine does without any file system in between. s3fs runs
with `use_cache`, rclone with `--vfs-cache-mode full --vfs-write-back 0s`. Their close of a file is not the same
promise: s3fs returns when S3 has the object, rclone before anything is durable, pailfs when it is safe on the disk.
"""
