"""`python -m benchmarks.shapes`: makes the estate, measures everything, writes the figures and the page.

In: options. Out: figures on the terminal, as JSON, and as `docs/engine-performance.md` with its chart. Invariant: the
page is made of one file of figures and nothing else.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.shapes import clock, page
from benchmarks.shapes.estate import Estate, of_one_day, of_scale
from benchmarks.shapes.processes import ROOT
from benchmarks.shapes.shapes import named
from benchmarks.shapes.sides import SIDES
from benchmarks.shapes.whole import OURS, DifferentError, Wanted, growth, make, measure

DOCUMENT, DAY_DOCUMENT = (ROOT / "docs" / f"engine-performance{rest}.md" for rest in ("", "-day"))
GROWTH = ((3_000_000, 100_000), (30_000_000, 100_000), (100_000_000, 100_000), (30_000_000, 10_000))


def main() -> int:
    """Measure, or make the page of figures that were measured."""
    options = _parser().parse_args()
    try:
        return _run(options)
    except (ValueError, OSError, RuntimeError, subprocess.SubprocessError, DifferentError) as error:
        print(f"benchmarks.shapes: {error}", file=sys.stderr)
        return 1


def _run(options: argparse.Namespace) -> int:
    if options.page_of:
        page.write(msgspec.json.decode(options.page_of.read_bytes()), DAY_DOCUMENT if options.day else DOCUMENT)
        return 0
    named(options.only)
    sides = tuple(SIDES) if not options.sides else tuple(options.sides.split(","))
    if unknown := set(sides) - SIDES.keys():
        raise ValueError(f"there is no side {min(unknown)!r}; there are {', '.join(SIDES)}")
    estate = (of_one_day if options.day else of_scale)(options.scale, options.now or clock.now())
    if options.make:
        make(estate, options.data, _say)
        return 0
    full = not (options.only or options.sides or options.day)
    wanted = Wanted(
        sides, options.only, options.rounds, full and not options.queries, not options.no_portal,
        tuple(options.users), options.seconds,
    )  # fmt: skip
    figures: dict[str, Any] = {}
    try:
        measure(figures, estate, options.data, wanted, _say)
        if options.growth:
            sizes = _sizes(estate, options.scale)
            figures["growth"] = growth(estate, sizes, options.data, replace(wanted, sides=OURS), _say)
    finally:
        if options.json and figures:
            options.json.write_bytes(msgspec.json.format(msgspec.json.encode(figures)))
    if options.page:
        page.write(figures, DAY_DOCUMENT if options.day else DOCUMENT)
    return 0


def _sizes(estate: Estate, scale: float) -> list[Estate]:
    """Estates of other numbers of samples and devices."""
    return [
        replace(estate, samples=max(3_000, int(samples * scale)), devices=max(100, int(devices * scale)))
        for samples, devices in GROWTH
    ]


def _say(text: str) -> None:
    print(text, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.shapes",
        description="Make an estate of 100,000 devices and 30 million samples, and measure Muster beside its peers.",
    )
    add = parser.add_argument
    add("--scale", type=_bounded(0.0001, 10), default=1.0, metavar="PART", help="a part of the estate (default: 1)")
    add("--data", type=Path, default=ROOT / ".benchmarks" / "shapes", metavar="DIR", help="where it is made and kept")
    add("--only", metavar="NAMES", help="shapes such as q3,h1 (then without the store at work)")
    add("--sides", metavar="NAMES", help=f"sides, of {', '.join(SIDES)} (then without the store at work)")
    add("--rounds", type=_whole(1, 100), default=5, metavar="N", help="warm rounds at least (default: 5)")
    add("--day", action="store_true", help="the second estate: 150 million samples of one day (60 GB of disk)")
    add("--growth", action="store_true", help="our own figures at other sizes too (40 GB of disk)")
    add("--users", type=_whole(1, 64), nargs="+", default=[1, 8], metavar="N", help="users at once (default: 1 8)")
    add("--seconds", type=_bounded(0.1, 600), default=20.0, metavar="S", help="how long users ask (default: 20)")
    add("--queries", action="store_true", help="queries alone, without the store at work")
    add("--no-portal", action="store_true", help="start no portals for memory and HTTP")
    add("--make", action="store_true", help="only make the estate")
    add("--now", type=_whole(0, 1 << 52), metavar="US", help="the estate's now (default: the last Wednesday)")
    add("--json", type=Path, metavar="FILE", help="write the figures")
    add("--page", action="store_true", help=f"write {DOCUMENT.relative_to(ROOT)} of the figures")
    add("--page-of", type=Path, metavar="FILE", help="only write the page, of figures measured before")
    return parser


def _bounded(least: float, most: float) -> type[float]:
    def number(text: str) -> float:
        value = float(text)
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"{text} is not from {least} to {most}")
        return value

    return number  # type: ignore[return-value]


def _whole(least: int, most: int) -> type[int]:
    def number(text: str) -> int:
        value = int(text)
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"{text} is not from {least} to {most}")
        return value

    return number  # type: ignore[return-value]


if __name__ == "__main__":
    sys.exit(main())
