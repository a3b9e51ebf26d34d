"""The device's configuration: when to fetch it, and where it is kept.

In: tags that the portal tells, a configuration that it answered. Out: the core's state, a file of the state folder.
Invariants: it is fetched only when the portal's tag is another than ours, so that a device that is up to date asks for
nothing; the one that was fetched last is on the disk before anything goes by it, and is gone by after a restart too.
What stands in it is believed by those who read it, each by its own signatures, not here.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec

from agent import events as e
from agent import files, recurring, wire
from agent.state import State, Step
from agent.wire_configuration import Configuration

FILE = "configuration.json"


def told(state: State, tag: str, now: int) -> State:
    """The state after the portal said which configuration is ours; an empty tag says nothing."""
    if not tag or tag == state.tag:
        return state
    return replace(state, config=state.config.want(now))


def heard(state: State, event: e.ConfigurationTold, now: int) -> Step:
    """The portal says that the configuration has another tag now."""
    return told(state, event.tag, now), []


def configured(state: State, event: e.Configured, now: int) -> Step:
    """A configuration is ours now, and on the disk."""
    local = recurring.assigned(state.local, event.configuration.local, now)
    return replace(state, config=state.config.done(now), tag=event.configuration.tag, local=local), []


def keep(folder: Path, configuration: Configuration) -> None:
    """Put a configuration on the disk. Raises OSError."""
    files.replace(folder / FILE, wire.encode(configuration))


def kept(folder: Path) -> Configuration | None:
    """The configuration that was fetched last; None where there is none that can be read, and then it is fetched
    again."""
    try:
        return msgspec.json.decode((folder / FILE).read_bytes(), type=Configuration)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return None
