"""A live query on the screen: one table that stays in its place on a terminal, a table for each answer elsewhere.

In: answers, and signs that they are still those. Out: text on standard output; what is about the answer on standard
error where the output is no terminal. Invariant: on a terminal a table never takes more lines than there are; nothing
that the portal says can move the cursor.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.text import Text

from muster.shown import moment_text, plural, printable, result_table

AROUND = 4  # lines that are no rows: header, rule, an empty line, what is said below


class Table:
    """What is shown now: `hear` takes news as they come."""

    def __init__(self) -> None:
        self._answer: Mapping[str, Any] | None = None
        self._changes = -1
        self._now = ""
        self._trouble = ""

    def hear(self, name: str, said: Mapping[str, Any]) -> None:
        """Take an `answer`, or that it is the `same`, `late` or `lost`."""
        self._trouble = printable(said["error"]["message"]) if "error" in said else ""
        self._now = said.get("now", self._now)
        if name == "answer":
            self._answer = said
            self._changes += 1

    def text(self, width: int | None, lines: int | None) -> str:
        """The table, at most so wide and so many lines."""
        if self._answer is None:
            return ""
        answer, more = self._answer, 0
        if lines is not None and len(answer["rows"]) > max(lines - AROUND, 1):
            kept = max(lines - AROUND - 1, 1)
            more = len(answer["rows"]) - kept
            answer = {**answer, "rows": answer["rows"][:kept]}
        return result_table(answer, width) + (f"\n… and {plural(more, 'more row', 'more rows')}" if more else "")

    @property
    def footer(self) -> str:
        """What is said beside the table."""
        if self._answer is None:
            return self._trouble
        count = plural(self._answer["row_count"], "row") + (" and more" if self._answer["truncated"] else "")
        changes = f"changed {plural(self._changes, 'time')}"
        said = [count, f"as of {moment_text(printable(self._now))}", changes]
        return " · ".join([*said, f"waiting: {self._trouble}"] if self._trouble else said)


class _Plain:
    """Where there is no terminal: every answer in full."""

    def __init__(self) -> None:
        self._table = Table()

    def __call__(self, name: str, said: Mapping[str, Any]) -> None:
        self._table.hear(name, said)
        if name == "answer":
            print(self._table.text(None, None) + "\n", flush=True)
        if name != "same":
            print(self._table.footer, file=sys.stderr, flush=True)


@contextmanager
def shown() -> Iterator[Any]:
    """A function that takes the name and the data of each event."""
    if not sys.stdout.isatty():
        yield _Plain()
        return
    table = Table()
    with Live(console=Console(highlight=False), auto_refresh=False, vertical_overflow="crop") as live:

        def hear(name: str, said: Mapping[str, Any]) -> None:
            table.hear(name, said)
            columns, lines = shutil.get_terminal_size()
            footer = f"\n\n{table.footer} · Ctrl-C ends it"
            live.update(Text(table.text(columns, lines), no_wrap=True).append(footer, style="dim"), refresh=True)

        yield hear
