"""Campaigns on plain values: defining them, sending them to people, and what became of each question.

In: a caller, definitions, people by SID, key or name (or the devices at which they sit), values of parameters, an
instant of expiry. Out: campaigns, responses. Invariants: nobody is sent anything whom the caller does not see; one who
is unknown or asked the same already keeps nobody else from being asked; devices are nudged after all is stored.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from portal.caller import Caller
from portal.campaigns.people import UNKNOWN, named, seen
from portal.nudges import Nudges
from portal.queries.catalogs import Catalogs
from portal.queries.service import Queries
from portal.relay import Relay
from portal.threads import Threads
from storage.control.api import Control
from storage.control.campaign_definition import CampaignDefinition
from storage.control.campaign_responses import Addressee, NewRequest, Response
from storage.control.campaigns import SavedCampaign
from storage.control.errors import NotFoundError

PENDING = "The user has not answered this campaign yet, which was sent before."
NOBODY = "Nobody is logged in at this device who could be asked."
Along = Callable[[Sequence[Response | None]], None]


@dataclass(frozen=True, slots=True)
class Sending:
    """What is to be sent: a campaign by its id, with or without `#`, to people by SID, key of `user.users` or name, and
    to whoever is logged in at some devices, by uid. `trigger` is one that the campaign has; `cause` says what asks,
    such as a step of a workflow. `expires_at` is microseconds UTC, within a year."""

    campaign: str
    expires_at: int
    people: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    parameters: Mapping[str, str] = field(default_factory=dict)
    trigger: str = "api"
    cause: str | None = None


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of sending to one that was `named`: the response that was made, or why there is none."""

    named: str
    response: Response | None
    message: str = ""


