"""The HTTP interface as calls: words of the portal become exceptions, and a token stays where it belongs.

Comes in: answers of a made-up portal, by httpx's own transport for tests. Goes out: nothing. Invariant held here: a
token never leaves for another address, nor unencrypted over a network.
"""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from muster.api import Api, find_token, segment
from muster.errors import MusterError, NotAllowedError, QueryFailedError, RefusedError, UnreachableError, UsageError

URL = "http://127.0.0.1:1"
SPAN = {"start": 10, "end": 13}


def api(answer: httpx.Response | Exception, seen: list[httpx.Request] | None = None) -> Api:
    def handle(request: httpx.Request) -> httpx.Response:
        if seen is not None:
            seen.append(request)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return Api(URL, "secret", transport=httpx.MockTransport(handle))


def error(status: int, code: str, **more: Any) -> httpx.Response:
    return httpx.Response(status, json={"error": {"code": code, "message": "It is so.", "hint": "Do this.", **more}})


def test_a_call_carries_the_token_below_the_interface() -> None:
    seen: list[httpx.Request] = []
    assert api(httpx.Response(200, json={"runs": []}), seen).get("/runs", limit=5) == {"runs": []}
    assert str(seen[0].url) == f"{URL}/api/muster/v1/runs?limit=5"
    assert seen[0].headers["authorization"] == "Bearer secret"


@pytest.mark.parametrize(
    ("status", "kind"), [(401, NotAllowedError), (403, NotAllowedError), (404, RefusedError), (507, RefusedError)]
)
def test_refusals_keep_the_portals_words(status: int, kind: type[MusterError]) -> None:
    with pytest.raises(kind) as caught:
        api(error(status, "some_code")).get("/runs")
    assert (caught.value.message, caught.value.hint, caught.value.code) == ("It is so.", "Do this.", "some_code")


def test_diagnostics_stand_under_carets() -> None:
    found = {
        "code": "NQL201",
        "severity": "error",
        "message": "No field nam.",
        "hint": "Do you mean name?",
        "span": SPAN,
    }
    fix = {"title": "Replace with name", "span": SPAN, "replacement": "name"}
    with pytest.raises(QueryFailedError) as caught:
        api(error(400, "query", diagnostics=[{**found, "fixes": [fix]}])).query("devices | nam", "text/csv")
    assert "  devices | nam\n            ^^^" in str(caught.value)
    assert caught.value.diagnostics[0].fixes[0].replacement == "name"


@pytest.mark.parametrize(
    "answer", [httpx.Response(502, text="<html>"), httpx.Response(302, headers={"location": "http://x"})]
)
def test_what_is_no_portal_is_said(answer: httpx.Response) -> None:
    with pytest.raises(RefusedError, match="The answer was"):
        api(answer).get("/runs")


def test_json_that_is_none_is_said() -> None:
    with pytest.raises(MusterError, match="no portal of Muster"):
        api(httpx.Response(200, text="<html>")).get("/runs")


@pytest.mark.parametrize("wrong", [httpx.ConnectError("refused"), httpx.ReadTimeout("slow"), httpx.ReadError("broke")])
def test_a_portal_that_is_not_there(wrong: Exception) -> None:
    with pytest.raises(UnreachableError):
        api(wrong).get("/runs")


@pytest.mark.parametrize(
    "url", ["", "ftp://x", "http://", "http://user:pass@x", "127.0.0.1:8080", "http://x:99999", "http://x/?a=b"]
)
def test_addresses_that_cannot_be(url: str) -> None:
    with pytest.raises(UsageError):
        Api(url)


def test_a_token_is_not_sent_unencrypted_over_a_network() -> None:
    with pytest.raises(UsageError, match="unencrypted"):
        Api("http://portal.example", "secret")
    Api("http://portal.example").close()
    Api("https://portal.example", "secret").close()
    Api("http://[::1]:8080", "secret").close()


def test_events_are_read_and_signs_of_life_are_told() -> None:
    body = 'event: run\ndata: {"a": 1}\n\n: still here\n\nevent: done\ndata: {"a": 2}\n\n'
    with api(httpx.Response(200, text=body)).events("/runs/1/events") as events:
        assert list(events) == [("run", {"a": 1}), ("", None), ("done", {"a": 2})]


def test_the_token_of_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("MUSTER_TOKEN", raising=False)
    monkeypatch.delenv("MUSTER_TOKEN_FILE", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert find_token() is None
    (tmp_path / "muster").mkdir()
    (tmp_path / "muster" / "token").write_text("of the file\n")
    assert find_token() == "of the file"
    monkeypatch.setenv("MUSTER_TOKEN", "of the environment")
    assert find_token() == "of the environment"
    with pytest.raises(UsageError, match="cannot be read"):
        find_token(tmp_path / "missing")


def test_a_segment_of_a_path_is_one_segment() -> None:
    assert segment("#a/../b?c") == "%23a%2F..%2Fb%3Fc"


def test_who_interrupts_a_query_has_it_cancelled() -> None:
    seen: list[httpx.Request] = []

    def handle(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        if request.method == "POST":
            raise KeyboardInterrupt
        return httpx.Response(404, json={"error": {"code": "not_running", "message": "It ended.", "hint": ""}})

    with pytest.raises(KeyboardInterrupt):
        Api(URL, transport=httpx.MockTransport(handle)).query("devices", "text/csv")
    identifier = json.loads(seen[0].content)["id"]
    assert [(one.method, one.url.path) for one in seen[1:]] == [("DELETE", f"/api/muster/v1/queries/{identifier}")]
