"""Reads `.nqltest` files: logic tests of the language as data.

A file is settings and then records:

    fixture: spec

    === 14 bytes compare in their unit
    devices | where hardware.memory > 8GB | list name
    --- rows
    device.name string
    PC-001

    === 86 sorted without regard to case
    @ limit: 2
    ...
    --- ordered rows
    --- warning NQL412 at "time"
    --- error NQL301 at "5"

Settings are `fixture`, `now`, `user zone`, `instance zone`, `parameter <name>`, `limit`, `area`, `strict: nexthink`,
`nulls` and `kilo`, and `language: nxql`, beside which `platforms` may stand; a line that starts with `@` sets for one
record alone. Rows are compared as a multiset unless they are `ordered`. Cells are parted by ` | `. Invariant: whatever
stands in a file is checked; an unknown word is an error, never ignored.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import pairwise

SETTINGS = (
    "fixture",
    "now",
    "user zone",
    "instance zone",
    "limit",
    "area",
    "devices",
    "padded to",
    "strict",
    "nulls",
    "kilo",
    "language",
    "platforms",
)


@dataclass(frozen=True)
class Finding:
    """An expected diagnostic: severity, code, and the text its span covers (None: anywhere)."""

    severity: str
    code: str
    text: str | None


@dataclass(frozen=True)
class Expected:
    """The expected table: a header of `name type` and rows of cells as written."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    ordered: bool


@dataclass(frozen=True)
class Record:
    """One test: a query under settings, and its rows or findings. `line` is where it starts in its file."""

    name: str
    line: int
    query: str
    settings: dict[str, str]
    expected: Expected | None
    findings: tuple[Finding, ...] = field(default=())


def parse(text: str) -> list[Record]:
    """The records of a file. Raises ValueError with the line on anything that is not understood."""
    lines = text.splitlines()
    starts = [at for at, line in enumerate(lines) if line.startswith("===")]
    settings: dict[str, str] = {}
    for at, line in enumerate(lines[: starts[0]]):
        if line.strip() and not line.startswith("#"):
            _set(line, settings, at)
    bounds = pairwise([*starts, len(lines)])
    return [_record(lines[start], lines[start + 1 : end], dict(settings), start + 1) for start, end in bounds]


def _set(text: str, settings: dict[str, str], line: int) -> None:
    key, colon, value = text.partition(":")
    key = key.strip()
    if not colon or not (key in SETTINGS or re.fullmatch(r"parameter \w+", key)):
        raise ValueError(f"line {line + 1}: not a setting: {text}")
    settings[key] = value.strip()


def _record(title: str, body: list[str], settings: dict[str, str], line: int) -> Record:
    query: list[str] = []
    expected: Expected | None = None
    findings: list[Finding] = []
    at = 0
    while at < len(body) and not body[at].startswith("---"):
        if body[at].startswith("@"):
            _set(body[at][1:], settings, line + at)
        else:
            query.append(body[at])
        at += 1
    while at < len(body):
        head = body[at].removeprefix("---").strip()
        at += 1
        block = []
        while at < len(body) and not body[at].startswith("---"):
            block.append(body[at])
            at += 1
        if head in ("rows", "ordered rows"):
            expected = _expected(block, head.startswith("ordered"))
        elif found := re.fullmatch(r'(error|warning) (NX?QL\d+)(?: at "(.*)")?', head):
            findings.append(Finding(found[1], found[2], found[3]))
        elif head or any(part.strip() for part in block):
            raise ValueError(f"line {line + at}: not understood: {head}")
    if expected is None and not findings:
        raise ValueError(f"line {line}: expects nothing")
    text = "\n".join(query).strip("\n").ljust(int(settings.get("padded to", 0)))
    return Record(title.strip("= "), line, text, settings, expected, tuple(findings))


def _expected(block: list[str], ordered: bool) -> Expected:
    lines = [line for line in block if line.strip() and not line.startswith("# ")]
    header, *rows = (tuple(cell.strip() for cell in line.split(" | ")) for line in lines)
    return Expected(header, tuple(rows), ordered)
