"""Sharing, keeping, admitting: who gets the same execution, when an answer of before still holds, who has to wait."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from engine.result import Result
from nql.plan.plan import ResolvedPlan
from portal.errors import ApiError
from portal.queries.admission import BOUNDS, Admission, Bounds, Purpose
from portal.queries.answers import Answers
from portal.queries.execution import WORTH_KEEPING, Execution, Facts, Where
from portal.queries.inputs import mark, tables
from storage.tables.api import Ack, Batch, Rows, SnapshotSource
from storage.tables.store import Store
from tests.portal.workers.conftest import CATALOG, CODES, COUNT, asked, executing, heavy, snapshot
from tests.storage.tables.world import NOW as STORED
from tests.storage.tables.world import batch, open_store, source_of

pytestmark = pytest.mark.slow

TABLE = "execution.events"
SUM = f"{TABLE} during past 6d | summarize cpu = cpu_time.sum() by device.name | sort cpu desc"


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not holds():
            await asyncio.sleep(0.005)


def at_work(execution: Execution) -> list[int]:
    held = [worker for worker in execution.workers._every if worker.catalog and worker not in execution.workers._idle]
    return [worker.process.pid for worker in held]


async def stopped(execution: Execution) -> int:
    """A process at work, made to stand still."""
    await until(lambda: bool(at_work(execution)))
    [pid] = at_work(execution)
    os.kill(pid, signal.SIGSTOP)
    return pid


def test_those_who_ask_the_same_at_once_share_one_execution(tmp_path: Path) -> None:
    async def scene() -> None:
        async with executing(tmp_path) as execution:
            base, newer = (SnapshotSource(snapshot(rows, version=rows), CATALOG) for rows in (1000, 9))
            question = heavy(asked(CODES, base))
            same = [asyncio.create_task(execution.run(replace(question))) for _ in range(5)]
            other = [
                asyncio.create_task(execution.run(heavy(asked(CODES, base, limit=7)))),
                asyncio.create_task(execution.run(heavy(asked(CODES, base, domain='name == "a"')))),
                asyncio.create_task(execution.run(heavy(asked(CODES, newer)))),
            ]
            answers = [await task for task in same]
            assert all(answer.result.table == answers[0].result.table for answer in answers)
            assert execution.joining.joined == 4
            limited, domain, changed = [await task for task in other]
            assert limited.result.table.num_rows == 7
            assert domain.result.table == answers[0].result.table
            assert changed.result.table.num_rows == 9
            assert execution.joining.joined == 4

    asyncio.run(scene())


def test_objects_alone_are_asked_at_once_and_facts_come_with_rows_computed_here(tmp_path: Path) -> None:
    def facts(result: Result) -> Facts:
        return {"a": {"rows": result.table.num_rows}}

    async def scene() -> None:
        async with executing(tmp_path) as execution:
            source = SnapshotSource(snapshot(10), CATALOG)
            objects, events = (asked(text, source, facts=facts) for text in ("devices | list name", CODES))
            for question in (objects, events):
                ran, _ = await asyncio.gather(execution.run(question), execution.run(question))
                assert ran.facts == {"a": {"rows": ran.result.table.num_rows}}
            assert execution.joining.joined == 1  # the events
            assert (await execution.run(heavy(events))).facts is None

    asyncio.run(scene())


def test_who_gives_up_leaves_the_others_their_answer(tmp_path: Path) -> None:
    async def scene() -> None:
        async with executing(tmp_path) as execution:
            question = heavy(asked(COUNT, SnapshotSource(snapshot(10), CATALOG)))
            first, second = (asyncio.create_task(execution.run(question)) for _ in range(2))
            pid = await stopped(execution)
            first.cancel()
            with pytest.raises(asyncio.CancelledError):
                await first
            os.kill(pid, signal.SIGCONT)
            assert (await second).result.table.to_pylist() == [{"n": 10}]

    asyncio.run(scene())


def test_nobody_left_ends_the_process(tmp_path: Path) -> None:
    async def scene() -> None:
        async with executing(tmp_path) as execution:
            question = heavy(asked(COUNT, SnapshotSource(snapshot(10), CATALOG)))
            both = [asyncio.create_task(execution.run(question)) for _ in range(2)]
            pid = await stopped(execution)
            for task in both:
                task.cancel()
            await asyncio.wait(both)
            await until(lambda: pid not in execution.workers.processes)
            assert (await execution.run(question)).result.table.to_pylist() == [{"n": 10}]

    asyncio.run(scene())


def test_a_class_has_so_many_turns_and_so_many_wait(tmp_path: Path) -> None:
    async def scene() -> None:
        async with executing(tmp_path, bounds={Purpose.EXPORT: Bounds(1, 2, 60.0)}) as execution:
            bases = [SnapshotSource(snapshot(10, version=number), CATALOG) for number in range(4)]
            exports = [heavy(asked(COUNT, base, purpose=Purpose.EXPORT)) for base in bases]
            first = asyncio.create_task(execution.run(exports[0]))
            pid = await stopped(execution)
            waiting = [asyncio.create_task(execution.run(one)) for one in exports[1:3]]
            await asyncio.sleep(0)
            with pytest.raises(ApiError, match="2 exports are waiting already") as full:
                await execution.run(exports[3])
            assert (full.value.status, full.value.code) == (503, "busy")
            assert full.value.headers["Retry-After"]
            assert "cancel" in full.value.hint
            people = await execution.run(heavy(asked(COUNT, bases[0])))  # others have turns of their own
            assert people.result.table.to_pylist() == [{"n": 10}]
            waiting[0].cancel()
            await asyncio.wait(waiting[:1])
            more = asyncio.create_task(execution.run(exports[3]))  # who left made room
            os.kill(pid, signal.SIGCONT)
            for task in (first, waiting[1], more):
                assert (await task).result.table.to_pylist() == [{"n": 10}]

    asyncio.run(scene())


def test_nobody_waits_for_ever() -> None:
    async def scene() -> None:
        admission = Admission({**BOUNDS, Purpose.SCHEDULE: Bounds(1, 1, 0.05)})
        async with admission.turn(Purpose.SCHEDULE):
            with pytest.raises(ApiError, match="No turn came"):
                async with admission.turn(Purpose.SCHEDULE):
                    pytest.fail("two had one turn")
        async with admission.turn(Purpose.SCHEDULE):
            pass

    asyncio.run(scene())


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Samples of six devices in the days before STORED."""
    store = open_store(tmp_path / "tables")
    store.commit([batch(number, device=f"device-{number}") for number in range(6)])
    yield store
    store.abandon()


