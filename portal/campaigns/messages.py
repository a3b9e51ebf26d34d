"""The JSON of the campaign routes: what comes in with its bounds, and what goes out.

Data only. What a campaign says is `storage.control.campaign_definition.CampaignDefinition`, the same in the API, in
files and in the database.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct, field

from storage.control.campaign_definition import CampaignDefinition

YEAR = 525_600 * 60
WEEK = 7 * 24 * 3600
UserName = Annotated[str, Meta(min_length=1, max_length=255)]
Value = Annotated[str, Meta(max_length=1000)]


class SendCampaign(Struct, forbid_unknown_fields=True):
    """Whom to ask, by SID, uid or name of `user.users`, with which values. `expires_in` is in seconds."""

    users: Annotated[list[UserName], Meta(min_length=1, max_length=10_000)]
    parameters: Annotated[dict[UserName, Value], Meta(max_length=30)] = field(default_factory=dict)
    expires_in: Annotated[int, Meta(ge=60, le=YEAR)] = WEEK


class CampaignInfo(Struct):
    """A campaign; `counts` are responses by their state, told only to those who see the whole estate."""

    definition: CampaignDefinition
    version: str
    number: int
    counts: dict[str, int]
    updated_at: str
    updated_by: str


class CampaignOne(Struct):
    """One campaign."""

    campaign: CampaignInfo


class CampaignList(Struct):
    """All campaigns, by id."""

    campaigns: list[CampaignInfo]


class ResponseInfo(Struct):
    """One person's response. `answers` are labels of choices, several with commas; `comments` what was written."""

    id: str
    request: str
    campaign: str
    user: str
    device: str | None
    state: str
    detail: str | None
    answers: dict[str, str]
    comments: dict[str, str]
    parameters: dict[str, str]
    targeted_at: str
    shown_at: str | None
    changed_at: str
    expires_at: str
    requested_by: str


class ResponseOne(Struct):
    """One response."""

    response: ResponseInfo


class ResponseList(Struct):
    """Responses, newest first."""

    responses: list[ResponseInfo]


class SentTo(Struct):
    """What became of one who was named: the id of the response, or why there is none."""

    user: str
    response: str | None
    message: str


class SentList(Struct):
    """One entry for each who was named, in order; a name that was given twice once."""

    sent: list[SentTo]
