"""Says who asks, once that is known: to the access log, and to the audit log of what is changed on the way.

In: a request and its caller. Out: nothing. Invariant: every road on which a caller becomes known says so here.
"""

from __future__ import annotations

from starlette.requests import Request

from portal.caller import Caller
from storage.control.origin import Origin, begin


def note(request: Request, caller: Caller) -> None:
    """This is who asks."""
    request.scope["muster.account"] = caller.name
    request.scope["muster.credential"] = caller.credential
    begin(Origin(caller.actor, request.scope["muster.request"], caller.credential))
