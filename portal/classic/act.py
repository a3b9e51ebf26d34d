"""The Act API: a call becomes one run on the devices of those sites that may be used and are served.

In: a caller and a call. Out: what came of it, one entry a site. Raises ActError. Invariants: what the call says is
judged before anything begins; devices that are not known, not seen by the caller, or not of a targeted site are left
out, and each site answers for itself; the answer comes when every site has taken its part, or the time is over.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from portal.actions.messages import AskRun, Target
from portal.actions.service import Actions
from portal.caller import Caller
from portal.classic.call import Call, guid
from portal.classic.errors import ActError
from portal.queries.service import Queries
from portal.sites.routes import sees
from portal.sites.serving import Serving, Standing
from storage.control.actions import Action
from storage.control.errors import ControlError, RefusedError
from storage.control.sites import Site

BY_HAND = frozenset({"manual", "manual_multiple"})
NOBODY = "None of the devices belongs to this Engine, or you do not see them."
SOURCE = "Act API"
Answers = dict[str, tuple[str, str]]  # by the identifier of an Engine: code and message


@dataclass(frozen=True, slots=True)
class Act:
    """The Act API. `seconds` is how long a call waits that does not say."""

    actions: Actions
    queries: Queries
    serving: Serving
    seconds: int

    async def run(self, caller: Caller, call: Call) -> list[dict[str, str]]:
        """Begin what is asked, and say how each Engine took it."""
        action = await self._action(caller, call.action)
        standing = await self.serving.standing()
        answers, live = _targeted(caller, call.engines, standing.values())
        devices = await self._devices(caller, call.devices, live)
        answers |= dict.fromkeys(live.keys() - devices.keys(), ("ok", NOBODY))
        taking = [live[uid] for uid in devices]
        if taking:
            answers |= await self._begin(caller, call, action, [u for some in devices.values() for u in some], taking)
        return [
            {"databaseUid": uid, "code": code} | ({"message": message} if message else {})
            for uid, (code, message) in answers.items()
        ]

    async def _action(self, caller: Caller, uid: str) -> Action:
        control, threads = self.serving.control, self.serving.threads
        action = await threads.control(control.actions.by_uid, uid)
        if action is None or not action.triggers:
            raise ActError("UNKNOWN_OR_DISABLED_REMOTE_ACTION", "There is no remote action of this uid, or it is off.")
        if not caller.may_run(action.nql_id):
            raise ActError("NO_PERMISSION", f"Your account may not run {action.nql_id}.")
        if not BY_HAND & set(action.triggers):
            raise ActError("NO_MANUAL_EXECUTION", f"{action.nql_id} cannot be started by hand.")
        if await threads.control(control.authors.living) and await self._draft(action):
            message = f"No trusted author signed {action.nql_id}: sign it with `muster actions sign`."
            raise ActError("UNKNOWN_OR_DISABLED_REMOTE_ACTION", message)
        return action

    async def _draft(self, action: Action) -> bool:
        is_draft = self.serving.control.authors.is_draft
        return await self.serving.threads.control(is_draft, action.nql_id, action.version)

    async def _devices(self, caller: Caller, uids: Collection[str], live: Collection[str]) -> dict[str, list[str]]:
        """Those devices that can be targeted, by the site they belong to."""
        seen = sorted(set((await self.queries.identified(caller, uids)).values()))
        sites = await self.serving.threads.control(self.serving.control.enrolment.sites_of, seen)
        found: dict[str, list[str]] = {}
        for uid in seen:
            if (site := sites.get(uid)) in live and site is not None:
                found.setdefault(site, []).append(uid)
        return found

    async def _begin(
        self, caller: Caller, call: Call, action: Action, devices: list[str], sites: list[Site]
    ) -> Answers:
        inputs = {item.name for item in action.inputs}
        ask = AskRun(
            action=action.nql_id,
            target=Target(devices=devices),
            parameters={name: value for name, value in call.parameters.items() if name in inputs},
            external_source=SOURCE,
            external_reference=call.request,
            allow_draft=True,  # it was judged before
        )
        try:
            view, _ = await self.actions.begin(caller, ask, by_hand=True)
        except RefusedError as error:
            raise ActError("INVALID_REQUEST_CONTENT", f"The run was refused: {error}.") from None
        except ControlError as error:
            return {site.id: ("engine_error", str(error)) for site in sites}
        came = await self.serving.hand(view.run.id, sites, call.seconds or self.seconds)
        return {uid: (code.value, message) for uid, (code, message) in came.items()}


def _targeted(
    caller: Caller, named: Iterable[str] | None, standing: Iterable[tuple[Site, Standing]]
) -> tuple[Answers, dict[str, Site]]:
    """What can be said of the Engines at once, in the order in which they are named, and those that can be asked."""
    known = {site.id: (site, stands) for site, stands in standing}
    if named is None:
        named = [uid for uid, (site, _) in known.items() if sees(caller, site)]
    answers: Answers = {}
    live: dict[str, Site] = {}
    for text in named:
        uid = guid(text) or text
        if uid not in known:
            answers[text] = ("excluded", "There is no Engine of this databaseUid.")
            continue
        site, stands = known[uid]
        if not sees(caller, site):
            answers[uid] = ("no_permission", "You have no permission on this Engine.")
        elif stands is not Standing.CONNECTED:
            answers[uid] = ("not_connected", "No process serves this Engine now.")
        else:
            answers[uid] = ("ok", "")
            live[uid] = site
    if not answers:
        raise ActError("NO_ENGINES_TO_TARGET", "There is no Engine that you may target.")
    return answers, live
