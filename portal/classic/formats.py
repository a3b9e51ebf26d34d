"""The forms in which an NXQL answer leaves: CSV, JSON, XML, HTML; and the page that says what is wrong.

In: columns of values. Out: bytes, a head, pieces of rows, an end, so that no answer is in memory twice; or a page.
Invariants: CSV is cut by tabs, and no value holds one, nor a line; whatever the values are, XML and HTML are well
formed and hold nothing that a browser would run.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Rows = Iterable[Sequence[Any]]
CUTS = str.maketrans(dict.fromkeys("\t\r\n\v\f\x1c\x1d\x1e\x85\u2028\u2029", " "))
UNWRITABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")  # what XML has no way to say


@dataclass(frozen=True, slots=True)
class Form:
    """A form: its media type, whether it takes texts (else values), and its parts. `rows` is told whether they are the
    first."""

    media: str
    texts: bool
    head: Callable[[Sequence[str]], str]
    rows: Callable[[Sequence[str], Rows, bool], str]
    end: str


def _csv_head(names: Sequence[str]) -> str:
    return "\t".join(name.translate(CUTS) for name in names) + "\n"


def _csv_rows(_names: Sequence[str], rows: Rows, _first: bool) -> str:
    return "".join("\t".join(cell.translate(CUTS) for cell in row) + "\n" for row in rows)


def _json_rows(names: Sequence[str], rows: Rows, first: bool) -> str:
    written = ",\n".join(json.dumps(dict(zip(names, row, strict=True)), ensure_ascii=False) for row in rows)
    return written if first or not written else ",\n" + written


def _cells(cells: Iterable[str]) -> str:
    return "".join(f"<c{at}>{_escaped(cell)}</c{at}>" for at, cell in enumerate(cells))


def _html_head(names: Sequence[str]) -> str:
    heads = "".join(f"<th>{_escaped(name)}</th>" for name in names)
    return f"<html>\n<head><title>NXQL</title></head>\n<body>\n<table>\n<tr>{heads}</tr>\n"


def _html_rows(_names: Sequence[str], rows: Rows, _first: bool) -> str:
    return "".join("<tr>" + "".join(f"<td>{_escaped(cell)}</td>" for cell in row) + "</tr>\n" for row in rows)


def _escaped(text: str) -> str:
    return html.escape(UNWRITABLE.sub("\ufffd", text))


FORMS: Mapping[str, Form] = {
    "csv": Form("text/csv", True, _csv_head, _csv_rows, ""),
    "json": Form("application/json", False, lambda names: "[", _json_rows, "]\n"),
    "xml": Form(
        "text/xml",
        True,
        lambda names: f'<?xml version="1.0" encoding="UTF-8"?>\n<table>\n<header>{_cells(names)}</header>\n<body>\n',
        lambda names, rows, first: "".join(f"<r>{_cells(row)}</r>\n" for row in rows),
        "</body>\n</table>\n",
    ),
    "html": Form("text/html", True, _html_head, _html_rows, "</table>\n</body>\n</html>\n"),
}


def page(message: str, options: Iterable[str] = ()) -> str:
    """The page of an error, which clients look through by its ids."""
    items = "".join(f"<li>{_escaped(option)}</li>\n" for option in options)
    return (
        "<html>\n<head><title>Error</title></head>\n<body>\n<h1>Error</h1>\n"
        f'<p id="error_message">{_escaped(message)}</p>\n<ul id="error_options">\n{items}</ul>\n</body>\n</html>\n'
    )
