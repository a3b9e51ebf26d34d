"""Generated requests to the surfaces of other people's clients: whatever comes, the answer is one of the surface.

Comes in: bodies made of the names that a route's type has, with values that may be right, nearly right, or anything.
Goes out: nothing. Invariant: no status of 500 or above but those that say to come again; the examples are the same in
every run.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.contracts import bodies
from tests.contracts.conftest import FORM, World
from tests.contracts.surfaces import ActBody, Target, hold

pytestmark = pytest.mark.slow
EXAMPLES = 75
WORDS = st.sampled_from(
    ["#clear_cache", "#named", "#nothing", "pc-1", "name", "path", "device/device/name", "device/device/uid", "cmdb",
     "device/device/configuration_tag", "S-1-5-21-1", "NONE", "2026-01-01T00:00:00Z", "0", "-1", "$name", "'", '"']
)  # fmt: skip
TEXTS = st.one_of(WORDS, st.text(max_size=20), st.uuids().map(str))
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(), TEXTS)
NXQL = st.one_of(
    st.sampled_from(
        ["(select (name) (from device))", "(select (name) (from device (where device (eq name (string %1)))))",
         "(update (set #x (enum a)) (from device))", "(select (nothing) (from device))", "(select", "(", ""]
    ),
    st.text(alphabet="()selctfromdvinawhu #%\"1", max_size=60),
)  # fmt: skip


def values(names: list[str], uids: list[str]) -> st.SearchStrategy[Any]:
    """JSON values whose objects have names of a type now and then."""
    keys = st.one_of(st.sampled_from(names), st.text(max_size=8))
    scalars = st.one_of(SCALARS, st.sampled_from(uids))
    return st.recursive(
        scalars, lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(keys, inner, max_size=6)),
        max_leaves=12,
    )  # fmt: skip


def spellings(uid: str) -> list[str]:
    """A GUID as people write it."""
    whole = UUID(uid)
    return [str(whole), str(whole).upper(), whole.hex, f"{{{whole}}}", f"action_{whole.hex}", whole.urn, f" {whole}\t"]


def body(target: Target, uids: list[str]) -> st.SearchStrategy[bytes]:
    """A body that fits in some of its places."""
    good = bodies.sample(target.form)
    names = sorted(bodies.words(target.form)) or ["x"]
    anything = values(names, uids)
    places = list(bodies.places(good))
    near = st.lists(st.tuples(st.sampled_from(places), anything), min_size=1, max_size=5) if places else st.just([])

    def put(changes: list[tuple[tuple[Any, ...], Any]]) -> Any:
        whole = good
        for place, value in changes:
            try:
                whole = bodies.changed(whole, place, value)
            except (KeyError, IndexError, TypeError):
                continue  # another change took that place away
        return whole

    return st.one_of(near.map(put), near.map(put), anything).map(lambda value: json.dumps(value).encode())


def test_bodies(world: World) -> None:
    uids = spellings(world.device.uid) + spellings(world.device.collector_uid)
    targets = [target for target in world.taking if target.surface != "own"]
    assert any(target.form is ActBody for target in targets)
    drawn = st.one_of([st.tuples(st.just(target), body(target, uids)) for target in targets])

    @settings(max_examples=EXAMPLES * len(targets) // 3)
    @given(drawn)
    def asked(pair: tuple[Target, bytes]) -> None:
        target, content = pair
        hold(target, world.run(world.ask(target, content)), world.secrets)

    asked()


def test_query_parameters(world: World) -> None:
    reading = [target for target in world.listed if target.method == "GET" and target.surface != "own"]
    names = ["query", "format", "hr", "platform", "p1", "p2", "nql-id", "nqlId", "queryId", "compression", "parameters",
             "parameters[name]", "dependency", "triggerMethod"]  # fmt: skip
    pairs = st.lists(st.tuples(st.sampled_from(names), st.one_of(TEXTS, NXQL)), max_size=6)

    @settings(max_examples=EXAMPLES)
    @given(st.sampled_from(reading), NXQL, pairs)
    def asked(target: Target, query: str, more: list[tuple[str, str]]) -> None:
        given_ = [("query", query), *more] if target.surface == "nxql" else more
        answer = world.run(world.ask(target, params=given_))  # as a client packs them
        hold(target, answer, world.secrets)

    asked()


def test_forms(world: World) -> None:
    [nxql] = [target for target in world.listed if str(target) == "POST /2/query"]
    token = next(target for target in world.listed if target.surface == "token")
    names = ["query", "format", "hr", "p1", "grant_type", "scope", "client_id", "client_secret"]
    pairs = st.lists(st.tuples(st.sampled_from(names), st.one_of(TEXTS, NXQL)), max_size=6)
    written = pairs.map(lambda some: urlencode(some, errors="surrogatepass").encode())

    @settings(max_examples=EXAMPLES)
    @given(st.sampled_from([nxql, token]), st.one_of(written, st.binary(max_size=40)))
    def asked(target: Target, content: bytes) -> None:
        headers = world.headers(target) if target is nxql else {}
        hold(target, world.run(world.ask(target, content, headers | FORM)), world.secrets)

    asked()
