"""The fence: what was the highest serial stays so over restarts, and a damaged file lets nothing through."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from agent.fence import NAME, Fence
from agent.identity import IdentityError


def test_a_serial_never_goes_back(tmp_path: Path) -> None:
    fence = Fence(tmp_path)
    for action, serial in (("#a", 7), ("#b", 1), ("#a", 5), ("#a", 9), ("#c", 0)):
        fence.note(action, serial)
    assert fence.serials == Fence(tmp_path).serials == {"#a": 9, "#b": 1}
    assert stat.S_IMODE((tmp_path / NAME).stat().st_mode) == 0o600


def test_what_cannot_be_written_is_not_believed(tmp_path: Path) -> None:
    fence = Fence(tmp_path / "gone")
    with pytest.raises(OSError, match="gone"):
        fence.note("#a", 7)
    assert fence.serials == {}


@pytest.mark.parametrize("data", [b"", b"{", b'{"#a":"x"}', b"\xff"])
def test_a_damaged_file_is_told(tmp_path: Path, data: bytes) -> None:
    (tmp_path / NAME).write_bytes(data)
    with pytest.raises(IdentityError, match="enroll this device again"):
        Fence(tmp_path)
