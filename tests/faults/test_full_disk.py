"""A full disk: the portal refuses new batches and says why, goes on answering queries, and recovers by itself once
there is room.

The data folder lies on a small file system of its own (a tmpfs, which needs the right to mount), so that the disk is
truly full for every file the portal writes, the control database included.
"""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.device import LoadDevice
from tests.faults.processes import World, wait_until

SIZE = "24m"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a file system of 24 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode != 0:
        pytest.skip(f"no right to mount a small file system: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(path: Path) -> None:
    """Write a file until nothing more fits."""
    with path.open("wb", buffering=0) as file:
        for size in (65_536, 1):
            with contextlib.suppress(OSError):
                while file.write(b"\0" * size) == size:
                    pass


@pytest.mark.faults
@pytest.mark.timeout(300)
def test_refuses_answers_and_recovers(small_disk: Path) -> None:
    world = World(small_disk)
    try:
        world.begin(agent=False)
        load = LoadDevice(world.url, world.key(), "load")
        load.start()
        wait_until(lambda: load.rows() > 2_000, "rows to be stored", 60)

        filler = small_disk / "filler"
        fill(filler)
        wait_until(lambda: len(load.refused) > 3, "batches to be refused", 60)
        assert all(text.startswith(("507", "503")) for text in load.refused), load.refused[:3]
        assert "space" in load.refused[-1].lower() or "full" in load.refused[-1].lower(), load.refused[-1]

        stored = load.rows()
        counted = world.query("execution.crashes during past 3d | summarize n = count()")
        assert counted[0][0] >= stored, "what was acknowledged is still there while the disk is full"

        filler.unlink()
        wait_until(lambda: load.rows() > stored + 1_000, "rows to be stored again, without a restart", 60)
        load.stop()
        rows = world.query("execution.crashes during past 3d | summarize n = count(), top = number_of_crashes.max()")
        assert rows == [[load.rows(), load.rows()]], "each row once"
    finally:
        world.close()
