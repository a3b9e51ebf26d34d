"""A run on the screen while it goes on: a line for each wave on a terminal, a line for each change elsewhere.

In: the run, again at every change. Out: text on standard error. Invariant: what is told here is never needed to use
the output; nothing that a portal says can move the cursor or change colours.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from muster.runs import OPEN, Run, counted
from muster.shown import moment_text, printable

COLOURS = {"success": "green", "in_progress": "cyan", "waiting_on_user": "magenta", "waiting_on_device": "dim",
           "held": "dim", "cancelled": "yellow", "expired": "yellow"}  # fmt: skip


@contextmanager
def watching() -> Iterator[Callable[[Run], None]]:
    """A function that takes the run at every change."""
    if not sys.stderr.isatty():
        yield _Lines()
        return
    console = Console(stderr=True)
    with Live(console=console, refresh_per_second=8, transient=False) as live:
        yield lambda run: live.update(shown(run))


class _Lines:
    """Says every change once."""

    def __init__(self) -> None:
        self._said = ""

    def __call__(self, run: Run) -> None:
        said = line(run)
        if said != self._said:
            self._said = said
            print(said, file=sys.stderr, flush=True)


def line(run: Run) -> str:
    """A run in one line: its wave where there are several, counts, why it does not go on."""
    waves = run.waves
    wave = f"wave {run.said['wave']} of {len(waves)}: " if len(waves) > 1 else ""
    text = wave + counted(run.stands)
    if run.halted:
        text += f"; halted: {run.state_detail}"
    elif run.said.get("next_at"):
        text += f"; next wave at {moment_text(printable(run.said['next_at']))}"
    return printable(text)


def shown(run: Run) -> RenderableType:
    """A run on a terminal."""
    head = Text.assemble((printable(run.action), "bold"), f"  run {printable(run.id)}  ")
    head.append(run.state, style={"running": "cyan", "halted": "bold red"}.get(run.state, "green"))
    table = Table.grid(padding=(0, 2))
    for number in range(5):
        table.add_column(justify="right" if number == 3 else "left")
    for wave in run.waves:
        table.add_row(*_row(wave))
    parts: list[RenderableType] = [head, table]
    if run.state_detail:
        parts.append(Text(printable(run.state_detail), style="red" if run.halted else "yellow"))
    if run.said.get("next_at"):
        gate = " if the gate holds" if run.said["plan"].get("gate") else ""
        parts.append(Text(f"next wave at {moment_text(printable(run.said['next_at']))}{gate}", style="dim"))
    return Group(*parts)


def _row(wave: Mapping[str, Any]) -> tuple[RenderableType, ...]:
    counts = dict(wave["counts"]) | ({"held": wave["held"]} if wave["held"] else {})
    total = sum(counts.values())
    done = sum(count for state, count in wave["counts"].items() if state not in OPEN)
    said = Text()
    for state, count in sorted(counts.items()):
        said.append(f"{count} {state.replace('_', ' ')}  ", style=COLOURS.get(state, "red"))
    bar = ProgressBar(total=max(total, 1), completed=done, width=24)
    style = "" if wave["released"] else "dim"
    return (
        Text(f"wave {wave['number']}", style=style),
        Text(printable(wave["size"]), style=style),
        bar,
        f"{done}/{total}",
        said,
    )