class Campaigns:
    """The slice of campaigns."""

    def __init__(
        self,
        control: Control,
        queries: Queries,
        catalogs: Catalogs,
        relay: Relay,
        nudges: Nudges,
        threads: Threads,
        clock: Callable[[], int],
    ) -> None:
        self._control, self._queries, self._catalogs, self._relay = control, queries, catalogs, relay
        self._nudges, self._threads, self._clock = nudges, threads, clock

    # --- definitions ---------------------------------------------------------------------------
    async def define(self, caller: Caller, definition: CampaignDefinition) -> SavedCampaign:
        """Keep a definition. From then on its responses can be asked for. Raises RefusedError."""
        save = self._control.campaigns.save
        saved = await self._threads.control(save, definition, by=caller.actor, now=self._clock())
        await self._threads.control(self._catalogs.refresh)
        self._relay.wake()
        return saved

    async def everything(self) -> list[SavedCampaign]:
        """All campaigns."""
        return await self._threads.control(self._control.campaigns.everything)

    async def campaign(self, nql_id: str) -> SavedCampaign:
        """One campaign, by its id with or without `#`. Raises NotFoundError."""
        return await self._threads.control(self._control.campaigns.campaign, _id(nql_id))

    async def counts(self, caller: Caller) -> dict[str, dict[str, int]]:
        """How many responses of each campaign are in each state; nothing for who does not see the whole estate."""
        if caller.domain is not None:
            return {}
        return await self._threads.control(self._control.campaign_responses.counts)

    # --- sending -------------------------------------------------------------------------------
    async def send(self, caller: Caller, sending: Sending, along: Along | None = None) -> list[Sent]:
        """Ask people, each once: those named by `people`, then those at `devices`, in their order. `along` is done in
        the same transaction, with what was made. Raises NotFoundError, RefusedError and what `along` raises, and then
        nobody is asked.

        A caller that is a program of the portal (a workflow) is the account it acts for; whether that account may
        send is for who calls to have checked. The end of each question is found by `outcomes`.
        """
        found = await self._addressees(caller, sending)
        asked = [Addressee(person, name) for name, person, _ in found if person is not None]
        responses: dict[str, Response | None] = {}
        if asked:
            head = (_id(sending.campaign), dict(sending.parameters), sending.expires_at, caller.name)
            request = NewRequest(*head, sending.trigger, sending.cause)
            made = await self._threads.control(self._send, request, asked, along)
            responses = {one.person: response for one, response in zip(asked, made, strict=True)}
            await self._nudge({response.person for response in made if response is not None})
        else:
            await self.campaign(sending.campaign)  # an unknown one is said, whoever is named
        return [
            Sent(name, None, why) if person is None
            else Sent(name, responses[person], "" if responses[person] is not None else PENDING)
            for name, person, why in found
        ]  # fmt: skip

    def _send(self, request: NewRequest, asked: list[Addressee], along: Along | None) -> list[Response | None]:
        def work() -> list[Response | None]:
            made = self._control.campaign_responses.send(request, asked, now=self._clock())
            if along is not None:
                along(made)
            return made

        return self._control.together(work)

    async def outcomes(self, identifiers: Collection[str]) -> dict[str, Response]:
        """How responses stand, by their ids (`Sent.response.id`); those that are gone are left out. One is at its end
        when `over` is true: then `state` is answered, declined or expired, and `answers` holds labels by question."""
        return await self._threads.control(self._control.campaign_responses.named, list(identifiers))

    async def response(self, caller: Caller, identifier: str) -> Response:
        """One response. Raises NotFoundError, as for one of a person whom the caller does not see."""
        response = await self._threads.control(self._control.campaign_responses.response, identifier)
        if response.person not in await seen(self._queries, caller, [response.person]):
            raise NotFoundError("unknown_response", "there is no such response")
        [shown] = await self._shown(caller, [response])
        return shown

    async def responses(self, caller: Caller, campaign: str, limit: int, before: str | None) -> list[Response]:
        """Responses of a campaign, newest first, of people whom the caller sees; `before` is the id of one to page on
        from. Raises NotFoundError."""
        nql_id = (await self.campaign(campaign)).nql_id
        found = await self._threads.control(self._control.campaign_responses.latest, nql_id, limit, before=before)
        known = await seen(self._queries, caller, {response.person for response in found})
        return await self._shown(caller, [response for response in found if response.person in known])

    async def _shown(self, caller: Caller, responses: list[Response]) -> list[Response]:
        """Responses without the names of devices that the caller does not see."""
        devices = await self._queries.visible(caller, {one.device for one in responses if one.device is not None})
        return [one if one.device in devices else replace(one, device=None) for one in responses]

    async def cancel(self, caller: Caller, identifier: str) -> Response:
        """Ask this person no more; what is on a screen goes away. Raises NotFoundError."""
        await self.response(caller, identifier)
        [shown] = await self._shown(caller, [await self.withdraw(identifier, by=caller.actor)])
        return shown

    async def withdraw(self, identifier: str, *, by: str) -> Response:
        """As `cancel`, for who knows that it may be done. Raises NotFoundError."""
        cancel = self._control.campaign_responses.cancel
        response = await self._threads.control(cancel, identifier, by=by, now=self._clock())
        if response.device is not None:
            self._nudges.nudge([response.device])
        self._relay.wake()
        return response

    async def _addressees(self, caller: Caller, sending: Sending) -> list[tuple[str, str | None, str]]:
        """What each of those who are named means: the name, the person, else why there is none. Each is named once."""
        known = await named(self._queries, caller, set(sending.people))
        found = [(text, known[text].person, known[text].message) for text in dict.fromkeys(sending.people)]
        visible = await self._queries.visible(caller, sending.devices)
        there = await self._threads.control(self._control.people_present.at, list(visible))
        for device in dict.fromkeys(sending.devices):
            people = there.get(device, [])
            found += [(device, person, "") for person in people]
            found += [] if people else [(device, None, NOBODY if device in visible else UNKNOWN)]
        return found

    async def _nudge(self, people: Collection[str]) -> None:
        devices = await self._threads.control(self._control.people_present.devices_of, people)
        self._nudges.nudge(devices)


def _id(text: str) -> str:
    return f"#{text.removeprefix('#')}"
