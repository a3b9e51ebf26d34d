"""The frames of the channel, the one WebSocket between a device and the portal. The portal imports it too.

The request that opens it is signed like any other, so nothing is set up for a stranger. Then come Welcome and Hello,
each signed, and from then on nudges, and what a device asks with the answers to it: the same as by HTTP below
`/agent/v1`, but sealed with keys that follow from the greeting (`session`) instead of signed. Invariant: as for `wire`,
devices are read strictly and the portal tolerantly.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Raw, field

from agent.wire import REPORTS, WORK, Digest, Key, Micros, Release, Said, Signature, Steps, Text, Told

# The configuration is none of them: fetching it by HTTP shows the device the server's key of today.
ASKED = (WORK, REPORTS)


class Welcome(Told, frozen=True, tag="welcome"):
    """The portal shows who it is (`signature` covers `welcome_bytes`) and asks for a signed challenge. `last` is the
    `step_name` of the newest step of the device's trail that it saw, empty if it saw none."""

    challenge: Digest
    server_time: Micros
    share: Key  # of the keys that seal requests
    signature: Signature
    tag: Text = ""
    last: Text = ""


class Nudge(Told, frozen=True, tag="nudge"):
    """There is work: pull."""


class Ping(Told, frozen=True, tag="ping"):
    """Say that you are there."""


class Config(Told, frozen=True, tag="config"):
    """The configuration has this tag now: fetch it if yours is another."""

    config: Text


class OpenSide(Told, frozen=True, tag="open_side"):
    """Reserved: dial a side stream with this one-time token. A device of this version lets it be."""

    token: Annotated[str, Meta(max_length=256)]
    purpose: Text


class Answer(Told, frozen=True, tag="answer"):
    """What a POST would be answered with; `pause` is in seconds, `seal` covers `sealed_answer_bytes`."""

    number: int
    status: int
    time: Micros
    body: Raw
    seal: Digest
    pause: int = 0


class Hello(Said, frozen=True, tag="hello"):
    """The device's answer to the challenge; `signature` covers `hello_bytes`. Without a `share` it cannot ask here;
    `trail` is oldest step first."""

    agent_version: Release
    signature: Signature
    share: Key | None = None
    trail: Steps = field(default_factory=list)
    version: Literal[1] = 1


class Ask(Said, frozen=True, tag="ask"):
    """What could be a POST to `path`, one of ASKED; `pinned` is the fingerprint of the portal's key that the device
    goes by, `seal` covers `sealed_ask_bytes`. Numbers grow."""

    number: Annotated[int, Meta(ge=1, le=1 << 53)]
    path: Text
    pinned: Text
    body: Raw
    seal: Digest


class Pong(Said, frozen=True, tag="pong"):
    """I am there."""


ToldFrame = Welcome | Nudge | Ping | Config | OpenSide | Answer
SaidFrame = Hello | Pong | Ask
