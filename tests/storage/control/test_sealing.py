"""Sealing: what is sealed opens with the same key file and purpose, and with nothing else."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from storage.control.errors import RefusedError
from storage.control.sealing import Sealer


def test_what_is_sealed_opens_after_a_restart(tmp_path: Path) -> None:
    sealed = Sealer(tmp_path / "vault.key").seal(b"secret", "webhook:1")
    assert b"secret" not in sealed
    assert Sealer(tmp_path / "vault.key").open(sealed, "webhook:1") == b"secret"
    assert stat.S_IMODE((tmp_path / "vault.key").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["vault.key"]


def test_the_same_value_never_looks_the_same(tmp_path: Path) -> None:
    sealer = Sealer(tmp_path / "vault.key")
    assert sealer.seal(b"secret", "a") != sealer.seal(b"secret", "a")


@pytest.mark.parametrize("change", ["purpose", "bytes", "short", "key"])
def test_nothing_else_opens_it(tmp_path: Path, change: str) -> None:
    sealer = Sealer(tmp_path / "vault.key")
    sealed, purpose = sealer.seal(b"secret", "a"), "a"
    match change:
        case "purpose":
            purpose = "b"
        case "bytes":
            sealed = sealed[:-1] + bytes([sealed[-1] ^ 1])
        case "short":
            sealed = sealed[:5]
        case "key":
            sealer = Sealer(tmp_path / "other.key")
    with pytest.raises(RefusedError) as caught:
        sealer.open(sealed, purpose)
    assert caught.value.code == "not_sealed_here"


def test_a_key_that_others_can_read_or_that_is_cut_short_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "vault.key"
    path.write_bytes(bytes(32))
    path.chmod(0o644)
    with pytest.raises(RefusedError, match="chmod 600"):
        Sealer(path).seal(b"x", "a")
    path.chmod(0o600)
    path.write_bytes(bytes(31))
    with pytest.raises(RefusedError, match="from a backup"):
        Sealer(path).seal(b"x", "a")
