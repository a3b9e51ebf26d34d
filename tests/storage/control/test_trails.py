"""A trail grows at its end: whoever comes with one that lacks the newest step is a copy, or was set back.

Comes in: a control database, trails as machines would say them. Goes out: what a greeting shows, and who leads.
Invariant: nothing that one honest machine, a lost answer, a late greeting or a restored portal can do holds a device.
"""

from __future__ import annotations

from random import Random

import pytest

from storage.control.api import Control
from storage.control.enrolment import Seen
from storage.control.errors import NotFoundError
from tests.storage.control.conftest import HOUR, NOW, enrol

A, B, C, D = (letter * 12 for letter in "abcd")


def step(control: Control, uid: str) -> str | None:
    found = control.enrolment.device(uid)
    assert found is not None
    return found.step


def greet(control: Control, uid: str, *trail: str, before: str | None = None) -> Seen:
    """A greeting that nothing overtook, unless `before` says that it began earlier."""
    return control.enrolment.greet(uid, trail, before=before or step(control, uid), now=NOW)


def test_one_machine_goes_further(control: Control) -> None:
    uid = enrol(control).uid
    assert greet(control, uid) is Seen.KNOWN
    assert greet(control, uid, A) is Seen.FURTHER
    assert greet(control, uid, A, B) is Seen.FURTHER
    assert greet(control, uid, A, B) is Seen.KNOWN  # the word of it got lost
    assert greet(control, uid, A, B, C, D) is Seen.FURTHER  # a portal that was set back finds its own among them
    assert step(control, uid) == D
    assert control.enrolment.cloned() == []


def test_a_copy_shows_when_the_first_comes_back(control: Control) -> None:
    uid = enrol(control).uid
    greet(control, uid, A)
    assert greet(control, uid, A, B) is Seen.FURTHER  # the copy
    assert not control.enrolment.leads(uid, A)
    assert control.enrolment.leads(uid, B)
    assert greet(control, uid, A) is Seen.CLONED
    assert not control.enrolment.leads(uid, B)
    assert greet(control, uid, A, B) is Seen.CLONED  # both are held
    [held] = control.enrolment.cloned()
    assert (held.uid, held.cloned_at) == (uid, NOW)
    assert control.audit.latest(subject=f"device:{uid}")[0].action == "device.cloned"


@pytest.mark.parametrize("trail", [(), (A,), (A, D)])
def test_a_machine_that_was_set_back_shows(control: Control, trail: tuple[str, ...]) -> None:
    uid = enrol(control).uid
    for steps in ((A,), (A, B), (A, B, C)):
        greet(control, uid, *steps)
    assert greet(control, uid, *trail) is Seen.CLONED


def test_a_greeting_that_was_overtaken_proves_nothing(control: Control) -> None:
    uid = enrol(control).uid
    greet(control, uid, A)
    greet(control, uid, A, B)
    assert greet(control, uid, A, before=A) is Seen.OVERTAKEN
    assert control.enrolment.leads(uid, B)
    assert greet(control, uid, A, before=B) is Seen.CLONED


def test_somebody_decides(control: Control) -> None:
    uid = enrol(control).uid
    assert not control.enrolment.release(uid, by="ann", now=NOW)
    for trail in ((A,), (A, B), (A, C)):
        greet(control, uid, *trail)
    assert control.enrolment.release(uid, by="ann", now=NOW)
    assert control.enrolment.cloned() == []
    assert not control.enrolment.leads(uid, B)  # nobody leads until one comes
    assert greet(control, uid, A, C, D) is Seen.FURTHER
    assert greet(control, uid, A, B) is Seen.CLONED  # the other one is there still
    with pytest.raises(NotFoundError):
        control.enrolment.release("nobody", by="ann", now=NOW)


def test_enrolling_again_decides_and_its_repetition_does_not(control: Control) -> None:
    device = enrol(control)
    greet(control, device.uid, A)
    assert control.enrolment.hold(device.uid, "batch", now=NOW)
    assert not control.enrolment.hold(device.uid, "batch", now=NOW)
    create = control.enrolment.create_enrol_keys
    [(_, secret)] = create(1, simulated=False, expires_at=NOW + HOUR, by="ann", now=NOW)
    keys = device.identity_key, device.sealing_key
    again = control.enrolment.consume_enrol_key(secret, *keys, "pc", now=NOW)
    assert (again.uid, again.generation, again.cloned_at, again.step) == (device.uid, 2, None, None)
    control.enrolment.hold(device.uid, "batch", now=NOW)
    held = control.enrolment.consume_enrol_key(secret, *keys, "pc", now=NOW)  # the same answer once more
    assert held.cloned_at == NOW


def test_a_revoked_device_is_closed_whatever_it_says(control: Control) -> None:
    uid = enrol(control).uid
    control.revoke_device(uid, by="ann", now=NOW)
    assert greet(control, uid, A) is Seen.CLOSED
    assert not control.enrolment.hold(uid, "batch", now=NOW)
    assert greet(control, "nobody", A, before="x") is Seen.CLOSED


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(40))
def test_no_history_of_one_machine_holds_it_and_no_second_one_stays_hidden(control: Control, seed: int) -> None:
    chance, uid = Random(seed), enrol(control, seed + 1).uid
    trail: list[str] = []
    late: list[tuple[tuple[str, ...], str | None]] = []

    def comes(steps: list[str]) -> Seen | None:
        """One machine greets as the agent does: it goes further when the portal has seen its newest step."""
        before = step(control, uid)
        if before is None or (steps and before == steps[-1]):
            steps.append(f"{chance.getrandbits(60):012x}"[:12])
            del steps[:-8]
        if chance.random() < 0.3:  # its hello gets lost, or comes late
            late.append((tuple(steps), before))
            return None
        return control.enrolment.greet(uid, tuple(steps), before=before, now=NOW)

    for _ in range(60):
        assert comes(trail) in (None, Seen.FURTHER, Seen.KNOWN)
        while late and chance.random() < 0.4:
            steps, before = late.pop(chance.randrange(len(late)))
            seen = control.enrolment.greet(uid, steps, before=before, now=NOW)
            assert seen in (Seen.FURTHER, Seen.KNOWN, Seen.OVERTAKEN)
    copy = list(trail)
    assert Seen.CLONED in [comes(trail if turn % 2 else copy) for turn in range(40)]
