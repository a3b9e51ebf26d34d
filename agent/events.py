"""What happens to the agent's core, and what it asks for: plain values.

In: nothing. Out: the types of events and commands. Invariant: an event says what happened, a command what to do, and
none holds anything but values; `core` decides, `runtime` carries out and answers with events.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from agent import wire
from agent.campaigns.questions import Reply
from agent.campaigns.sent import Asked
from agent.journal import Execution, Key
from agent.orders import Job
from agent.recurring import NOTHING, Known, Memory
from agent.runner import Ended
from agent.wire_configuration import Configuration


class Failure(Enum):
    """Why the portal did not do what it was asked."""

    LATER = "later"  # not reached, busy, full, or no answer that the portal signed
    REFUSED = "refused"  # this message will never be taken
    REVOKED = "revoked"  # this device is closed
    CLONED = "cloned"  # another machine goes by our identity, or we were set back: an administrator decides

    @classmethod
    def of(cls, status: int) -> Failure:
        """What a status of an answer that the portal signed means for the message."""
        if status in (403, 409):
            return cls.REVOKED if status == 403 else cls.CLONED
        return cls.REFUSED if status in (400, 413, 415, 422) else cls.LATER


# --- events ------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Recovered:
    """The agent starts; these executions lie in its journal."""

    known: tuple[Execution, ...]
    batches: int = 0
    local: Known = NOTHING


@dataclass(frozen=True, slots=True)
class Tick:
    """Time passed."""


@dataclass(frozen=True, slots=True)
class TimeLearned:
    """The portal said its time, signed: it is `offset` microseconds ahead of ours."""

    offset: int


@dataclass(frozen=True, slots=True)
class ChannelOpened:
    """The channel is up and both sides showed who they are; the portal named our configuration."""

    tag: str = ""


@dataclass(frozen=True, slots=True)
class ChannelClosed:
    """The channel is down, or did not come up. `pause` is what the portal asked to wait."""

    failure: Failure = Failure.LATER
    lived: int = 0
    pause: int = 0


@dataclass(frozen=True, slots=True)
class Nudged:
    """The portal says that there is work."""


@dataclass(frozen=True, slots=True)
class ConfigurationTold:
    """The portal says which tag our configuration has now."""

    tag: str


@dataclass(frozen=True, slots=True)
class Configured:
    """This configuration is ours, and on the disk."""

    configuration: Configuration


@dataclass(frozen=True, slots=True)
class Pulled:
    """The answer to a pull."""

    work: wire.Work


@dataclass(frozen=True, slots=True)
class IntentStored:
    """The intent of a job is on the disk."""

    job: Job


@dataclass(frozen=True, slots=True)
class IntentFailed:
    """The intent could not be written: the job is as if it had never come."""

    job: Job


@dataclass(frozen=True, slots=True)
class ProcessStarted:
    """The script runs, since an instant of the agent's clock."""

    job: Job
    at: int


@dataclass(frozen=True, slots=True)
class UserAwaited:
    """The script waits for its user, until an instant of the agent's clock at the most; None: it goes on."""

    job: Job
    until: int | None


@dataclass(frozen=True, slots=True)
class ProcessEnded:
    """The script is over, and every process of it."""

    job: Job
    ended: Ended


@dataclass(frozen=True, slots=True)
class PeopleSeen:
    """Who is logged in here, by keys."""

    people: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class QuestionsShown:
    """Questions of the portal are on the screen."""

    asked: Asked


@dataclass(frozen=True, slots=True)
class PersonReplied:
    """They are gone from it."""

    asked: Asked
    reply: Reply


@dataclass(frozen=True, slots=True)
class ReportStored:
    """A report is signed and on the disk."""

    report: wire.Report
    expires_at: int


@dataclass(frozen=True, slots=True)
class LocalReportStored:
    """The report of a local schedule is signed and on the disk."""

    report: wire.LocalReport


@dataclass(frozen=True, slots=True)
class ReportsTaken:
    """The portal's verdicts on reports, stored as sent."""

    verdicts: tuple[wire.Verdict, ...]


