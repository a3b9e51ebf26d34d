"""The messages between a device and the portal, and their bounds. The portal imports it too.

HTTP below `/agent/v1`: enrol, work, config, reports, batches (gzip); one WebSocket, the channel (`wire_channel`). Every
request but enrol is signed by the device; every answer to a known device, each order and each cancel by the portal;
reports by the device once more; what a signature covers stands in `statements`. Invariant: devices are read strictly
(an unknown field is an error), the portal tolerantly, so that it may be the newer one. Numbers of microseconds are UTC.
Bytes travel as base64. Nothing here reads a clock, a key or a socket.
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Raw, Struct, field

from agent.campaigns.questions import Campaign, Comment, Label

VERSION = 1
PREFIX = "/agent/v1"
ENROL, CHANNEL = f"{PREFIX}/enrol", f"{PREFIX}/channel"
WORK, REPORTS, BATCHES = f"{PREFIX}/work", f"{PREFIX}/reports", f"{PREFIX}/batches"
CONFIG = f"{PREFIX}/config"

DEVICE_HEADER, TIME_HEADER = "Muster-Device", "Muster-Time"
NONCE_HEADER, SIGNATURE_HEADER = "Muster-Nonce", "Muster-Signature"
PINNED_HEADER = "Muster-Pinned"  # which key of the portal the device goes by: `fingerprint` of it
WINDOW = 300_000_000  # a request is taken if its time lies within this of the portal's; a nonce is remembered that long

KIB, MIB = 1 << 10, 1 << 20
MOST_BYTES = {
    ENROL: 8 * KIB,
    WORK: 64 * KIB,
    REPORTS: 2 * MIB,
    BATCHES: 2 * MIB,
    CONFIG: 8 * KIB,
}  # of a request
BATCH_BYTES = 8 * MIB  # of a batch, unpacked
BATCH_ROWS = 50_000
ANSWER_BYTES = 8 * MIB  # the most that a device reads of any answer
FRAME_BYTES = 8 * KIB  # of one frame that a device sends over the channel
TOLD_BYTES = 64 * KIB - 1  # of one that the portal sends; what is longer is asked for by HTTP

Micros = Annotated[int, Meta(ge=0, le=1 << 62)]
Key = Annotated[bytes, Meta(min_length=32, max_length=32)]  # a raw public key
Digest = Annotated[bytes, Meta(min_length=32, max_length=32)]  # SHA-256
Signature = Annotated[bytes, Meta(min_length=64, max_length=64)]  # Ed25519
Sealed = Annotated[bytes, Meta(min_length=32, max_length=16_384)]  # a secret under the device's X25519 key (HPKE)
Nonce16 = Annotated[bytes, Meta(min_length=16, max_length=64)]
Id = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.-]{1,64}\Z")]
Text = Annotated[str, Meta(max_length=255)]
Release = Annotated[str, Meta(pattern=r"^[0-9A-Za-z.+-]{1,64}\Z")]
Hex64 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
Name = Annotated[str, Meta(min_length=1, max_length=255)]
Attempt = Annotated[int, Meta(ge=1, le=1_000_000)]
MOST_STEPS = 64  # of a device's trail
Step = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{12}\Z")]
Steps = Annotated[list[Step], Meta(max_length=MOST_STEPS)]

State = Literal[
    "in_progress", "waiting_on_user", "success", "failure", "cancelled", "interrupted",
    "expired", "no_script", "old_collector", "policy_denied",
]  # fmt: skip
# How a question of the portal stands: on the screen, or gone from it with an answer, a No, or neither.
Reaction = Literal["opened", "answered", "declined", "unanswered"]
# An output in physical form: times and durations in microseconds, sizes in bytes, ratios in percent.
Value = bool | int | float | str | list[str]


class Said(Struct, frozen=True, forbid_unknown_fields=True):
    """Base of what a device says."""


class Told(Struct, frozen=True):
    """Base of what the portal says."""


# --- enrolment ---------------------------------------------------------------------------------
class Enrol(Said, frozen=True):
    """A device asks to be known. `proof` is its signature of `enrol_bytes`: it holds the identity key."""

    key: Annotated[str, Meta(min_length=1, max_length=256)]
    identity: Key  # Ed25519
    sealing: Key  # X25519
    name: Annotated[str, Meta(min_length=1, max_length=255)]
    platform: Literal["linux", "macos", "windows"]
    agent_version: Release
    proof: Signature
    version: Literal[1] = 1


class Enrolled(Told, frozen=True):
    """The portal's answer. The device pins `portal_key` and `authors`; with authors it runs only what one of them
    signed."""

    device: Id
    collector: Id
    generation: Annotated[int, Meta(ge=1)]
    simulated: bool
    portal_key: Key
    server_time: Micros
    authors: Annotated[list[Key], Meta(max_length=64)] = field(default_factory=list)
    tls_pins: Annotated[list[Digest], Meta(max_length=8)] = field(default_factory=list)


# --- work --------------------------------------------------------------------------------------
class Held(Said, frozen=True):
    """An execution that the device has under way."""

    run: Id
    attempt: Attempt


class Pull(Said, frozen=True):
    """A device asks for work: how many orders it has room for, what it holds, and the newest step of its trail.
    `people` are the keys of the users who are logged in there, None where that is as it was."""

    room: Annotated[int, Meta(ge=0, le=16)]
    held: Annotated[list[Held], Meta(max_length=64)] = field(default_factory=list)
    agent_version: Release = "0"
    tag: Text = ""
    step: Text = ""
    people: Annotated[list[Name], Meta(max_length=64)] | None = None
    version: Literal[1] = 1


class Order(Told, frozen=True):
    """Run this, on this device, before `expires_at`. `content` is the JSON whose SHA-256 is `action_version`; `author`
    is an author's signature of `author_bytes`. `priority` 0 goes before 1."""

    run: Id
    device: Id
    attempt: Attempt
    nonce: Id
    expires_at: Micros
    action: Text
    action_version: Hex64
    content: Raw
    parameters: Annotated[dict[Name, Annotated[str, Meta(max_length=30_000)]], Meta(max_length=50)]
    signature: Signature
    author: Signature | None = None
    serial: Annotated[int, Meta(ge=0, le=1 << 62)] = 0  # of the author's signature: a device takes no lower one again
    secrets: Annotated[dict[Name, Sealed], Meta(max_length=20)] = field(default_factory=dict)
    priority: int = 0


