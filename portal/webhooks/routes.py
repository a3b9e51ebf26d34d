"""The webhook routes: decode, call, encode.

In: addresses and ids. Out: webhooks, a secret once, deliveries. Invariant: what is a bad id and what is an unknown one
look alike.
"""

from __future__ import annotations

from engine.formats import instant_text
from portal.caller import Permission
from portal.endpoints import Asked, Endpoint
from portal.errors import ApiError
from portal.webhooks import messages as m
from portal.webhooks.service import Webhooks
from storage.control.ids import is_uuid
from storage.control.webhooks import Delivery, Webhook

ADMINISTER = Permission.ADMINISTER


def endpoints(webhooks: Webhooks) -> list[Endpoint]:
    """The slice's part of the route list."""
    routes = _Routes(webhooks)
    return [
        Endpoint("GET", "/webhooks", routes.all, "All webhooks.", ADMINISTER, answer=m.WebhookList),
        Endpoint(
            "POST",
            "/webhooks",
            routes.create,
            "Have an address told when runs end, fail or halt.",
            ADMINISTER,
            body=m.AskWebhook,
            answer=m.WebhookMade,
            status=201,
        ),
        Endpoint("DELETE", "/webhooks/{id}", routes.delete, "Tell a webhook nothing more.", ADMINISTER, status=204),
        Endpoint(
            "GET",
            "/webhooks/{id}/deliveries",
            routes.deliveries,
            "What a webhook was or will be told, newest first.",
            ADMINISTER,
            answer=m.DeliveryList,
            query=("limit",),
        ),
    ]


class _Routes:
    def __init__(self, webhooks: Webhooks) -> None:
        self._webhooks = webhooks

    async def all(self, asked: Asked) -> m.WebhookList:
        return m.WebhookList([_webhook(one) for one in await self._webhooks.everything()])

    async def create(self, asked: Asked) -> m.WebhookMade:
        made, secret = await self._webhooks.create(asked.caller, asked.body.url, asked.body.events)
        return m.WebhookMade(_webhook(made), secret)

    async def delete(self, asked: Asked) -> None:
        await self._webhooks.delete(asked.caller, _id(asked))

    async def deliveries(self, asked: Asked) -> m.DeliveryList:
        found = await self._webhooks.deliveries(_id(asked), asked.number("limit", 50, least=1, most=200))
        return m.DeliveryList([_delivery(one) for one in found])


def _id(asked: Asked) -> str:
    identifier = asked.path("id")
    if not is_uuid(identifier):
        raise ApiError(404, "unknown_webhook", "There is no such webhook.")
    return identifier


def _webhook(one: Webhook) -> m.WebhookInfo:
    by = one.created_by.removeprefix("account:")
    return m.WebhookInfo(one.id, one.url, list(one.events), instant_text(one.created_at), by)


def _delivery(one: Delivery) -> m.DeliveryInfo:
    return m.DeliveryInfo(
        one.id,
        one.event,
        one.body,
        instant_text(one.created_at),
        one.tries,
        _shown(one.next_at),
        _shown(one.delivered_at),
        one.error,
    )


def _shown(micros: int | None) -> str | None:
    return None if micros is None else instant_text(micros)
