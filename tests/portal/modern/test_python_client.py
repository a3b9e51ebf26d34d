"""The public Python client, unmodified, over plain HTTP: every call that it has and that this portal serves.

Comes in: a portal behind a real socket. Goes out: what the client made of its answers, as its own types. Invariant: the
client is told where the portal is by the class attributes that it has for that, and by nothing else; the product never
imports it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import nexthink_api as nxt
import pytest

from nql.catalog.configured import CustomField
from tests.portal.conftest import API, MANIFEST, House, Play
from tests.portal.modern.scenes import credential, served

pytestmark = pytest.mark.slow


@pytest.fixture
def use(play: Play, monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Any, dict[str, str]], None]], None]:
    """Run calls of the client in a portal with two devices, an action, a saved query and a custom field."""
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)

    def run(calls: Callable[[Any, dict[str, str]], None]) -> None:
        async def scene(house: House) -> None:
            one, two = house.enrol(1), house.enrol(2)
            ann = await house.program()
            await ann.post(f"{API}/actions", json=MANIFEST)
            text = "devices | where name = $name | list name, first_seen | sort name asc"
            await ann.put(f"{API}/saved-queries/named", json={"name": "Named", "text": text})
            house.portal.control.configured.declare(
                [CustomField("device.devices", "room")], by="portal", now=house.time.now
            )
            house.portal.catalogs.refresh()
            await house.settle()
            pair = await credential(house, ann, limits={"nql_per_second": 100})
            facts = {"one": one.uid, "two": two.uid, "collector": one.collector_uid, "id": pair[0], "secret": pair[1]}
            async with served(house) as address:
                monkeypatch.setattr(nxt.NxtSettings, "base_url", address)
                monkeypatch.setattr(nxt.NxtSettings, "login_base_url", address)
                await asyncio.to_thread(_with_client, calls, facts)

        play(scene)

    return run


def _with_client(calls: Callable[[Any, dict[str, str]], None], facts: dict[str, str]) -> None:
    calls(nxt.NexthinkClient("acme", nxt.NxtRegionName.eu, facts["id"], facts["secret"]), facts)


def test_every_call_that_is_served(use: Callable[[Callable[[Any, dict[str, str]], None]], None]) -> None:
    def calls(client: Any, facts: dict[str, str]) -> None:
        assert client.token.expires_in == 900
        ask = nxt.NxtNqlApiExecuteRequest(queryId="#named", parameters={"name": "pc-*"})
        second = client.nql.execute(ask)
        assert [row["device.name"] for row in second.data] == ["pc-1", "pc-2"]
        first = client.nql.execute(ask, version="v1")
        assert (first.rows, first.headers, first.executionDateTime.year) == (
            2, ["device.name", "device.first_seen"], 2026,
        )  # fmt: skip
        state = client.nql.wait(client.nql.export(ask))
        assert state.status == nxt.NxtNqlStatus.COMPLETED
        assert client.nql.download(state).text.startswith("device.name,device.first_seen\r\npc-1,2026-01-01T")
        assert list(client.nql.download_dataframe(state)["device.name"]) == ["pc-1", "pc-2"]

        [action] = client.remote_actions.list()
        assert client.remote_actions.get("#clear_cache") == action
        run = nxt.NxtRemoteActionExecutionRequest(remoteActionId="#clear_cache", devices=[facts["collector"]])
        begun = client.remote_actions.execute(run)
        assert isinstance(begun, nxt.NxtRemoteActionExecutionResponse)
        assert begun.requestId

        known, unknown = (
            nxt.NxtEnrichment(
                identification=[nxt.NxtIdentification(name=nxt.NxtIdentificationName.DEVICE_DEVICE_NAME, value=name)],
                fields=[
                    nxt.NxtField(name=nxt.NxtFieldName.CUSTOM_DEVICE, value="A1", custom_value="room"),
                    nxt.NxtField(name=nxt.NxtFieldName.TYPE, value=1),
                ],
            )
            for name in ("pc-1", "pc-9")
        )
        for items, kind in (
            ([known], nxt.NxtSuccessResponse),
            ([known, unknown], nxt.NxtPartialSuccessResponse),
            ([unknown], nxt.NxtBadRequestResponse),
        ):
            answer = client.enrichment.run(nxt.NxtEnrichmentRequest(enrichments=items, domain="cmdb"))
            assert isinstance(answer, kind), answer

        request = str(uuid4())
        gone = client.data_management.delete_devices(
            [nxt.NxtDeviceEntry(uid=facts["two"], name="pc-2"), nxt.NxtDeviceEntry(uid=str(uuid4()), name="pc-3")],
            request_id=request,
        )
        assert (gone.scheduledCount, gone.request_id) == (1, request)
        assert [device.status for device in gone.devices] == ["SCHEDULED", "INVALID"]

    use(calls)


def test_what_is_refused_is_understood(use: Callable[[Callable[[Any, dict[str, str]], None]], None]) -> None:
    def calls(client: Any, facts: dict[str, str]) -> None:
        unknown = client.nql.execute(nxt.NxtNqlApiExecuteRequest(queryId="#nothing", parameters={}))
        assert (unknown.code, unknown.message) == (404, "Not Found")
        run = nxt.NxtRemoteActionExecutionRequest(remoteActionId="#nothing", devices=[facts["collector"]])
        assert client.remote_actions.execute(run).code == "UNKNOWN_OR_DISABLED_REMOTE_ACTION"
        assert isinstance(client.remote_actions.get("#nothing"), nxt.NxtRemoteActionErrorResponse)
        part = nxt.NxtSparkTextPartDTO(type="TEXT", text="help")
        message = nxt.NxtSparkHandoffConversationMessageRequest(message=nxt.NxtSparkMessageDTO(parts=[part]))
        spark = client.spark.handoff(message, "ann@corp.test")
        assert isinstance(spark, nxt.NxtSparkErrorResponse)
        assert "no assistant" in spark.message
        stranger = nxt.NexthinkClient("acme", nxt.NxtRegionName.eu, facts["id"], "wrong")
        assert stranger.token is None
        assert isinstance(stranger.remote_actions.list(), nxt.NxtInvalidTokenRequest)

    use(calls)
