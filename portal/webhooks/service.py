"""Webhooks: making and deleting them, and the loop that delivers what is queued.

In: a caller and an address; the queue of the control database. Out: webhooks, deliveries. Invariants: a secret is made
here, shown once and kept sealed; a delivery counts as made only when its receiver said so, so it may come twice and is
known by its id; each webhook is told by itself, one thing after the other, so that a slow one holds up no other.
"""

from __future__ import annotations

import asyncio
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Callable, Sequence

import structlog

from portal.caller import Caller
from portal.errors import ApiError
from portal.threads import Threads
from portal.webhooks.address import BadAddressError, place_of
from portal.webhooks.sender import Sender, UndeliveredError
from storage.control.api import Control
from storage.control.errors import ControlError
from storage.control.ids import uuid7
from storage.control.sealing import Sealer
from storage.control.webhooks import Delivery, Webhook

PAUSE = 1.0  # seconds between looks at the queue
AT_ONCE = 20  # deliveries of one webhook in one go
log = structlog.get_logger("webhooks")


class Webhooks:
    """The webhooks slice."""

    def __init__(
        self, control: Control, sealer: Sealer, threads: Threads, clock: Callable[[], int], *, local: bool
    ) -> None:
        self._control, self._sealer, self._threads, self._clock = control, sealer, threads, clock
        self._local = local
        self._sender = Sender(clock, local=local)
        self._busy: dict[str, asyncio.Task[None]] = {}  # by webhook

    async def create(self, caller: Caller, url: str, events: Sequence[str]) -> tuple[Webhook, str]:
        """A new webhook and its secret. Raises ApiError 422, RefusedError."""
        try:
            place_of(url, local=self._local)
        except BadAddressError as error:
            raise ApiError(422, "bad_address", f"The webhook was not made: {error}.") from None
        now = self._clock()
        identifier = uuid7(now)
        secret = "whsec_" + urlsafe_b64encode(secrets.token_bytes(32)).rstrip(b"=").decode()
        sealed = await self._threads.control(self._sealer.seal, secret.encode(), _purpose(identifier))
        create = self._control.webhooks.create
        made = await self._threads.control(create, identifier, url, tuple(events), sealed, by=caller.actor, now=now)
        return made, secret

    async def everything(self) -> list[Webhook]:
        """All webhooks."""
        return await self._threads.control(self._control.webhooks.everything)

    async def delete(self, caller: Caller, identifier: str) -> None:
        """Tell a webhook nothing more. Raises NotFoundError."""
        delete = self._control.webhooks.delete
        await self._threads.control(delete, identifier, by=caller.actor, now=self._clock())

    async def deliveries(self, identifier: str, limit: int) -> list[Delivery]:
        """What a webhook was or will be told, newest first. Raises NotFoundError."""
        return await self._threads.control(self._control.webhooks.deliveries, identifier, limit)

    async def run(self) -> None:
        """Deliver what is due, until cancelled."""
        try:
            while True:
                try:
                    await self._begin()
                except ControlError as error:
                    log.warning("webhooks_wait", code=error.code)
                except Exception:
                    log.exception("webhooks_failed")
                await asyncio.sleep(PAUSE)
        finally:
            for task in self._busy.values():
                task.cancel()
            await asyncio.gather(*self._busy.values(), return_exceptions=True)

    async def close(self) -> None:
        """Let go of connections; after `run` has ended for good."""
        await self._sender.close()

    async def _begin(self) -> None:
        """Begin to tell each webhook what is due, but for those that are being told."""
        due = await self._threads.control(self._control.webhooks.due, now=self._clock(), limit=AT_ONCE)
        for webhook in {delivery.webhook for delivery in due} - set(self._busy):
            mine = [delivery for delivery in due if delivery.webhook == webhook]
            self._busy[webhook] = asyncio.create_task(self._tell(webhook, mine))

    async def _tell(self, webhook: str, due: list[Delivery]) -> None:
        try:
            for delivery in due:
                await self._try(delivery)
        except ControlError as error:  # what was not noted is sent again
            log.warning("webhook_waits", webhook=webhook, code=error.code)
        except Exception:
            log.exception("webhook_failed", webhook=webhook)
        finally:
            del self._busy[webhook]

    async def _try(self, delivery: Delivery) -> None:
        webhooks = self._control.webhooks
        try:
            secret = await self._threads.control(self._sealer.open, delivery.sealed, _purpose(delivery.webhook))
            await self._sender.send(delivery.url, delivery.event, delivery.id, delivery.body.encode(), secret)
        except (UndeliveredError, ControlError) as error:
            log.warning("webhook_undelivered", webhook=delivery.webhook, delivery=delivery.id, reason=str(error)[:300])
            await self._threads.control(webhooks.failed, delivery, str(error), now=self._clock())
        else:
            await self._threads.control(webhooks.delivered, delivery.id, now=self._clock())


def _purpose(identifier: str) -> str:
    return f"webhook:{identifier}"
