"""The body of a call of the Act API: every kind of value in every field, and the code that it gets."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.classic.call import Call, guid, read
from portal.classic.errors import ActError

ACTION = "0197c3f0-1234-7000-8000-00000000000a"
DEVICE = "0197c3f0-1234-7000-8000-00000000000b"
CONTENT = "INVALID_REQUEST_CONTENT"
WHOLE: dict[str, Any] = {"remoteActionUid": ACTION, "deviceUids": [DEVICE]}


def call(**changes: Any) -> Call:
    return read(json.dumps(WHOLE | changes).encode(), 10)


def code(data: bytes | dict[str, Any]) -> str:
    body = data if isinstance(data, bytes) else json.dumps(WHOLE | data).encode()
    with pytest.raises(ActError) as caught:
        read(body, 10)
    assert str(caught.value)
    return caught.value.code


def test_a_whole_call() -> None:
    body = WHOLE | {
        "requestUid": "ticket 7",
        "engineDatabaseUids": ["b", "a"],
        "timeoutSeconds": 5,
        "params": {"path": "/tmp", "count": 3, "deep": True, "share": 0.5},
        "unknown": [1],
    }
    values = {"path": "/tmp", "count": "3", "deep": "true", "share": "0.5"}
    assert read(json.dumps(body).encode(), 10) == Call(ACTION, (DEVICE,), "ticket 7", ("b", "a"), 5, values)


def test_the_least_call() -> None:
    assert call() == Call(ACTION, (DEVICE,))
    nothing = dict.fromkeys(("requestUid", "engineDatabaseUids", "timeoutSeconds", "params"))
    assert call(**nothing) == Call(ACTION, (DEVICE,))


@pytest.mark.parametrize("change", [str.upper, str.lower, str.title, lambda name: name[0].upper() + name[1:]])
def test_keys_in_any_case(change: Any) -> None:
    body = WHOLE | {"timeoutSeconds": 7, "engineDatabaseUids": ["e"], "requestUid": "r", "params": {"Path": "x"}}
    expected = Call(ACTION, (DEVICE,), "r", ("e",), 7, {"Path": "x"})
    assert read(json.dumps({change(name): value for name, value in body.items()}).encode(), 10) == expected


SPELLINGS = (ACTION, ACTION.upper(), "{" + ACTION + "}", ACTION.replace("-", ""), f" {ACTION} ")


@pytest.mark.parametrize("text", [*SPELLINGS, "action_" + ACTION.replace("-", ""), "ACTION_" + ACTION.upper()])
def test_guids_in_every_spelling(text: str) -> None:
    assert call(remoteActionUid=text).action == ACTION
    if text in SPELLINGS:
        assert call(deviceUids=[text, ACTION]).devices == (ACTION,)


@pytest.mark.parametrize(
    "params", [{"a": "1", "b": "2"}, [{"name": "a", "value": "1"}, {"Name": "b", "VALUE": "2"}]], ids=["object", "list"]
)
def test_both_forms_of_params(params: Any) -> None:
    assert call(params=params).parameters == {"a": "1", "b": "2"}


KINDS: dict[str, Any] = {
    "null": None, "true": True, "number": 3, "text": "x", "empty": "", "list": [], "lists": [[1]], "object": {"a": {}},
}  # fmt: skip
FINE: dict[str, set[str]] = {
    "requestUid": {"null", "text", "empty"},
    "remoteActionUid": set(),
    "deviceUids": set(),
    "engineDatabaseUids": {"null", "list"},
    "timeoutSeconds": {"null", "number"},
    "params": {"null", "list"},
}
OTHER = {
    ("remoteActionUid", "null"): "NO_REMOTE_ACTION_UID",
    ("remoteActionUid", "empty"): "NO_REMOTE_ACTION_UID",
    ("remoteActionUid", "text"): "INVALID_ACTION_UID",
    ("deviceUids", "null"): "NO_DEVICES",
    ("deviceUids", "list"): "NO_DEVICES",
}


@pytest.mark.parametrize("name", FINE)
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_in_every_field(name: str, kind: str) -> None:
    if kind in FINE[name]:
        call(**{name: KINDS[kind]})
    else:
        assert code({name: KINDS[kind]}) == OTHER.get((name, kind), CONTENT)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "INVALID_REQUEST_JSON"),
        (b"{", "INVALID_REQUEST_JSON"),
        (b"NaN", "INVALID_REQUEST_JSON"),
        (b'{"timeoutSeconds": ' + b"9" * 5000 + b"}", "INVALID_REQUEST_JSON"),
        (b"[" * 100_000, "INVALID_REQUEST_JSON"),
        (b"\xff\xfe{\x00}\x00", "ENCODING"),
        (b'{"requestUid": "\xff"}', "ENCODING"),
        (b"null", CONTENT),
        (b"[]", CONTENT),
        (b'"x"', CONTENT),
        (b"{}", "NO_REMOTE_ACTION_UID"),
        (json.dumps({"remoteActionUid": ACTION}).encode(), "NO_DEVICES"),
        (b'{"params": {}, "Params": {}}', CONTENT),
        (b'{"deviceUids": [], "deviceUids": []}', CONTENT),
        ({"requestUid": "\ud800"}, CONTENT),
        ({"requestUid": "x" * 256}, CONTENT),
        ({"remoteActionUid": ACTION + "0"}, "INVALID_ACTION_UID"),
        ({"remoteActionUid": "{" + ACTION}, "INVALID_ACTION_UID"),
        ({"remoteActionUid": ACTION.replace("-", "", 1)}, "INVALID_ACTION_UID"),
        ({"deviceUids": [DEVICE, "pc-1"]}, "INVALID_DEVICE_UID"),
        ({"deviceUids": ["action_" + DEVICE]}, "INVALID_DEVICE_UID"),
        ({"deviceUids": [DEVICE, ""]}, "INVALID_DEVICE_UID"),
        ({"deviceUids": [DEVICE, None]}, CONTENT),
        ({"deviceUids": [DEVICE] * 11}, "TOO_MANY_DEVICES"),
        ({"engineDatabaseUids": [1]}, CONTENT),
        ({"engineDatabaseUids": ["x"] * 1001}, CONTENT),
        ({"timeoutSeconds": 0}, CONTENT),
        ({"timeoutSeconds": 601}, CONTENT),
        ({"timeoutSeconds": 1.5}, CONTENT),
        ({"timeoutSeconds": "60"}, CONTENT),
        ({"params": {"a": None}}, CONTENT),
        ({"params": {"a": "\0"}}, CONTENT),
        ({"params": [{"name": "a"}]}, CONTENT),
        ({"params": [{"name": 1, "value": "x"}]}, CONTENT),
        ({"params": [{"name": "a", "value": "x"}] * 2}, CONTENT),
    ],
)
def test_what_is_no_call(data: Any, expected: str) -> None:
    assert code(data) == expected


def test_a_mark_before_the_text_is_no_mistake() -> None:
    assert read(b"\xef\xbb\xbf" + json.dumps(WHOLE).encode(), 10) == Call(ACTION, (DEVICE,))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just(ACTION),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.slow
@settings(max_examples=80)
@given(st.dictionaries(st.sampled_from([*FINE, "DEVICEUIDS", "x"]), JSON))
def test_any_body_is_a_call_or_a_code(body: dict[str, Any]) -> None:
    with suppress(ActError):
        assert read(json.dumps(body).encode("utf-8", "surrogatepass"), 10).devices


@given(st.text(alphabet="0123456789abcdefABCDEF-{} ", max_size=40))
def test_a_guid_has_one_spelling(text: str) -> None:
    found = guid(text)
    assert found is None or guid(found) == found
