"""How this machine's agent asks its person: a window on his desktop, else his terminal, else not at all.

In: the agent's folder, the portal's address. Out: the `Desk`. Invariant: who asks is named by the portal's own name,
which the device pinned, not by anything that an action says.
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from agent.campaigns import person
from agent.campaigns.desk import Desk
from agent.campaigns.desktop import Window
from agent.campaigns.terminal import Terminal, place

WAYS = ("anywhere", "terminal", "nobody")


def desk(state: Path, url: str, way: str = "anywhere") -> Desk:
    """The desk of the agent whose folder and portal these are, and which of WAYS it may go."""
    if way == "nobody":
        return Desk()
    terminal = Terminal(place(state))
    return Desk((terminal,) if way == "terminal" else (Window(), terminal), person.find, urlsplit(url).hostname or url)
