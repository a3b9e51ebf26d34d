"""What the agent's core knows, as a value.

In: nothing. Out: `State`, from which `core.step` makes the next one. Invariant: everything that decides what the agent
does is here or in an event, so that the same events give the same commands. It changes nothing itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from agent import events as e
from agent import wire
from agent.backoff import Line
from agent.campaigns.sent import Asked
from agent.journal import Key
from agent.orders import Job, Trust
from agent.recurring import NONE, Recurring
from agent.wire_configuration import EMPTY

REPORTS_AT_ONCE = 32
CHANNEL, PULL, CONFIG = Line("channel"), Line("pull"), Line("config")
REPORTS, BATCH = Line("reports"), Line("batch")


@dataclass(frozen=True, slots=True)
class State:
    """All that the core knows. `running` are jobs from their intent to their end, `stopping` those of them to be
    stopped; `done` maps every other known execution to its last report, None while that is being written down;
    `unsent` are reports in order; `tag` names the configuration that we go by; `cloned` says that the portal holds us
    back, as another machine goes by our identity; `local` is about local schedules; `asking` are questions of the
    portal that are on their way to somebody; `people` are logged in here, `people_told` those the portal knows of."""

    trust: Trust
    offset: int = 0
    channel: Line = CHANNEL
    channel_up: bool = False
    pull: Line = PULL
    report: Line = REPORTS
    batch: Line = BATCH
    config: Line = CONFIG
    tag: str = EMPTY
    batches: int = 0
    more: bool = False
    running: Mapping[Key, Job] = field(default_factory=dict)
    stopping: frozenset[Key] = frozenset()
    done: Mapping[Key, wire.Report | None] = field(default_factory=dict)
    unsent: tuple[wire.Report, ...] = ()
    reports_at_once: int = REPORTS_AT_ONCE
    forget_at: int = 0
    revoked: bool = False
    cloned: bool = False
    local: Recurring = NONE
    asking: Mapping[Key, Asked] = field(default_factory=dict)
    people: tuple[str, ...] = ()
    people_sent: tuple[str, ...] = ()
    people_told: tuple[str, ...] = ()

    def portal_time(self, at: int) -> int:
        """An instant of our clock in the portal's time, as far as we know it."""
        return max(0, at + self.offset)

    @property
    def wake(self) -> int:
        """The next instant at which a tick has something to do."""
        times = [self.forget_at] if self.revoked else [self.forget_at, self.local.at]  # the revoked begin nothing
        if not self.channel_up:
            return min(times if self.channel.busy else [*times, self.channel.at])
        times += [line.at for line in (self.pull, self.config) if line.wanted and not line.busy]
        times += [self.report.at] if not self.report.busy and (self.unsent or self.local.unsent) else []
        times += [self.batch.at] if not self.batch.busy and self.batches else []
        return min(times)


Step = tuple[State, list[e.Command]]
