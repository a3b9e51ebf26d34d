"""The outbox hands out the same groups until they are marked, also after a crash."""

from __future__ import annotations

from storage.control import outbox
from storage.control.api import Control
from tests.storage.control.conftest import HOUR, NOW, enrol


def test_groups_stay_until_marked(control: Control) -> None:
    for number in range(1, 6):
        enrol(control, number)
    first = control.outbox.next_batch(2)
    assert [message.sequence for message in first] == [1, 2]
    assert control.outbox.next_batch(5) == first
    assert control.outbox.relayed() == 0
    control.outbox.mark(2, now=NOW)
    assert control.outbox.relayed() == 2
    assert [message.sequence for message in control.outbox.next_batch(5)] == [3, 4, 5]
    control.outbox.mark(5, now=NOW)
    assert control.outbox.next_batch() == []
    assert control.outbox.relayed() == 5


def test_marked_rows_stay_a_while(control: Control) -> None:
    for number in range(1, 4):
        enrol(control, number)
    control.outbox.mark(3, now=NOW)
    assert [message.sequence for message in control.outbox.after(0)] == [1, 2, 3]
    enrol(control, 4)
    control.outbox.mark(4, now=NOW + outbox.KEPT + HOUR)
    assert [message.sequence for message in control.outbox.after(0)] == [4]
    assert control.outbox.relayed() == 4
    assert [message.row["name"] for message in control.outbox.after(0)] == ["pc-4"]
