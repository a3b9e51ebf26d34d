"""The states of an execution and the ways between them (architecture: the run state machine).

Data only. Invariant: a state is open (more may follow), provisional (`lost_contact`: exactly one later signed result
may replace it) or final (nothing follows, and its row has gone to the outbox). Names are the same on every surface.
"""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """Where an execution stands."""

    WAITING_ON_DEVICE = "waiting_on_device"
    IN_PROGRESS = "in_progress"
    WAITING_ON_USER = "waiting_on_user"
    SUCCESS = "success"
    FAILURE = "failure"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"
    LOST_CONTACT = "lost_contact"
    EXPIRED = "expired"
    NO_SCRIPT = "no_script"
    OLD_COLLECTOR = "old_collector"
    POLICY_DENIED = "policy_denied"


OPEN = frozenset({State.WAITING_ON_DEVICE, State.IN_PROGRESS, State.WAITING_ON_USER})
RUNNING = frozenset({State.IN_PROGRESS, State.WAITING_ON_USER})
FINAL = frozenset(State) - OPEN - {State.LOST_CONTACT}

# What a device may report as the end of an execution. A start that was never reported may still end in any way.
REPORTED = FINAL
ENDS = frozenset({State.SUCCESS, State.FAILURE, State.CANCELLED, State.INTERRUPTED})  # of a script that began
WELL = frozenset({State.SUCCESS, State.CANCELLED, State.EXPIRED})  # everything else is a failure of the run

# From every state that a device may report a failure in, the way leads back to waiting where the plan tries again.
NEXT: dict[State, frozenset[State]] = {
    State.WAITING_ON_DEVICE: frozenset(OPEN | FINAL | {State.LOST_CONTACT}),
    State.IN_PROGRESS: frozenset({State.WAITING_ON_USER, State.WAITING_ON_DEVICE, State.LOST_CONTACT}) | ENDS,
    State.WAITING_ON_USER: frozenset({State.IN_PROGRESS, State.WAITING_ON_DEVICE, State.LOST_CONTACT}) | ENDS,
    State.LOST_CONTACT: FINAL | {State.WAITING_ON_DEVICE},
}
NEXT.update({state: frozenset() for state in FINAL})
