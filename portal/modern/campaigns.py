"""Campaigns: send one to users.

In: a campaign's NQL id, users by SID (or by uid or name, where there is none that is theirs alone), values of its
parameters, for how long. Out: a request id for each user, or why there is none. Invariants: one user who cannot be
asked keeps nobody else from being asked; a user whom the caller does not see is as unknown as one who is not there.
"""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, Struct

from portal.caller import Permission
from portal.campaigns.service import Campaigns, Sending, Sent
from portal.errors import ApiError
from portal.modern.errors import Surface
from portal.modern.ways import Asked, Way
from storage.control.errors import NotFoundError

PATH = "/api/v1/euf/campaign/trigger"
MOST_USERS = 10_000
MINUTE = 60_000_000
Text = Annotated[str, Meta(max_length=1000)]
Values = Annotated[dict[Text, Text], Meta(max_length=30)]


class Trigger(Struct):
    """What to send, and to whom. `params` is how some clients say `parameters`."""

    campaignNqlId: Annotated[str, Meta(min_length=1, max_length=300)]  # noqa: N815
    userSid: list[Annotated[str, Meta(min_length=1, max_length=255)]]  # noqa: N815
    expiresInMinutes: Annotated[int, Meta(ge=1, le=525_600)]  # noqa: N815
    parameters: Values | None = None
    params: Values | None = None


def listed(campaigns: Campaigns) -> list[Way]:
    """The ways of this part."""

    async def trigger(asked: Asked) -> dict[str, Any]:
        return await _trigger(campaigns, asked)

    need = ("campaigns", Permission.EXECUTE)
    return [Way("POST", PATH, Surface.CAMPAIGNS, *need, trigger, Trigger, most_bytes=4 << 20)]


async def _trigger(campaigns: Campaigns, asked: Asked) -> dict[str, Any]:
    body: Trigger = asked.body
    if not 1 <= len(body.userSid) <= MOST_USERS:
        raise ApiError(400, "bad_request", f"userSid names 1 to {MOST_USERS} users.")
    if body.parameters and body.params and body.parameters != body.params:
        raise ApiError(400, "bad_request", "parameters and params say different things.", "Send one of them.")
    values = body.parameters or body.params or {}
    until = asked.now + body.expiresInMinutes * MINUTE
    try:
        sent = await campaigns.send(asked.caller, Sending(body.campaignNqlId, until, tuple(body.userSid), (), values))
    except NotFoundError as error:  # these clients know no 404 here
        raise ApiError(400, error.code, f"There is no campaign {body.campaignNqlId[:255]}.") from None
    return {"requests": [_said(one) for one in sent]}


def _said(one: Sent) -> dict[str, str]:
    told = {"message": one.message} if one.response is None else {"requestId": one.response.id}
    return {"userSid": one.named, **told}
