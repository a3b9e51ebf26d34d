"""The audit log over HTTP and in NQL: checked, bounded where somebody only tries, and not for everybody."""

from __future__ import annotations

import json

import pytest

from portal.access.refusals import MOST, MOST_OF_ALL, Refusals
from portal.caller import Caller
from portal.relay import log_row
from storage.control.audit import REFUSED, Entry
from tests.portal.conftest import API, MANIFEST, NOW, House, Play

pytestmark = pytest.mark.slow
LOGS = "platform.audit_logs during past 2h | list account, action, status, status_details, subject, detail"


async def logged(house: House) -> list[list[object]]:
    ann = await house.program()
    await house.settle()
    rows: list[list[object]] = (await ann.post(f"{API}/query", json={"text": LOGS})).json()["rows"]
    return rows


def test_the_log_is_a_table(play: Play) -> None:
    async def scene(house: House) -> None:
        ann = await house.program()
        assert (await ann.post(f"{API}/actions", json=MANIFEST)).status_code == 201
        rows = await logged(house)
        [saved] = [row for row in rows if row[1] == "action.saved"]
        assert saved[:5] == ["ann", "action.saved", "success", None, "action:#clear_cache"]
        assert isinstance(json.loads(str(saved[5])), dict)
        assert len(await logged(house)) == len(house.portal.control.audit.latest(1000))  # each entry once

    play(scene)


def test_only_who_administers_reads_it(play: Play) -> None:
    async def scene(house: House) -> None:
        await house.settle()
        bob = await house.program("bob", ("query", "execute", "manage"))
        for accept in ("application/json", "text/csv"):
            answer = await bob.post(f"{API}/query", json={"text": LOGS}, headers={"Accept": accept})
            assert answer.status_code == 400
            [said] = answer.json()["error"]["diagnostics"]
            assert (said["code"], said["span"]) == ("NQL511", {"start": 0, "end": 19})
        for path in ("/audit", "/audit/verify"):
            assert (await bob.get(f"{API}{path}")).status_code == 403

    play(scene)


def test_it_can_be_checked(play: Play) -> None:
    async def scene(house: House) -> None:
        ann = await house.program()
        said = (await ann.get(f"{API}/audit/verify")).json()
        assert (said["whole"], said["broken"], said["unhashed"]) == (True, None, 0)
        assert said["entries"] == said["last"] > 0
        database = house.portal.control._database
        database.write(lambda c: c.exec_driver_sql("DROP TRIGGER audit_no_update"))
        database.write(lambda c: c.exec_driver_sql("UPDATE audit SET actor = 'nobody' WHERE sequence = 2"))
        said = (await ann.get(f"{API}/audit/verify")).json()
        assert (said["whole"], said["broken"]) == (False, 2)

    play(scene)


def test_refused_attempts_are_there(play: Play) -> None:
    async def scene(house: House) -> None:
        bob = await house.program("bob", ("query",))
        assert (await bob.get(f"{API}/accounts")).status_code == 403  # only looked
        assert (await bob.post(f"{API}/actions", json=MANIFEST)).status_code == 403
        refused = [row for row in await logged(house) if row[1] == REFUSED]
        reason = "Your account lacks the permission manage."
        assert [row[:5] for row in refused] == [["bob", REFUSED, "failure", reason, "route:POST /actions"]]

    play(scene)


def test_trying_without_end_fills_no_disk(play: Play) -> None:
    async def scene(house: House) -> None:
        control = house.portal.control
        refusals = Refusals(control, house.portal.threads, house.time)
        people = [Caller(house.account(f"p{number}", ())) for number in range(12)]
        for caller in people:
            for _ in range(MOST + 5):
                await refusals.note(caller, "POST /runs", "no")

        def noted() -> list[Entry]:
            return [entry for entry in control.audit.latest(1000) if entry.action == REFUSED]

        assert len(noted()) == MOST_OF_ALL
        assert sum(entry.actor == "account:p0" for entry in noted()) == MOST
        house.time.now += 60_000_000
        await refusals.note(people[0], "POST /runs", "no")
        assert noted()[0].detail == {"reason": "no", "left_out": 5}

    play(scene)


def test_rows_of_the_log() -> None:
    row = log_row(Entry(NOW, "local:root", "role.saved", "role:x", {"a": 1}, 7))
    assert (row["account"], row["status"], row["status_details"], row["detail"]) == (
        "local:root", "success", None, '{"a":1}',
    )  # fmt: skip
