"""What lies on the device's disk: frames, journal and outbox, whole, torn, full and bounded.

Comes in: files written, then cut or damaged at every place. Goes out: what is read again. Invariant: nothing that was
acknowledged by a return is lost, and nothing that was not whole comes back.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

import msgspec
import pytest

from agent import files, wire
from agent.frames import HEAD, FrameFile
from agent.journal import KEPT, REWRITE_BYTES, Filed, Forgotten, Intent, Journal, Sent
from agent.outbox import Outbox

RECORDS = [b"one", b"two" * 100, b"\0" * 7]


def written(path: Path) -> FrameFile:
    """A file with the three records."""
    file = FrameFile(path)
    for record in RECORDS:
        file.append(record)
    return file


def test_records_come_back(tmp_path: Path) -> None:
    written(tmp_path / "f").close()
    file = FrameFile(tmp_path / "f")
    assert [record for _, record in file.read()] == RECORDS
    file.append(b"four")
    assert [record for _, record in file.read()] == [*RECORDS, b"four"]
    file.close()


def test_a_torn_tail_is_cut_at_every_place(tmp_path: Path) -> None:
    written(tmp_path / "f").close()
    whole = (tmp_path / "f").read_bytes()
    ends = [0]
    for record in RECORDS:
        ends.append(ends[-1] + HEAD + len(record))
    for length in range(len(whole) + 1):
        (tmp_path / "g").write_bytes(whole[:length])
        file = FrameFile(tmp_path / "g")
        left = max(end for end in ends if end <= length)
        assert file.size == left
        file.append(b"new")
        assert [record for _, record in file.read()] == [*RECORDS[: ends.index(left)], b"new"]
        file.close()


def test_a_damaged_byte_ends_the_reading(tmp_path: Path) -> None:
    written(tmp_path / "f").close()
    whole = (tmp_path / "f").read_bytes()
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 0x41
        (tmp_path / "g").write_bytes(damaged)
        file = FrameFile(tmp_path / "g")
        found = [record for _, record in file.read()]
        assert found == RECORDS[: len(found)]
        assert len(found) < len(RECORDS)
        file.close()


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "target").write_bytes(b"")
    (tmp_path / "f").symlink_to(tmp_path / "target")
    with pytest.raises(OSError, match="symbolic"):
        FrameFile(tmp_path / "f")


def test_folders_must_be_private(tmp_path: Path) -> None:
    folder = files.private_folder(tmp_path / "a" / "b")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    folder.chmod(0o755)
    with pytest.raises(files.UnsafeFolderError, match="open to other accounts"):
        files.private_folder(folder)
    (tmp_path / "link").symlink_to(tmp_path / "a")
    with pytest.raises(files.UnsafeFolderError, match="not a folder"):
        files.private_folder(tmp_path / "link")


def test_replacing_leaves_no_part_behind(tmp_path: Path) -> None:
    files.replace(tmp_path / "f", b"one")
    files.replace(tmp_path / "f", b"two")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"f": b"two"}
    assert stat.S_IMODE((tmp_path / "f").stat().st_mode) == 0o600


# --- the journal -------------------------------------------------------------------------------
def intent(run: str, expires_at: int = 100) -> Intent:
    return Intent(run, 1, "nonce", expires_at, "#a", 1)


def report(run: str, state: wire.State) -> wire.Report:
    return wire.Report(run, 1, "nonce", state, msgspec.Raw(b'{"time":1}'), bytes(64))


def test_the_journal_remembers(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j")
    journal.write(intent("a"))
    journal.write(intent("b"))
    journal.write(Filed(report("b", "in_progress"), 100))
    journal.write(Sent("b", 1, "in_progress"))
    journal.write(Filed(report("b", "success"), 100))
    journal.write(Filed(report("c", "policy_denied"), 100))
    journal.close()
    known = Journal(tmp_path / "j").known
    assert [(item.run, item.end is not None, [one.state for one in item.unsent]) for item in known.values()] == [
        ("a", False, []),
        ("b", True, ["success"]),
        ("c", True, ["policy_denied"]),
    ]
    assert known["a", 1].intent == intent("a")
    assert known["c", 1].intent is None


def test_the_journal_keeps_what_is_said_twice(tmp_path: Path) -> None:
    """A script that asks its user twice waits twice; only what the portal has is done with."""
    journal = Journal(tmp_path / "j")
    journal.write(intent("a"))
    said: list[wire.State] = ["in_progress", "waiting_on_user", "in_progress", "waiting_on_user", "success"]
    reports = [
        wire.Report("a", 1, "nonce", state, msgspec.Raw(b'{"time":%d}' % time), bytes(64))
        for time, state in enumerate(said)
    ]
    for one in (*reports, reports[0]):
        journal.write(Filed(one, 100))
    for state in ("in_progress", "waiting_on_user"):
        journal.write(Sent("a", 1, state))
    journal._rewrite()
    journal.close()
    item = Journal(tmp_path / "j").known["a", 1]
    assert item.unsent == reports[2:]
    assert item.end == reports[4]


def test_the_journal_forgets_only_what_cannot_come_back(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j")
    for run in ("open", "unsent", "sent", "fresh"):
        journal.write(intent(run, 100 if run != "fresh" else KEPT * 2))
    for run in ("unsent", "sent", "fresh"):
        journal.write(Filed(report(run, "success"), 100))
    journal.write(Sent("sent", 1, "success"))
    journal.write(Sent("fresh", 1, "success"))
    assert journal.forget(100 + KEPT + 1) == [("sent", 1)]
    journal.close()
    assert {run for run, _ in Journal(tmp_path / "j").known} == {"open", "unsent", "fresh"}


def test_a_long_journal_is_written_anew(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j")
    journal.write(intent("kept"))
    big = msgspec.Raw(wire.encode(wire.Outcome(1, error="x" * 4000)))
    count = 0
    while count * 4000 < REWRITE_BYTES + 8000:
        journal.write(Filed(wire.Report(f"r{count}", 1, "n", "failure", big, bytes(64)), 1))
        journal.write(Sent(f"r{count}", 1, "failure"))
        count += 1
    for number in range(count):
        journal.write(Forgotten(f"r{number}", 1))
    size = (tmp_path / "j" / "work.log").stat().st_size
    assert size < REWRITE_BYTES
    journal.write(intent("later"))
    journal.close()
    assert [run for run, _ in Journal(tmp_path / "j").known] == ["kept", "later"]


# --- the outbox --------------------------------------------------------------------------------
def seal(size: int = 10) -> bytes:
    return os.urandom(size)


def drained(outbox: Outbox) -> list[int]:
    """Take everything out; the numbers."""
    found = []
    while (leased := outbox.lease()) is not None:
        outbox.commit(leased[0])
        found.append(leased[0])
    return found


def test_batches_leave_in_order_and_once(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "o")
    made: dict[int, bytes] = {}

    def sealed(epoch: str, sequence: int) -> bytes:
        made[sequence] = f"{epoch} {sequence}".encode()
        return made[sequence]

    assert [outbox.append(sealed) for _ in range(3)] == [1, 2, 3]
    assert outbox.lease() == (1, made[1])
    assert outbox.lease() is None  # one at a time
    outbox.rollback(1)
    assert outbox.lease() == (1, made[1])
    outbox.commit(1)
    assert len(outbox) == 2
    assert drained(outbox) == [2, 3]
    assert list((tmp_path / "o").glob("*.log")) == []
    outbox.close()


def test_a_restart_keeps_what_waits_and_no_number_is_used_twice(tmp_path: Path) -> None:
    first = Outbox(tmp_path / "o")
    for _ in range(3):
        first.append(lambda epoch, sequence: seal())
    first.commit((first.lease() or (0, b""))[0])
    first.lease()  # killed while the second is on its way
    first.close()
    again = Outbox(tmp_path / "o")
    assert again.epoch == first.epoch
    assert again.append(lambda epoch, sequence: seal()) == 4
    assert drained(again) == [2, 3, 4]
    again.close()
    third = Outbox(tmp_path / "o")
    assert third.append(lambda epoch, sequence: seal()) == 5
    third.close()


def test_a_lost_mark_begins_a_new_stream(tmp_path: Path) -> None:
    first = Outbox(tmp_path / "o")
    first.append(lambda epoch, sequence: seal())
    first.close()
    (tmp_path / "o" / "mark").write_bytes(b"garbage")
    again = Outbox(tmp_path / "o")
    assert again.epoch != first.epoch
    assert drained(again) == [1]
    assert again.append(lambda epoch, sequence: seal()) == 2
    again.close()


def test_a_torn_batch_is_gone_and_the_others_stay(tmp_path: Path) -> None:
    first = Outbox(tmp_path / "o")
    for _ in range(2):
        first.append(lambda epoch, sequence: seal(100))
    first.close()
    [path] = (tmp_path / "o").glob("*.log")
    path.write_bytes(path.read_bytes()[:-1])
    again = Outbox(tmp_path / "o")
    assert drained(again) == [1]
    again.close()


def test_the_outbox_is_bounded_and_counts_what_it_drops(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "o", most_bytes=5000, file_bytes=1000)
    for _ in range(100):
        outbox.append(lambda epoch, sequence: seal(200))
    size = sum(path.stat().st_size for path in (tmp_path / "o").glob("*.log"))
    assert size <= 5000 + 1000
    assert outbox.dropped == 100 - len(outbox)
    assert drained(outbox) == list(range(101 - (100 - outbox.dropped), 101))
    outbox.close()


def test_shedding_frees_the_oldest(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "o", file_bytes=300)
    for _ in range(4):
        outbox.append(lambda epoch, sequence: seal(400))
    outbox.lease()
    assert outbox.shed()
    assert outbox.dropped == 1
    assert drained(outbox) == [2, 3, 4]
    assert not outbox.shed()
    outbox.close()


def test_a_full_disk_stores_nothing_and_keeps_the_rest(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "o")
    outbox.append(lambda epoch, sequence: seal())

    def failing(epoch: str, sequence: int) -> bytes:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        outbox.append(failing)
    assert outbox.append(lambda epoch, sequence: seal()) == 2
    assert drained(outbox) == [1, 2]
    outbox.close()
