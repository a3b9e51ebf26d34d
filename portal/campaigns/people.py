"""People by the names that others know them by: SID, the key of `user.users`, or the account's name.

In: texts, a caller. Out: for each text the one user that it names, or why there is none. Invariants: a user whom the
caller does not see is as unknown as one who is not there; a text that several users share names none of them, since a
question must not come before the wrong eyes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from nql.rules import DEFAULT
from portal.caller import Caller
from portal.clock import elapsed
from portal.queries.admission import Purpose
from portal.queries.service import Queries, Wanted

FIELDS = ("sid", "uid", "name")  # in the order in which they are looked at
QUERY = "users | where sid in $people or uid in $people or name in $people | list sid, uid, name"
MOST_FOUND = 100_000
UNKNOWN = "The user is not known."
AMBIGUOUS = "Several users go by this; name the user by the uid of user.users."


@dataclass(frozen=True, slots=True)
class Named:
    """What a text names: the key of a user, or why none."""

    person: str | None
    message: str = ""


async def named(queries: Queries, caller: Caller, texts: Collection[str]) -> dict[str, Named]:
    """What each text names."""
    wanted = sorted({text for text in texts if not {"*", "?"} & set(text)})  # those would be wildcards
    known = await _known(queries, caller, wanted) if wanted else {}
    return {text: _one(known, text) for text in texts}


async def seen(queries: Queries, caller: Caller, people: Collection[str]) -> frozenset[str]:
    """Those of some people, by key, whom a caller sees; all of them for who sees everything."""
    if caller.domain is None or not people:
        return frozenset(people)
    known = await _known(queries, caller, sorted(set(people)))
    return frozenset(person for person in people if ("uid", person.casefold()) in known)


async def _known(queries: Queries, caller: Caller, texts: list[str]) -> Mapping[tuple[str, str], set[str]]:
    asked = await queries.understood(caller, QUERY, {"people": texts}, queries.zone, DEFAULT)
    table = (await queries.answered(asked, Wanted(MOST_FOUND), Purpose.INTERACTIVE, elapsed())).result.table
    found: dict[tuple[str, str], set[str]] = defaultdict(set)
    columns = [table.column(place).to_pylist() for place in range(len(FIELDS))]
    for row in zip(*columns, strict=True):
        for field, text in zip(FIELDS, row, strict=True):
            if text:
                found[field, text.casefold()].add(row[FIELDS.index("uid")])
    return found


def _one(known: Mapping[tuple[str, str], set[str]], text: str) -> Named:
    for field in FIELDS:
        people = known.get((field, text.casefold()), set())
        if len(people) == 1:
            return Named(next(iter(people)))
        if people:
            return Named(None, AMBIGUOUS)
    return Named(None, UNKNOWN)
