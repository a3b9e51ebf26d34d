"""Spark, which is not offered: its clients are told so.

In: a conversation to hand off. Out: a refusal. Invariant: nothing of the conversation is read.
"""

from __future__ import annotations

from portal.caller import Permission
from portal.errors import ApiError
from portal.modern.errors import Surface
from portal.modern.ways import Asked, Way


def listed() -> list[Way]:
    """The ways of this part."""
    return [Way("POST", "/api/v1/spark/handoff", Surface.SPARK, "spark", Permission.QUERY, _refuse)]


async def _refuse(asked: Asked) -> None:
    raise ApiError(404, "not_offered", "This portal has no assistant to hand a conversation to.")
