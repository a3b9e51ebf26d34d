"""`docs/engine-performance.md`, for the estate of one day `engine-performance-day.md`, and their charts.

In: the figures. Out: Markdown and SVG files. Invariant: no number in it comes from anywhere else, and what was not
measured is said to be not measured.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchmarks.shapes import charts
from benchmarks.shapes.estate import DAY_HOURS
from benchmarks.shapes.goals import Figures, Goal, all_rows, goals, limit_ms, ratio, timing
from benchmarks.shapes.reasons import REASONS
from benchmarks.shapes.shapes import SHAPES

GROWTH = "engine-growth.svg"
_HEAD = """\
# What the engine reaches

This page and its charts are made from one run of one command; no figure in it is written by hand.

```
.venv/bin/uv pip install -r requirements/bench.txt     (chdb, a peer of 540 MB; without it its columns are left out)
.venv/bin/python -m benchmarks.shapes --json figures.json --page
.venv/bin/python -m benchmarks.shapes --day --page    (the second estate: engine-performance-day.md)
.venv/bin/python -m benchmarks.shapes --help    (parts of it, growth)
```
"""
_RULES = """\
## How it is compared
- One set of rows, made from seeds. Every side's answers are compared by a fingerprint that knows no order of rows; a
  run whose sides differ has no page.
- Each side runs in a process of its own. Times are medians of at least five warm rounds, from the text of the question
  to its rows in Arrow; memory is the peak of private memory above what was held before, in a round of its own.
- No side remembers answers. *raw* reads rows only; *with rollups* may use the states that compaction stored.
- *time order* is how a user has the rows who loads them as they come; *our order* is how Muster keeps them: by day,
  device and time. Peers get our dense ids in both, and their queries group by ids and take names afterwards; what
  Muster is asked has names in it, and its times hold reading the text.
- *memory alone* is the time in which this machine reads the bytes that nobody can do without, each column as narrow as
  its values allow, at the bandwidth measured in the same run.
- *on Parquet* reads files of the same rows, order, row groups and compression as Muster's day files.
"""


def write(figures: Figures, document: Path) -> None:
    """Write the page and its charts beside it, one of the page's name."""
    chart = document.with_suffix(".svg")
    chart.write_text(charts.times(figures), encoding="utf-8")
    if grown(figures):
        (document.parent / GROWTH).write_text(charts.growth(figures), encoding="utf-8")
    document.write_text("\n".join(_page(figures, chart.name)), encoding="utf-8")


def grown(figures: Figures) -> bool:
    """Whether there are estates of several sizes with as many devices."""
    sizes = figures.get("growth", [])
    same = [one for one in sizes if one["estate"]["devices"] == sizes[0]["estate"]["devices"]]
    return len(same) > 1


def _page(figures: Figures, chart: str) -> Iterator[str]:
    yield _HEAD
    yield from _where(figures)
    if figures["estate"]["hours"] > DAY_HOURS:  # goals, and what is said of times, are about the first estate
        yield "## Goals\n"
        yield from _goals(goals(figures))
        yield "\n## Where the time goes\n"
        yield from _reasons(figures)
    yield f"\n![Times of all sides by shape]({chart})\n"
    yield "## Time by the clock, milliseconds\n"
    yield from _sides(figures, "wall_ms")
    yield "\n## Processor time, milliseconds\n"
    yield from _sides(figures, "cpu_ms")
    yield "\n## The first time in a process, by the clock, milliseconds\n"
    yield from _sides(figures, "first_ms")
    yield "\n## Peak of private memory above what was held, MiB\n"
    yield from _sides(figures, "peak_mib")
    yield "\n## Ratios\n"
    yield from _ratios(figures)
    yield "\n## Distance to the limit\n"
    yield from _limits(figures)
    if "work" in figures:
        yield "\n## The store at work\n"
        yield from _work(figures)
    yield "\n## Disk\n"
    yield from _table(["what", "MiB"], [[name, _number(size / (1 << 20))] for name, size in figures["disk"].items()])
    if grown(figures):
        yield "\n## Growth\n"
        yield from _growth(figures)
    yield "\n## The questions\n"
    yield from (f"- **{shape.name}** {shape.title}: `{shape.text}`" for shape in SHAPES)
    yield ""
    yield _RULES


