"""Presence: moves in any order and number give intervals that neither overlap nor get lost.

Comes in: moves, some many at once. Goes out: open intervals, and outbox rows of ended ones. Invariant: for each device,
intervals follow each other and each that ended is told to the tables exactly once.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count, pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.control.api import Control
from storage.control.presence import Move
from tests.storage.control.template import place

NOW = 1_767_264_000_000_000
EXAMPLE = count()


def opened(folder: Path) -> Control:
    return Control(f"sqlite:///{place(folder / 'made' / 'control.db')}", now=NOW)


def shown(control: Control) -> list[tuple[str, int, int | None, str | None]]:
    rows = control.presence.rows_after(0)
    return sorted(((r["@device"], r["start_time"], r["end_time"], r["reason"]) for r in rows), key=str)


def test_coming_and_leaving(control: Control) -> None:
    assert control.presence.write([Move("a", 1), Move("b", 2)], now=3) == 0
    assert shown(control) == [("a", 1, None, None), ("b", 2, None, None)]
    assert control.presence.write([Move("a", 10, "silent"), Move("a", 11), Move("b", 12, "left")], now=13) == 2
    assert shown(control) == [("a", 1, 10, "silent"), ("a", 11, None, None), ("b", 2, 12, "left")]
    [first] = [row for row in control.presence.rows_after(0) if row["@device"] == "a" and row["status"] == "ended"]
    assert first["duration"] == 9


def test_what_never_came_cannot_leave_and_who_comes_again_left_before(control: Control) -> None:
    assert control.presence.write([Move("a", 5, "left")], now=6) == 0
    control.presence.write([Move("a", 7)], now=8)
    assert control.presence.write([Move("a", 9)], now=9) == 1
    assert shown(control) == [("a", 7, 9, "left"), ("a", 9, None, None)]


def test_a_portal_that_died_left_off_when_it_was_last_seen(control: Control, address: str) -> None:
    control.presence.write([Move("a", 10), Move("b", 60)], now=60)
    control.presence.seen(now=50)
    control.close()
    control = Control(address, now=NOW)
    assert control.presence.close_all("portal_lost", None) == 2
    assert shown(control) == [("a", 10, 50, "portal_lost"), ("b", 60, 60, "portal_lost")]
    assert control.presence.close_all("portal_lost", None) == 0
    control.close()


def test_ten_thousand_come_in_one_transaction(control: Control) -> None:
    many = [Move(f"d{number}", number) for number in range(10_000)]
    before = control.outbox.relayed()
    control.presence.write(many, now=20_000)
    assert len(control.presence.rows_after(before)) == 10_000
    assert control.presence.write([Move(move.device, 30_000, "left") for move in many], now=30_000) == 10_000
    assert {row["status"] for row in control.presence.rows_after(before)} == {"ended"}


MOVES = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from([None, "left", "silent"])), max_size=30)


@pytest.fixture(scope="module")
def everybody(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Control]:
    control = opened(tmp_path_factory.mktemp("presence"))
    yield control
    control.close()


@given(moves=MOVES, piece=st.integers(1, 8))
def test_any_moves_in_any_pieces(everybody: Control, moves: list[tuple[str, str | None]], piece: int) -> None:
    prefix = f"{next(EXAMPLE)}-"
    made = [Move(prefix + device, at, reason) for at, (device, reason) in enumerate(moves)]
    for start in range(0, len(made), piece):
        everybody.presence.write(made[start : start + piece], now=len(made))
    for device in (f"{prefix}{letter}" for letter in "abc"):
        rows = [row for row in everybody.presence.rows_after(0) if row["@device"] == device]
        mine = sorted((row["start_time"], row["end_time"]) for row in rows)
        assert len(mine) == sum(move.device == device and move.reason is None for move in made)
        assert all(end is not None and end <= later for (_, end), (later, _) in pairwise(mine))
        last = [move for move in made if move.device == device][-1:]
        assert [end is None for _, end in mine[-1:]] == ([last[0].reason is None] if mine else [])


def test_portals_speak_of_their_own_devices(control: Control) -> None:
    control.presence.write([Move("a", 10), Move("b", 10)], now=10)
    control.presence.write([Move("b", 20)], now=20)  # it went to the other portal
    assert control.presence.write([Move("b", 21, "left", since=10)], now=21) == 0  # the first hears of it later
    control.presence.seen(now=50, devices=["b"])
    assert control.presence.close_all("portal_lost", None, silent_since=40) == 1
    assert shown(control) == [("a", 10, 10, "portal_lost"), ("b", 10, 20, "left"), ("b", 20, None, None)]
    assert control.presence.close_all("portal_stopped", 60, devices=["a"]) == 0
    assert control.presence.close_all("portal_stopped", 60, devices=["b"]) == 1
