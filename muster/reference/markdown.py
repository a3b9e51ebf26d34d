"""The little Markdown that the pages are made of.

In: texts. Out: Markdown that renders the same everywhere: tables, code, links to headings. Invariant: nothing that
stands in a cell can end it, and no code can end its block.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; cells are Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def code(text: str) -> str:
    """Text as code within a line."""
    line = " ".join(text.split())
    return f"`` {line} ``" if "`" in line else f"`{line}`"


def plain(text: str) -> str:
    """Text that holds no tag."""
    return text.replace("<", "\\<")


def block(text: str, language: str = "") -> str:
    """Text as a block of code."""
    fence = "````" if "```" in text else "```"
    return f"{fence}{language}\n{text}\n{fence}"


def anchor(heading: str) -> str:
    """How a link names a heading of its page."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def link(text: str, page: str, heading: str = "") -> str:
    """A link to a page of the reference, or to a heading there."""
    return f"[{text}]({page}{'#' + anchor(heading) if heading else ''})"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