def _where(figures: Figures) -> Iterator[str]:
    estate, machine = figures["estate"], figures["machine"]
    day = datetime.fromtimestamp(estate["now"] // 1_000_000, UTC).date().isoformat()
    packages = ", ".join(f"{name} {version}" for name, version in machine["packages"].items())
    yield (
        f"The estate: {estate['devices']:,} devices, {estate['samples']:,} samples over {estate['hours']} hours before "
        f"{day}, {all_rows(figures):,} of them in the window; {estate['crashes']:,} crashes, "
        f"{estate['executions']:,} executions."
    )
    yield (
        f"The machine: {machine['cores']} cores ({machine['processor']}), {machine['memory_gib']:.0f} GiB, reading "
        f"memory at {machine['bytes_per_second'] / 1e9:.1f} GB/s; load average at the beginning {machine['load']:.1f}. "
        f"Python {machine['python']}, {packages}.\n"
    )


def _goals(found: Sequence[Goal]) -> Iterable[str]:
    measured = [goal for goal in found if goal.reached is not None]
    yield f"{sum(goal.kept for goal in measured)} of {len(measured)} goals that were measured are reached.\n"
    rows = [
        [
            goal.name,
            f"{'≥' if goal.least else '≤'} {_number(goal.goal)} {goal.unit}".strip(),
            "not measured" if goal.reached is None else f"{_number(goal.reached)} {goal.unit}".strip(),
            "yes" if goal.kept else "" if goal.reached is None else "**no**",
        ]
        for goal in found
    ]
    yield from _table(["goal", "is", "reached", ""], rows)


def _reasons(figures: Figures) -> Iterable[str]:
    """What raw answers are busy with, those that missed their goal first."""
    missed = {
        shape.name
        for shape in SHAPES
        if shape.raw_goal is not None
        and (found := timing(figures, "muster", shape.name))
        and found["wall_ms"] > shape.raw_goal
    }
    for shape in sorted(SHAPES, key=lambda shape: shape.name not in missed):
        yield f"- **{shape.name}**{' (missed its goal)' if shape.name in missed else ''}: {REASONS[shape.name]}"


def _sides(figures: Figures, what: str) -> Iterable[str]:
    sides = [side for side in charts.LOOKS if figures["sides"].get(side, {}).get("shapes")]
    rows = [
        [shape.name, *(_number(found[what]) if (found := timing(figures, side, shape.name)) else "" for side in sides)]
        for shape in SHAPES
        if any(timing(figures, side, shape.name) for side in sides)
    ]
    yield from _table(["", *(charts.LOOKS[side][0] for side in sides)], rows)
    for side, found in figures["sides"].items():
        if "missing" in found:
            yield f"\n{charts.LOOKS[side][0]}: not measured, {found['missing']}."


def _ratios(figures: Figures) -> Iterable[str]:
    yield "Our time divided by theirs, geometric mean of q3 to q9: by the clock / of processor time.\n"
    peers = [side for side in charts.LOOKS if not side.startswith("muster")]
    rows = []
    for ours in ("muster", "muster-rollups"):
        pairs = [(ratio(figures, ours, peer), ratio(figures, ours, peer, "cpu_ms")) for peer in peers]
        cells = ["" if wall is None or cpu is None else f"{wall:.2f} / {cpu:.2f}" for wall, cpu in pairs]
        rows.append([charts.LOOKS[ours][0], *cells])
    yield from _table(["", *(charts.LOOKS[peer][0] for peer in peers)], rows)


def _limits(figures: Figures) -> Iterable[str]:
    rows = []
    for shape in SHAPES:
        limit = limit_ms(figures, shape.name)
        cells = [timing(figures, side, shape.name) for side in ("muster", "muster-rollups", "duckdb-time", "chdb-time")]
        if limit:
            times = ["" if cell is None else _number(cell["wall_ms"] / limit) for cell in cells]
            rows.append([shape.name, _number(figures["least_bytes"][shape.name] / 1e6), _number(limit), *times])
    yield from _table(
        ["", "MB to read", "memory alone, ms", "Muster raw, times that", "with rollups", "DuckDB", "chdb"], rows
    )


def _work(figures: Figures) -> Iterable[str]:
    work, taken = figures.get("work", {}), figures["taken"]
    rows: list[list[str]] = [[f"making: {name.replace('_', ' ')}", _number(value)] for name, value in taken.items()]
    for name, said in (("first", "after a clean stop"), ("killed", "after kill -9")):
        if name in work:
            parts = work[name]
            rows.append([f"{said}: folder open after, s (imports not counted)", _number(parts["opened"])])
            rows.append([f"{said}: first answer after, s (imports not counted)", _number(parts["answered"])])
    for size, found in work.get("ingest", {}).items():
        told = f"{_number(found['rows_per_second'])} / {_number(found['rows_per_cpu_second'])}"
        rows.append([f"ingest, batches of {size}: rows a second by the clock / of processor time", told])
        times = f"{_number(found['p50_ms'])} / {_number(found['p99_ms'])}"
        rows.append([f"ingest, batches of {size}: acknowledged after, ms, half of them / 99 %", times])
    for count, found in work.get("users", {}).items():
        rows.append([f"{count} users, q1 to q9 in turn: answers a second", _number(found["answers_per_second"])])
        medians = ", ".join(f"{name} {_number(value)}" for name, value in found["median_ms"].items())
        rows.append([f"{count} users: median, ms", medians])
    if "idle" in work:
        rows.append(["portal: listens after, s", _number(work["idle"]["listening"])])
    yield from _table(["what", "figure"], rows)


def _growth(figures: Figures) -> Iterable[str]:
    sizes = figures["growth"]
    yield f"![Time over the number of samples]({GROWTH})\n"
    head = [f"{one['estate']['samples'] / 1e6:,.3g} M, {one['estate']['devices']:,} devices" for one in sizes]
    for side in ("muster", "muster-rollups"):
        yield f"{charts.LOOKS[side][0]}, milliseconds:\n"
        rows = [
            [shape.name, *(_number(cell["wall_ms"]) if cell else "" for cell in cells)]
            for shape in SHAPES
            if any(cells := [timing(one, side, shape.name) for one in sizes])
        ]
        yield from _table(["", *head], rows)
        yield ""
    yield from _knees(sizes)


def _knees(sizes: Sequence[Figures]) -> Iterable[str]:
    """Where time grows faster than rows, and where slower."""
    same = sorted(
        (one for one in sizes if one["estate"]["devices"] == sizes[0]["estate"]["devices"]),
        key=lambda one: one["estate"]["samples"],
    )
    for before, after in pairwise(same):
        rows = after["estate"]["samples"] / before["estate"]["samples"]
        grew = {
            shape.name: (late["wall_ms"] / early["wall_ms"])
            for shape in SHAPES
            if (early := timing(before, "muster", shape.name)) and (late := timing(after, "muster", shape.name))
        }
        faster = [f"{name} ({times:.1f})" for name, times in grew.items() if times > rows * 1.25]
        slower = [f"{name} ({times:.1f})" for name, times in grew.items() if times < rows * 0.5]
        yield (
            f"- From {before['estate']['samples'] / 1e6:,.3g} to {after['estate']['samples'] / 1e6:,.3g} M samples, "
            f"{rows:.1f} times as many: faster than the rows grow {', '.join(faster) or 'none'}; "
            f"less than half as fast {', '.join(slower) or 'none'}."
        )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterable[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{' --- |' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def _number(value: Any) -> str:
    """Three figures, and no more."""
    number = float(value)
    if number >= 1_000:
        return f"{number:,.0f}"
    return f"{number:.0f}" if number >= 100 or number.is_integer() else f"{number:.{1 if number >= 10 else 2}f}"
