"""Many calls as one: one instant for what is read, one transaction for what is written.

Comes in: calls of the control database, some of which fail. Goes out: what is stored, and what listeners heard when.
Invariant: a part that fails takes no other with it; a whole that fails leaves nothing; nobody hears of what is not
stored.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text

from storage.control.api import Control
from storage.control.database import Database
from storage.control.errors import NotFoundError
from storage.control.executions import Change
from storage.control.outcomes import Outcome
from storage.control.states import State
from tests.storage.control.conftest import NOW, ask

COUNT = text("SELECT count(*) FROM audit")
ADD = text("INSERT INTO audit (time, actor, action, subject, detail) VALUES (1, 'a', 'b', 'c', '{}')")


def count(database: Database) -> int:
    with database.read() as connection:
        return int(connection.scalar(COUNT) or 0)


def add(database: Database) -> None:
    database.write(lambda connection: connection.execute(ADD))


def test_parts_see_each_other_and_others_see_all_or_nothing(database: Database) -> None:
    seen: list[int] = []

    def work() -> str:
        for _ in range(3):
            add(database)
            seen.append(count(database))
            with ThreadPoolExecutor(1) as other:
                seen.append(other.submit(count, database).result())
        return "done"

    assert database.together(work) == "done"
    assert seen == [1, 0, 2, 0, 3, 0]
    assert count(database) == 3


def test_a_whole_that_fails_leaves_nothing(database: Database) -> None:

    def work() -> None:
        add(database)
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        database.together(work)
    assert count(database) == 0
    add(database)  # and nothing of it stays in the way
    assert count(database) == 1


def test_wholes_of_many_threads(database: Database) -> None:

    def five() -> None:
        for _ in range(5):
            add(database)

    def work() -> None:
        with database.one_instant():
            before = count(database)
            database.together(five)
            assert count(database) == before  # still that instant
        assert count(database) >= before + 5

    with ThreadPoolExecutor(16) as threads:
        for done in [threads.submit(work) for _ in range(100)]:
            done.result()
    assert count(database) == 500


def test_listeners_hear_when_it_is_stored(control: Control) -> None:
    heard: list[tuple[Change, int]] = []
    run = ask(control, "d1", "d2")
    control.listen(lambda change: heard.append((change, len(control.outbox.after(0)))))
    for device in ("d1", "d2"):
        control.dispatch.claim_work(device, now=NOW)
    heard.clear()
    before = len(control.outbox.after(0))

    def work() -> None:
        for device in ("d1", "nobody", "d2"):
            try:
                control.dispatch.record_finished(run.id, device, 1, Outcome(State.SUCCESS, 0), now=NOW)
            except NotFoundError:
                assert device == "nobody"
            assert heard == []

    control.together(work)
    assert [change.device for change, _ in heard] == ["d1", "d2"]
    assert {stored for _, stored in heard} == {before + 2}


def test_a_part_of_several_calls_fails_as_one_and_nobody_hears_of_it(control: Control) -> None:
    heard: list[str] = []
    run = ask(control, "d1", "d2")
    control.listen(lambda change: heard.append(f"{change.device} {change.state.value}"))

    def fetch(device: str, then: type[Exception] | None) -> None:
        control.dispatch.claim_work(device, now=NOW)
        control.dispatch.record_started(run.id, device, 1, started_at=NOW, now=NOW)
        if then is not None:
            raise then

    def work() -> None:
        control.together(lambda: fetch("d1", None))
        with pytest.raises(KeyError):
            control.together(lambda: fetch("d2", KeyError))
        assert heard == []

    control.together(work)
    assert heard == ["d1 in_progress"]
    assert control.executions.execution(run.id, "d2").waits
    assert control.audit.verify().broken is None