class Cancel(Told, frozen=True):
    """Stop this execution. The device answers with a report `cancelled`, or with the end it came to before."""

    run: Id
    device: Id
    attempt: Attempt
    nonce: Id
    signature: Signature


class Questions(Told, frozen=True):
    """Ask a user, by key, until `expires_at`; `content` is the JSON of a `Campaign`, in plain words. What came of it is
    a report with a `Reaction`, whose `run` is `response`."""

    response: Id
    device: Id
    attempt: Attempt
    nonce: Id
    person: Name
    expires_at: Micros
    content: Raw
    signature: Signature


class Work(Told, frozen=True):
    """The answer to a pull. `more` says that another pull would bring more; `tag` names the device's configuration."""

    orders: Annotated[list[Order], Meta(max_length=16)] = field(default_factory=list)
    cancels: Annotated[list[Cancel], Meta(max_length=64)] = field(default_factory=list)
    more: bool = False
    tag: Text = ""
    questions: Annotated[list[Questions], Meta(max_length=4)] = field(default_factory=list)


# The content of an action version, as a device reads it. The portal is the one that checks it in full when it is saved.
class Script(Told, frozen=True):
    """The program for one platform."""

    language: Text
    text: Annotated[str, Meta(max_length=600_000)]


class Input(Told, frozen=True):
    """A parameter of the scripts of some platforms (none named: of all). With allowed values, others are taken only if
    `custom`."""

    name: Name
    allowed: Annotated[tuple[str, ...], Meta(max_length=1000)] = ()
    custom: bool = False
    default: str | None = None
    platforms: Annotated[tuple[Text, ...], Meta(max_length=16)] = ()


class Output(Told, frozen=True):
    """A value that the scripts of some platforms (none named: of all) may write."""

    name: Name
    type: Text
    platforms: Annotated[tuple[Text, ...], Meta(max_length=16)] = ()


class Content(Told, frozen=True):
    """What an action does. `timeout` is in seconds; `service` is the account of `run_as: service`; an `idempotent`
    one may run again after an interruption; `simulate` is read by simulated devices only."""

    scripts: Annotated[dict[Text, Script], Meta(max_length=16)]
    timeout: Annotated[int, Meta(ge=1, le=3600)]
    run_as: Text = "system"
    service: Text | None = None
    idempotent: bool = False
    inputs: Annotated[tuple[Input, ...], Meta(max_length=50)] = ()
    outputs: Annotated[tuple[Output, ...], Meta(max_length=50)] = ()
    secrets: Annotated[tuple[Name, ...], Meta(max_length=20)] = ()
    campaigns: Annotated[tuple[Campaign, ...], Meta(max_length=8)] = ()
    simulate: dict[str, Any] | None = None


