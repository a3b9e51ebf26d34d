"""Calls of the public Python client, in a process of its own: `test_python_client` runs it.

Comes in: facts about what is in a portal as JSON, and its address. Goes out: exit 0, or an assertion that does not
hold. Invariant: with an address, the client is told it by the class attributes that it has for that; without, nothing
in this process is touched: it asks its own hosts, and its environment names the proxy and whose certificates count.
"""

from __future__ import annotations

import json
import sys
from typing import Any
from uuid import uuid4

import nexthink_api as nxt


def main(facts: dict[str, str], address: str | None = None) -> None:
    """All of them."""
    if address is not None:
        nxt.NxtSettings.base_url = nxt.NxtSettings.login_base_url = address
    client = nxt.NexthinkClient("acme", nxt.NxtRegionName.eu, facts["id"], facts["secret"])
    for calls in SERVED:
        calls(client, facts)


def queries(client: Any, facts: dict[str, str]) -> None:
    """Saved queries, exports and their files."""
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


def actions(client: Any, facts: dict[str, str]) -> None:
    """Remote actions."""
    [action] = client.remote_actions.list()
    assert client.remote_actions.get("#clear_cache") == action
    run = nxt.NxtRemoteActionExecutionRequest(remoteActionId="#clear_cache", devices=[facts["collector"]])
    begun = client.remote_actions.execute(run)
    assert isinstance(begun, nxt.NxtRemoteActionExecutionResponse)
    assert begun.requestId


def enrichment(client: Any, facts: dict[str, str]) -> None:
    """Fields of objects: all known, some, none."""
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


def campaigns(client: Any, facts: dict[str, str]) -> None:
    """A campaign for users, known and not."""
    ask = {"campaignNqlId": "#coffee", "userSid": ["S-1-5-1", "S-1-5-9"], "expiresInMinutes": 60}
    sent = client.campaigns.trigger(nxt.NxtCampaignTriggerRequest(**ask, parameters={"name": "you"}))
    assert isinstance(sent, nxt.NxtCampaignTriggerSuccessResponse)
    known, unknown = sent.requests
    assert (known.userSid, bool(known.requestId), known.message) == ("S-1-5-1", True, None)
    assert (unknown.requestId, unknown.message) == (None, "The user is not known.")
    lacking = client.campaigns.trigger(nxt.NxtCampaignTriggerRequest(**ask))
    assert isinstance(lacking, nxt.NxtCampaignTriggerErrorResponse)
    assert lacking.code == "BAD_PARAMETERS"


def workflows(client: Any, facts: dict[str, str]) -> None:
    """Workflows, by both ways of naming devices, and a step that listens."""
    kinds = (nxt.NxtWorkflowDependency.DEVICE, nxt.NxtWorkflowTriggerMethod.API)
    [listed] = client.workflows.list(*kinds, fetch_only_active_workflows=True)
    assert client.workflows.get("#approval") == listed
    assert (listed.status, listed.uuid) == (nxt.NxtWorkflowStatus.ACTIVE, facts["workflow"])
    given = {"workflowId": "#approval", "params": {"who": "desk"}}
    ask = nxt.NxtWorkflowExecutionRequest(**given, devices=[facts["collector"]])
    begun = client.workflows.execute(ask, source="the desk")
    assert isinstance(begun, nxt.NxtWorkflowExecutionResponse)
    assert len(begun.executionsUuids) == 1
    named = [nxt.NxtWorkflowDeviceData(name="pc-1"), nxt.NxtWorkflowDeviceData(uid=facts["two"])]
    request = nxt.NxtWorkflowExternalIdsExecutionRequest(**given, devices=named)
    assert len(client.workflows.execute_with_external_ids(request).executionsUuids) == 2
    answer = nxt.NxtWorkflowThinkletTriggerRequest(parameters={"approved": "yes"})
    where = (facts["workflow"], facts["listening"])
    [given_to] = client.workflows.trigger_thinklet(*where, answer)
    assert isinstance(given_to, nxt.NxtWorkflowThinkletTriggerResponse)
    for wrong in (
        client.workflows.trigger_thinklet(*where, answer),
        client.workflows.get("#nothing"),
        client.workflows.execute(nxt.NxtWorkflowExecutionRequest(workflowId="#nothing", devices=[facts["two"]])),
        client.workflows.execute(nxt.NxtWorkflowExecutionRequest(**given, users=["S-1-5-21-1"])),
    ):
        assert isinstance(wrong, nxt.NxtWorkflowErrorResponse)
        assert wrong.details


def deletions(client: Any, facts: dict[str, str]) -> None:
    """Devices that go."""
    request = str(uuid4())
    gone = client.data_management.delete_devices(
        [nxt.NxtDeviceEntry(uid=facts["two"], name="pc-2"), nxt.NxtDeviceEntry(uid=str(uuid4()), name="pc-3")],
        request_id=request,
    )
    assert (gone.scheduledCount, gone.request_id) == (1, request)
    assert [device.status for device in gone.devices] == ["SCHEDULED", "INVALID"]


def refused(client: Any, facts: dict[str, str]) -> None:
    """What is refused, as the client understands it."""
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


SERVED = (refused, queries, actions, enrichment, campaigns, workflows, deletions)  # every call there is, in this order

if __name__ == "__main__":
    main(json.loads(sys.argv[1]), *sys.argv[2:])
