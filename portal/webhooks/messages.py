"""The JSON of the webhook routes: what comes in with its bounds, and what goes out.

Data only. Invariant: a secret goes out once, in the answer that makes the webhook.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

Event = Literal["run.ended", "run.failed", "run.halted"]


class AskWebhook(Struct, forbid_unknown_fields=True):
    """An address to tell, and of what."""

    url: Annotated[str, Meta(min_length=1, max_length=2000)]
    events: Annotated[list[Event], Meta(min_length=1, max_length=3)]


class WebhookInfo(Struct):
    """A webhook."""

    id: str
    url: str
    events: list[str]
    created_at: str
    created_by: str


class WebhookMade(Struct):
    """A new webhook and the secret that signs what it is told. The secret is not shown again."""

    webhook: WebhookInfo
    secret: str


class WebhookList(Struct):
    """All webhooks, oldest first."""

    webhooks: list[WebhookInfo]


class RunTold(Struct, forbid_unknown_fields=True):
    """A run as a webhook is told of it: ids and counts, no parameters and no outputs."""

    id: str
    action: str
    version: str
    state: str
    detail: str | None
    trigger: str
    schedule: str | None
    requested_by: str
    requested_at: str
    ended_at: str | None
    devices: int
    skipped: int
    counts: dict[str, int]


class EventBody(Struct, forbid_unknown_fields=True):
    """What is sent to a webhook. The same `id` may come twice."""

    id: str
    event: Event
    time: str
    run: RunTold


class DeliveryInfo(Struct):
    """One event on its way to a webhook. With neither `next_at` nor `delivered_at` it was given up."""

    id: str
    event: str
    body: str
    created_at: str
    tries: int
    next_at: str | None
    delivered_at: str | None
    error: str | None


class DeliveryList(Struct):
    """What a webhook was or will be told, newest first."""

    deliveries: list[DeliveryInfo]