def plan_of(text: str, store: Store) -> ResolvedPlan:
    return asked(text, source_of(store), now=STORED).plan


def test_an_answer_is_kept_until_a_row_it_rests_on_changes(tmp_path: Path, store: Store) -> None:
    async def scene() -> None:
        async with executing(tmp_path) as execution:

            async def ask(**more: object) -> tuple[Where, object]:
                question = asked(SUM, source_of(store), now=STORED, **more)  # type: ignore[arg-type]
                large = replace(question, cost=replace(question.cost, rows=WORTH_KEEPING))
                ran = await execution.run(large)
                return ran.where, ran.result.table

            _, fresh = await ask()
            assert (await ask())[0] is Where.PORTAL  # rows in memory: nothing is kept
            store.seal()
            _, before = await ask()
            assert before == fresh
            assert await ask() == (Where.KEPT, before)
            assert (await ask(domain='name == "x"'))[0] is Where.PORTAL
            assert (await ask(limit=1))[0] is Where.PORTAL
            assert execution.answers.found == 1
            store.commit([batch(7, device="device-0")])  # late rows
            where, after = await ask()
            assert where is Where.PORTAL
            assert after != before
            store.seal()
            where, sealed = await ask()
            assert (where, sealed) == (Where.PORTAL, after)
            assert (await ask())[0] is Where.KEPT

    asyncio.run(scene())


def test_the_mark_follows_every_value_that_is_read(store: Store) -> None:
    store.seal()
    texts = ("devices | list name", f"{TABLE} during past 6d | summarize cpu = cpu_time.sum()", SUM)

    def marks() -> list[str | None]:
        return [mark(plan_of(text, store), CATALOG, source_of(store)) for text in texts]

    before = marks()
    assert None not in before
    assert before == marks()
    name = {"uid": ["device-0"], "name": ["renamed"]}
    [outcome] = store.commit([Batch("device-0", 1, "epoch", 99, STORED, (Rows("device.devices", name),))])
    assert isinstance(outcome, Ack), outcome
    names, plain, linked = marks()
    assert (names != before[0], plain == before[1], linked != before[2]) == (True, True, True)


def test_the_tables_of_a_plan_are_those_it_reads(store: Store) -> None:
    assert tables(plan_of(SUM, store), CATALOG) == {TABLE, "device.devices"}
    assert tables(plan_of("devices | list name", store), CATALOG) == {"device.devices"}
    assert tables(plan_of(SUM, store), CATALOG, {TABLE}) == {TABLE, *CATALOG.tables[TABLE].links.values()}


def test_kept_answers_have_a_bound(tmp_path: Path) -> None:
    async def scene() -> None:
        async with executing(tmp_path) as execution:
            result = (await execution.run(asked(CODES, SnapshotSource(snapshot(1000), CATALOG), limit=1000))).result
        answers, chance = Answers(40_000), Random(1)
        for number in range(200):
            answers.keep(number, replace(result, table=result.table.slice(0, chance.randrange(100, 300))))
            assert answers.bytes <= answers.budget
        assert (answers.get(0), answers.get(199) is None) == (None, False)
        answers.keep("large", result)
        assert answers.get("large") is None

    asyncio.run(scene())
