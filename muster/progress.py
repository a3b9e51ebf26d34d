"""Progress on standard error: a bar where there is a terminal, a line at every quarter where there is none.

In: shares of a whole. Out: nothing on standard output. Invariant: what is told is never needed to use the output.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn


@contextmanager
def progress(text: str) -> Iterator[Callable[[float], None]]:
    """A function that takes how much is done, 0 to 1."""
    if not sys.stderr.isatty():
        yield _Quarters(text)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(text, total=1.0)
        yield lambda done: bar.update(task, completed=done)


class _Quarters:
    """Says every quarter once."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._said = -1

    def __call__(self, done: float) -> None:
        quarter = int(done * 4)
        if quarter > self._said:
            self._said = quarter
            print(f"{self._text} {quarter * 25} %", file=sys.stderr, flush=True)