# --- reports -----------------------------------------------------------------------------------
class Outcome(Said, frozen=True):
    """How an execution stands, by the device. `error` is what the script wrote to standard error; `until` says how
    long a question to its user may wait."""

    time: Micros
    started_at: Micros | None = None
    finished_at: Micros | None = None
    exit_code: Annotated[int, Meta(ge=-(1 << 31), lt=1 << 31)] | None = None
    outputs: Annotated[dict[Name, Value], Meta(max_length=50)] = field(default_factory=dict)
    detail: Annotated[str, Meta(max_length=1024)] = ""
    error: Annotated[str, Meta(max_length=4096)] = ""
    until: Micros | None = None


class Replied(Said, frozen=True):
    """What came of a question of the portal: labels of choices and free texts by the labels of questions; `detail`
    says why there is no answer."""

    time: Micros
    detail: Annotated[str, Meta(max_length=1024)] = ""
    answers: Annotated[dict[Label, Annotated[list[Label], Meta(max_length=20)]], Meta(max_length=20)] = field(
        default_factory=dict
    )
    comments: Annotated[dict[Label, Comment], Meta(max_length=20)] = field(default_factory=dict)


class Report(Said, frozen=True):
    """A start, a wait for the user, its end, or an end of an execution: `in_progress` with `started_at` is the start,
    without it the script goes on. `outcome` is the JSON of an `Outcome`, of a `Replied` where the state is a
    `Reaction`; `signature` covers `report_bytes`."""

    run: Id
    attempt: Attempt
    nonce: Id
    state: State | Reaction
    outcome: Raw
    signature: Signature


class LocalReport(Said, frozen=True):
    """An end of an execution that a local schedule began. `sequence` counts them on the device; `signature` covers
    `local_report_bytes`."""

    schedule: Id
    sequence: Annotated[int, Meta(ge=1, le=1 << 53)]
    state: State
    outcome: Raw
    signature: Signature


class Reports(Said, frozen=True):
    """Reports in the order in which they came to be. One of the two lists has something."""

    reports: Annotated[list[Report], Meta(max_length=64)] = field(default_factory=list)
    local: Annotated[list[LocalReport], Meta(max_length=64)] = field(default_factory=list)
    version: Literal[1] = 1

    def __post_init__(self) -> None:
        if not self.reports and not self.local:
            raise ValueError("there is no report in it")


class Verdict(Told, frozen=True):
    """What became of one report. Whatever it is, the device is done with it; `refused` and `reason` go to its log."""

    run: str
    attempt: int
    state: str
    verdict: Text
    reason: str = ""


class Verdicts(Told, frozen=True):
    """One verdict a report, in the same order, after they are stored."""

    verdicts: list[Verdict]


# --- telemetry ---------------------------------------------------------------------------------
Column = Annotated[str, Meta(min_length=1, max_length=128)]


class Columns(Said, frozen=True):
    """Rows of one catalog table: stored columns of equal length; links (`@user`) hold the key text of the object."""

    table: Annotated[str, Meta(min_length=1, max_length=128)]
    columns: Annotated[dict[Column, list[Any]], Meta(min_length=1, max_length=200)]


class Batch(Said, frozen=True):
    """Rows to store at once or not at all, known by (device, generation, epoch, sequence). `tables` is the JSON of a
    list of `Columns`, and `sha256` its digest, so that another content under the same number shows."""

    epoch: Annotated[str, Meta(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")]
    sequence: Annotated[int, Meta(ge=1, le=1 << 53)]
    sha256: Digest
    tables: Raw
    version: Literal[1] = 1


class Stored(Told, frozen=True):
    """The batch is stored for good."""

    sequence: int
    rows: int
    duplicate: bool = False


class Problem(Told, frozen=True):
    """Why a request was not taken."""

    code: Text
    message: str
    hint: str = ""


class Refusal(Told, frozen=True):
    """The body of every answer that is not 200."""

    error: Problem


# --- coding ------------------------------------------------------------------------------------
_encoder = msgspec.json.Encoder()
_canonical = msgspec.json.Encoder(order="sorted")
NONCE_TEXT = re.compile(r"[A-Za-z0-9_-]{16,64}")


def encode(message: Any) -> bytes:
    """The JSON of a message."""
    return _encoder.encode(message)


def canonical(value: Any) -> bytes:
    """JSON with sorted keys and no spaces: the same bytes for equal values."""
    return _canonical.encode(value)


def action_version(content: bytes) -> str:
    """The name of an action version, from its content as it travels."""
    return sha256(content).hexdigest()
