"""The routes of campaigns: decode, call, encode.

In: definitions, users, ids. Out: campaigns, responses. Invariant: who may ask may see campaigns, and responses of the
people that he sees; sending and cancelling needs the permission to execute, defining the one to manage. Times are ISO
8601 in UTC.
"""

from __future__ import annotations

from engine.formats import instant_text
from portal.caller import Permission
from portal.campaigns import messages as m
from portal.campaigns.service import Campaigns, Sending, Sent
from portal.endpoints import Asked, Endpoint
from storage.control.campaign_definition import CampaignDefinition
from storage.control.campaign_responses import Response
from storage.control.campaigns import SavedCampaign

QUERY, EXECUTE, MANAGE = Permission.QUERY, Permission.EXECUTE, Permission.MANAGE
ALL, ONE, SEND = "/campaigns", "/campaigns/{nql_id}", "/campaigns/{nql_id}/send"
RESPONSE = "/campaign-responses/{id}"
SECOND = 1_000_000
BIG = 1 << 20


def endpoints(campaigns: Campaigns) -> list[Endpoint]:
    """The slice's part of the route list."""
    r, paged = _Routes(campaigns), ("limit", "before")
    answer, many = m.CampaignOne, m.ResponseList
    told = "Responses of a campaign."
    return [
        Endpoint("GET", ALL, r.everything, "All campaigns.", QUERY, answer=m.CampaignList),
        Endpoint("POST", ALL, r.define, "Define one.", MANAGE, body=CampaignDefinition, answer=answer, most_bytes=BIG),
        Endpoint("GET", ONE, r.one, "One campaign.", QUERY, answer=answer),
        Endpoint(
            "POST", SEND, r.send, "Ask users.", EXECUTE, body=m.SendCampaign, answer=m.SentList, most_bytes=BIG * 4
        ),
        Endpoint("GET", f"{ONE}/responses", r.responses, told, QUERY, answer=many, query=paged),
        Endpoint("GET", RESPONSE, r.response, "One response.", QUERY, answer=m.ResponseOne),
        Endpoint("POST", f"{RESPONSE}/cancel", r.cancel, "Ask a user no more.", EXECUTE, answer=m.ResponseOne),
    ]


class _Routes:
    def __init__(self, campaigns: Campaigns) -> None:
        self._campaigns = campaigns

    async def everything(self, asked: Asked) -> m.CampaignList:
        counts = await self._campaigns.counts(asked.caller)
        found = await self._campaigns.everything()
        return m.CampaignList([_campaign(one, counts) for one in found])

    async def define(self, asked: Asked) -> m.CampaignOne:
        return await self._told(asked, await self._campaigns.define(asked.caller, asked.body))

    async def one(self, asked: Asked) -> m.CampaignOne:
        return await self._told(asked, await self._campaigns.campaign(asked.path("nql_id")))

    async def send(self, asked: Asked) -> m.SentList:
        body: m.SendCampaign = asked.body
        until = asked.now + body.expires_in * SECOND
        sending = Sending(asked.path("nql_id"), until, tuple(body.users), (), body.parameters)
        sent = await self._campaigns.send(asked.caller, sending)
        return m.SentList([_sent(one) for one in sent])

    async def responses(self, asked: Asked) -> m.ResponseList:
        limit, before = asked.number("limit", 100, least=1, most=1000), asked.text("before")
        found = await self._campaigns.responses(asked.caller, asked.path("nql_id"), limit, before)
        return m.ResponseList([_response(one) for one in found])

    async def response(self, asked: Asked) -> m.ResponseOne:
        return m.ResponseOne(_response(await self._campaigns.response(asked.caller, asked.path("id"))))

    async def cancel(self, asked: Asked) -> m.ResponseOne:
        return m.ResponseOne(_response(await self._campaigns.cancel(asked.caller, asked.path("id"))))

    async def _told(self, asked: Asked, saved: SavedCampaign) -> m.CampaignOne:
        return m.CampaignOne(_campaign(saved, await self._campaigns.counts(asked.caller)))


def _sent(one: Sent) -> m.SentTo:
    return m.SentTo(one.named, None if one.response is None else one.response.id, one.message)


def _campaign(saved: SavedCampaign, counts: dict[str, dict[str, int]]) -> m.CampaignInfo:
    by = saved.updated_by.removeprefix("account:")
    head = (saved.definition, saved.version, saved.number, counts.get(saved.nql_id, {}))
    return m.CampaignInfo(*head, instant_text(saved.updated_at), by)


def _response(one: Response) -> m.ResponseInfo:
    return m.ResponseInfo(
        id=one.id,
        request=one.request,
        campaign=one.campaign,
        user=one.person,
        device=one.device,
        state=one.state,
        detail=one.detail,
        answers=dict(one.answers),
        comments=dict(one.comments),
        parameters=dict(one.parameters),
        targeted_at=instant_text(one.targeted_at),
        shown_at=None if one.shown_at is None else instant_text(one.shown_at),
        changed_at=instant_text(one.changed_at),
        expires_at=instant_text(one.expires_at),
        requested_by=one.requested_by,
    )
