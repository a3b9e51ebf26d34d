"""The erasure routes: decode, call, encode.

In: devices or people to forget. Out: erasures and how far they are. Invariant: every route needs the permission to
administer; what changes something says for each of those that were named what became of it.
"""

from __future__ import annotations

from engine.formats import instant_text
from portal.caller import Permission
from portal.endpoints import Asked, Endpoint
from portal.erasure import messages as m
from portal.erasure.service import Erasing
from storage.control.erasure import STATES, Erasure
from storage.control.tombstones import DEVICE, PERSON

ADMINISTER = Permission.ADMINISTER
MOST_LISTED = 1000
_LEFT = {
    "revoked": "closing the device's identity",
    "control_erased": "executions, reports, presence and the audit log",
    "tables_erased": "rows of the tables",
    "done": "files that somebody still reads",
}


def endpoints(erasing: Erasing) -> list[Endpoint]:
    """The slice's part of the route list."""
    routes = _Routes(erasing)
    ask = (ADMINISTER, False)
    return [
        Endpoint("POST", "/devices/erasures", routes.devices, "Erase devices, for ever.", *ask,
                 body=m.AskDevices, answer=m.ErasuresAsked, status=202),
        Endpoint("POST", "/devices/erasures/preview", routes.devices_preview, "What an erasure of devices would take.",
                 *ask, body=m.AskDevices, answer=m.ErasurePreview),
        Endpoint("POST", "/users/erasures", routes.users, "Erase people that the tables know, for ever.", *ask,
                 body=m.AskUsers, answer=m.ErasuresAsked, status=202),
        Endpoint("POST", "/users/erasures/preview", routes.users_preview, "What an erasure of people would take.",
                 *ask, body=m.AskUsers, answer=m.ErasurePreview),
        Endpoint("GET", "/erasures", routes.latest, "Erasures, newest first.", *ask,
                 answer=m.ErasureList, query=("limit", "before")),
        Endpoint("GET", "/erasures/{id}", routes.one, "How far an erasure is.", *ask, answer=m.ErasureOne),
    ]  # fmt: skip


class _Routes:
    def __init__(self, erasing: Erasing) -> None:
        self._erasing = erasing

    async def devices(self, asked: Asked) -> m.ErasuresAsked:
        return _asked(await self._erasing.ask(asked.caller, DEVICE, asked.body.devices))

    async def users(self, asked: Asked) -> m.ErasuresAsked:
        return _asked(await self._erasing.ask(asked.caller, PERSON, asked.body.users))

    async def devices_preview(self, asked: Asked) -> m.ErasurePreview:
        return m.ErasurePreview(await self._erasing.preview(DEVICE, asked.body.devices))

    async def users_preview(self, asked: Asked) -> m.ErasurePreview:
        return m.ErasurePreview(await self._erasing.preview(PERSON, asked.body.users))

    async def latest(self, asked: Asked) -> m.ErasureList:
        limit = asked.number("limit", MOST_LISTED, least=1, most=MOST_LISTED)
        found = await self._erasing.latest(limit, asked.request.query_params.get("before"))
        return m.ErasureList([_view(one) for one in found])

    async def one(self, asked: Asked) -> m.ErasureOne:
        return m.ErasureOne(_view(await self._erasing.erasure(asked.path("id"))))


def _asked(answers: list[m.ErasureAnswer]) -> m.ErasuresAsked:
    return m.ErasuresAsked(sum(answer.status == "scheduled" for answer in answers), answers)


def _view(erasure: Erasure) -> m.ErasureView:
    report = dict(erasure.report)
    written = report.pop("written", [])
    return m.ErasureView(
        id=erasure.id,
        kind=erasure.kind,
        state=erasure.state,
        left=[_LEFT[state] for state in STATES[STATES.index(erasure.state) + 1 :]],
        error=erasure.error,
        uid=erasure.subject,
        digest=erasure.digest,
        report=report,
        written=written,
        asked_by=erasure.asked_by,
        asked_at=instant_text(erasure.asked_at),
        done_at=None if erasure.done_at is None else instant_text(erasure.done_at),
    )