@dataclass(frozen=True, slots=True)
class TrustChanged:
    """The portal's key or the authors that we go by are others now, and that is on the disk."""

    portal_key: bytes
    authors: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Forgot:
    """Executions that the journal no longer knows."""

    keys: tuple[Key, ...]


@dataclass(frozen=True, slots=True)
class BatchQueued:
    """A batch lies in the outbox."""


@dataclass(frozen=True, slots=True)
class BatchSent:
    """The portal has stored the oldest batch; so many are left."""

    left: int


@dataclass(frozen=True, slots=True)
class Failed:
    """A pull, a fetch, a sending of reports or of a batch failed. `pause` is what the portal asked to wait."""

    line: str
    failure: Failure
    pause: int = 0
    left: int = 0


Event = (
    Recovered
    | Tick
    | TimeLearned
    | TrustChanged
    | ChannelOpened
    | ChannelClosed
    | Nudged
    | ConfigurationTold
    | Configured
    | Pulled
    | IntentStored
    | IntentFailed
    | ProcessStarted
    | UserAwaited
    | ProcessEnded
    | PeopleSeen
    | QuestionsShown
    | PersonReplied
    | ReportStored
    | LocalReportStored
    | ReportsTaken
    | Forgot
    | BatchQueued
    | BatchSent
    | Failed
)


# --- commands ----------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class OpenChannel:
    """Dial the portal."""


@dataclass(frozen=True, slots=True)
class SendPull:
    """Ask for work."""

    pull: wire.Pull


@dataclass(frozen=True, slots=True)
class FetchConfiguration:
    """Ask for the configuration, and keep it; ours has this tag."""

    tag: str


@dataclass(frozen=True, slots=True)
class StoreIntent:
    """Write down that a job is about to start."""

    job: Job


@dataclass(frozen=True, slots=True)
class StartProcess:
    """Start the script of a job whose intent is written down."""

    job: Job


@dataclass(frozen=True, slots=True)
class AskPerson:
    """Put questions of the portal to somebody."""

    asked: Asked


@dataclass(frozen=True, slots=True)
class StopProcess:
    """End a script and all its processes, or take questions away."""

    run: str
    attempt: int


@dataclass(frozen=True, slots=True)
class StoreReport:
    """Sign a report and write it down; then it may be sent."""

    run: str
    attempt: int
    nonce: str
    expires_at: int
    state: wire.State | wire.Reaction
    outcome: wire.Outcome | wire.Replied


@dataclass(frozen=True, slots=True)
class StoreLocalReport:
    """Sign the end of a local schedule's execution and write it down with what is remembered of the schedule."""

    schedule: str
    sequence: int
    state: wire.State
    outcome: wire.Outcome
    memory: Memory


@dataclass(frozen=True, slots=True)
class SendReports:
    """Send reports, oldest first."""

    reports: tuple[wire.Report, ...]
    local: tuple[wire.LocalReport, ...] = ()


@dataclass(frozen=True, slots=True)
class SendBatch:
    """Send the oldest batch of the outbox."""


@dataclass(frozen=True, slots=True)
class DropReport:
    """The portal will never take this report: note it as done with."""

    report: wire.Report | wire.LocalReport


@dataclass(frozen=True, slots=True)
class DropBatch:
    """The portal will never take the oldest batch: remove it, and count it."""


@dataclass(frozen=True, slots=True)
class ForgetOld:
    """Let the journal forget what expired long ago, by the portal's time."""

    portal_now: int


@dataclass(frozen=True, slots=True)
class Log:
    """Something a person may want to know."""

    level: str
    text: str
    facts: dict[str, str | int]


Command = (
    OpenChannel
    | SendPull
    | FetchConfiguration
    | StoreIntent
    | StartProcess
    | AskPerson
    | StopProcess
    | StoreReport
    | StoreLocalReport
    | SendReports
    | SendBatch
    | DropReport
    | DropBatch
    | ForgetOld
    | Log
)
