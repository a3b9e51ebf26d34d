"""The program that puts a question on somebody's screen: `python -m agent.campaigns.window`, under his account.

In: one line of JSON on standard input, a `Sheet`; its environment leads to the desktop. Out: on standard output a line
`shown`, then one of JSON, an `Answered`. Invariants: it looks first whether he wants to be left alone; it ends when
standard input does, as then the agent is gone; it writes nothing down.
"""

from __future__ import annotations

import os
import sys
from typing import BinaryIO

import msgspec

from agent.campaigns import dialogs, focus, form
from agent.campaigns.questions import MOST_BYTES, Answered, Sheet

NO_WINDOW = 3


def main(typed: BinaryIO = sys.stdin.buffer, said: BinaryIO = sys.stdout.buffer) -> int:
    """Ask; the exit code."""
    sheet = msgspec.json.decode(typed.readline(MOST_BYTES), type=Sheet)

    def shown() -> None:
        said.write(b"shown\n")
        said.flush()

    if reason := focus.protected(dict(os.environ)):
        answered: Answered | None = Answered("notificationfailed", detail=reason)
    else:
        answered = _asked(sheet, shown, typed.fileno())
    if answered is None:
        return NO_WINDOW
    said.write(msgspec.json.encode(answered) + b"\n")
    said.flush()
    return 0


def _asked(sheet: Sheet, shown: dialogs.Shown, lifeline: int) -> Answered | None:
    """The answer, by the toolkit that is there; None if there is none."""
    try:
        return form.ask(sheet, shown, lifeline)
    except form.NoScreenError:
        return dialogs.ask(sheet, shown, lifeline)


if __name__ == "__main__":
    sys.exit(main())
