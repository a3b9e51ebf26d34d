"""The charts, as SVG without any library: times of all sides by shape, and growth with the number of rows.

In: the figures of a run. Out: SVG text. Invariant: axes are logarithmic and say so; every mark has its value as a
title; colours are told apart by lightness too, and the ground is white in any theme.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from math import ceil, floor, log10
from typing import Any

from benchmarks.shapes.goals import limit_ms, timing
from benchmarks.shapes.shapes import SHAPES

LOOKS: Mapping[str, tuple[str, str, float]] = {  # what it is called, colour, radius
    "muster": ("Muster, raw rows", "#b3123f", 6),
    "muster-rollups": ("Muster, with rollups", "#ff6f91", 6),
    "polars-time": ("Polars by hand, time order", "#9ecae1", 4),
    "polars-ids": ("Polars by hand, our order", "#3182bd", 4),
    "duckdb-time": ("DuckDB, time order", "#fdd06a", 4),
    "duckdb-ids": ("DuckDB, our order", "#d98e00", 4),
    "duckdb-files": ("DuckDB on Parquet, our order", "#7a5200", 4),
    "chdb-time": ("chdb, time order", "#a6dba0", 4),
    "chdb-ids": ("chdb, our order", "#1b7837", 4),
}
_LINES = ("#b3123f", "#3182bd", "#d98e00", "#1b7837", "#6a3d9a", "#555555", "#e7298a", "#17becf", "#8c564b")
_WIDTH, _LEFT, _RIGHT, _ROW = 860, 60, 50, 26


def times(figures: dict[str, Any]) -> str:
    """A dot a side and shape; a stroke where memory alone would need as long."""
    shapes = [shape.name for shape in SHAPES if any(timing(figures, side, shape.name) for side in LOOKS)]
    sides = [side for side in LOOKS if any(timing(figures, side, shape) for shape in shapes)]
    known = [found["wall_ms"] for side in sides for shape in shapes if (found := timing(figures, side, shape))]
    limits = [limit for shape in shapes if (limit := limit_ms(figures, shape))]
    low, high = _decades([*known, *limits])
    top = 24 * ceil(len(sides) / 3) + 34
    height = top + _ROW * len(shapes) + 40
    marks = [*_legend(sides), *_axis(low, high, top, height - 40)]
    for row, shape in enumerate(shapes):
        y = top + _ROW * row + _ROW / 2
        marks.append(_text(_LEFT - 10, y + 4, shape, "end"))
        marks.append(f'<line x1="{_LEFT}" y1="{y}" x2="{_WIDTH - _RIGHT}" y2="{y}" stroke="#eee"/>')
        if limit := limit_ms(figures, shape):
            x = _place(limit, low, high)
            title = f"<title>{shape}: memory alone {_shown(limit)}</title>"
            marks.append(
                f'<line x1="{x}" y1="{y - 9}" x2="{x}" y2="{y + 9}" stroke="#000" stroke-width="2">{title}</line>'
            )
        marks += [
            _dot(_place(found["wall_ms"], low, high), y, side, f"{shape}: {_shown(found['wall_ms'])}")
            for side in reversed(sides)
            if (found := timing(figures, side, shape))
        ]
    marks.append(
        _text(_WIDTH / 2, height - 6, "milliseconds by the clock (logarithmic); stroke: memory alone", "middle")
    )
    return _whole(height, marks)


def growth(figures: dict[str, Any]) -> str:
    """A line a shape over the number of samples, raw rows, devices as many as in the first estate."""
    devices = figures["growth"][0]["estate"]["devices"]
    same = sorted(
        (one for one in figures["growth"] if one["estate"]["devices"] == devices),
        key=lambda one: one["estate"]["samples"],
    )
    lines = {
        shape.name: [
            (one["estate"]["samples"], found["wall_ms"]) for one in same if (found := timing(one, "muster", shape.name))
        ]
        for shape in SHAPES
        if shape.name.startswith("q")
    }
    lines = {name: points for name, points in lines.items() if len(points) > 1}
    across = _decades([rows for points in lines.values() for rows, _ in points])
    up = _decades([taken for points in lines.values() for _, taken in points])
    height, top = 420, 20
    marks = list(_axis(*across, top, height - 50))
    for decade in range(up[0], up[1] + 1):
        y = _up(10.0**decade, up, height)
        marks.append(f'<line x1="{_LEFT}" y1="{y}" x2="{_WIDTH - _RIGHT}" y2="{y}" stroke="#ddd"/>')
        marks.append(_text(_LEFT - 8, y + 4, _shown(10.0**decade), "end"))
    labels: list[tuple[float, str, str]] = []
    for (name, points), colour in zip(lines.items(), _LINES, strict=False):
        path = " ".join(f"{_place(rows, *across):.1f},{_up(taken, up, height):.1f}" for rows, taken in points)
        marks.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        labels.append((_up(points[-1][1], up, height), name, colour))
    most = max(rows for points in lines.values() for rows, _ in points)
    below = 0.0
    for y, name, colour in sorted(labels):
        below = max(y, below + 13)  # no label over another
        marks.append(_text(_place(most, *across) + 6, below + 4, name, "start", colour))
    marks.append(_text(_WIDTH / 2, height - 6, "samples (logarithmic); milliseconds by the clock, raw rows", "middle"))
    return _whole(height, marks)


def _up(taken: float, up: tuple[int, int], height: int) -> float:
    return height - 50 - (log10(taken) - up[0]) / max(1, up[1] - up[0]) * (height - 70)


def _decades(values: Sequence[float]) -> tuple[int, int]:
    return floor(log10(max(1e-3, min(values)))), ceil(log10(max(1e-3, *values)))


def _place(value: float, low: int, high: int) -> float:
    return _LEFT + (log10(max(value, 10.0**low)) - low) / max(1, high - low) * (_WIDTH - _LEFT - _RIGHT)


def _axis(low: int, high: int, top: float, bottom: float) -> Iterable[str]:
    for decade in range(low, high + 1):
        x = _place(10.0**decade, low, high)
        yield f'<line x1="{x:.1f}" y1="{top}" x2="{x:.1f}" y2="{bottom}" stroke="#ddd"/>'
        yield _text(x, bottom + 16, f"{10.0**decade:,.10g}", "middle")


def _legend(sides: Sequence[str]) -> Iterable[str]:
    for at, side in enumerate(sides):
        x, y = 20 + at % 3 * 280, 20 + at // 3 * 24
        yield _dot(x, y, side, LOOKS[side][0])
        yield _text(x + 12, y + 4, LOOKS[side][0], "start")


def _dot(x: float, y: float, side: str, title: str) -> str:
    name, colour, radius = LOOKS[side]
    return (
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" fill="{colour}" stroke="#fff">'
        f"<title>{escape(name)}: {escape(title)}</title></circle>"
    )


def _text(x: float, y: float, text: str, anchor: str, colour: str = "#222") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">{escape(text)}</text>'


def _shown(milliseconds: float) -> str:
    return f"{milliseconds:,.0f} ms" if milliseconds >= 10 else f"{milliseconds:.2g} ms"


def _whole(height: float, marks: Iterable[str]) -> str:
    body = "\n".join(marks)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" font-family="sans-serif" '
        f'font-size="12">\n<rect width="{_WIDTH}" height="{height}" fill="#fff"/>\n{body}\n</svg>\n'
    )
