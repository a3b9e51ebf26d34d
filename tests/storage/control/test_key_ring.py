"""The portal's keys: a new one follows, the old ones stay, and each device is answered with the key it goes by."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from storage.control.errors import RefusedError
from storage.control.key_ring import MOST, KeyRing, fingerprint, public


def test_a_rotation_keeps_what_was(tmp_path: Path) -> None:
    ring, told = KeyRing(tmp_path / "portal.key"), list[bytes]()
    first = public(ring.current)
    second = public(ring.rotate(told.append))
    assert told == [second]
    again = KeyRing(tmp_path / "portal.key")
    assert [public(key) for key in again.keys] == [first, second]
    assert public(again.current) == second
    assert sorted(path.name for path in tmp_path.iterdir()) == ["portal-2.key", "portal.key"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}


def test_each_device_is_answered_with_the_key_that_it_goes_by(tmp_path: Path) -> None:
    ring = KeyRing(tmp_path / "portal.key")
    first, second = public(ring.current), public(ring.rotate(lambda key: None))
    assert public(ring.of(fingerprint(first))) == first
    assert public(ring.of(fingerprint(second))) == second
    assert public(ring.of(None)) == first  # it speaks as devices did before there were rotations
    assert public(ring.of("0" * 16)) == second


def test_what_cannot_be_recorded_does_not_happen(tmp_path: Path) -> None:
    ring = KeyRing(tmp_path / "portal.key")

    def full(key: bytes) -> None:
        raise RefusedError("storage_full", "no room")

    with pytest.raises(RefusedError):
        ring.rotate(full)
    assert len(ring.keys) == len(KeyRing(tmp_path / "portal.key").keys) == 1


def test_there_are_only_so_many(tmp_path: Path) -> None:
    ring = KeyRing(tmp_path / "portal.key")
    for _ in range(MOST - 1):
        ring.rotate(lambda key: None)
    with pytest.raises(RefusedError, match="17 keys"):
        ring.rotate(lambda key: None)
