"""The HTTP interface as calls: words of the portal become exceptions, and a token stays where it belongs.

Comes in: answers of a made-up portal, by httpx's own transport for tests. Goes out: nothing. Invariant held here: a
token never leaves for another address, nor unencrypted over a network.
"""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from muster.api import Api, segment
from muster.errors import MusterError, NotAllowedError, QueryFailedError, RefusedError, UnreachableError, UsageError
from muster.signing_in import CredentialToken, find_credential, find_token

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


def answers(*given: httpx.Response, patience: float = 60.0) -> tuple[Api, list[httpx.Request], list[float]]:
    """A portal that answers so, one after the other; what it was sent, and how long the client waited."""
    left, seen = list(given), list[httpx.Request]()
    waits: list[float] = []

    def handle(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return left.pop(0)

    transport = httpx.MockTransport(handle)
    return Api(URL, "secret", patience=patience, transport=transport, sleep=waits.append), seen, waits


def busy(status: int, **headers: str) -> httpx.Response:
    said = {"error": {"code": "busy", "message": "Later.", "hint": ""}}
    return httpx.Response(status, json=said, headers=headers)


def test_a_busy_portal_is_asked_again_when_it_says() -> None:
    portal, seen, waits = answers(busy(429, **{"Retry-After": "7"}), busy(503), httpx.Response(200, json={"n": 1}))
    assert portal.get("/runs") == {"n": 1}
    assert (len(seen), waits) == (3, [7.0, 1.0])


def test_patience_ends() -> None:
    portal, seen, waits = answers(busy(429, **{"Retry-After": "61"}))
    with pytest.raises(RefusedError):
        portal.get("/runs")
    assert (len(seen), waits) == (1, [])
    portal, seen, waits = answers(*[busy(503)] * 50)
    with pytest.raises(RefusedError):
        portal.get("/runs")
    assert sum(waits) <= 60.0 < sum(waits) + 8.0


def test_nothing_is_begun_twice() -> None:
    portal, seen, _ = answers(busy(503))
    with pytest.raises(RefusedError):
        portal.post("/runs", {"action": "#a"})
    assert len(seen) == 1
    begun = httpx.Response(201, json={"run": 1})
    for body, path in (({"idempotency_key": "k"}, "/runs"), ({"target": {}}, "/runs/preview")):
        portal, seen, _ = answers(busy(503), begun)
        assert portal.post(path, body) == {"run": 1}
        assert [one.content for one in seen] == [seen[0].content] * 2
    portal, seen, _ = answers(busy(429), begun)  # which says that nothing was done
    assert portal.post("/runs", {"action": "#a"}) == {"run": 1}


def test_a_stream_tells_where_it_is() -> None:
    seen: list[httpx.Request] = []
    body = 'id: 7\nevent: run\ndata: {"a": 1}\n\nid: 9\nevent: run\ndata: {'
    with api(httpx.Response(200, text=body), seen).events("/runs/1/events", after="5") as events:
        assert events.last == "5"
        assert list(events) == [("run", {"a": 1})]
        assert events.last == "7"
    assert seen[0].headers["last-event-id"] == "5"


def token(text: str, seconds: int = 900) -> httpx.Response:
    return httpx.Response(200, json={"access_token": text, "expires_in": seconds, "token_type": "Bearer"})


def signed(*given: httpx.Response) -> tuple[Api, list[tuple[str, str, bytes]]]:
    """A portal that answers so; of what it was sent the method and address, the authorization and the body."""
    left, seen = list(given), list[tuple[str, str, bytes]]()

    def handle(request: httpx.Request) -> httpx.Response:
        seen.append((f"{request.method} {request.url.path}", request.headers["authorization"], request.content))
        return left.pop(0)

    return Api(URL, credential=("id", "secret"), transport=httpx.MockTransport(handle)), seen


def test_a_credential_has_short_tokens() -> None:
    fine = httpx.Response(200, json={"n": 1})
    portal, seen = signed(token("one"), fine, fine, httpx.Response(401), token("two"), fine, fine)
    for _ in range(4):
        assert portal.get("/runs") == {"n": 1}
    carried = [authorization for what, authorization, _ in seen if what.startswith("GET")]
    assert carried == ["Bearer one", "Bearer one", "Bearer one", "Bearer two", "Bearer two"]
    asking = [one for one in seen if one[0] == "POST /oauth2/default/v1/token"]
    assert len(asking) == 2
    assert asking[0][1].startswith("Basic ")
    assert b"grant_type=client_credentials" in asking[0][2]


def test_a_token_is_taken_anew_before_it_ends() -> None:
    now = [0.0]
    signing = CredentialToken(URL, ("id", "secret"), lambda: now[0])
    tokens = iter([token("one"), token("two")])

    def handle(request: httpx.Request) -> httpx.Response:
        return next(tokens) if request.method == "POST" else httpx.Response(200, text=bearer(request))

    def bearer(request: httpx.Request) -> str:
        return str(request.headers["authorization"])

    with httpx.Client(transport=httpx.MockTransport(handle), auth=signing) as client:
        said = []
        for seconds in (0.0, 839.0, 1.0):
            now[0] += seconds
            said.append(client.get(URL).text)
    assert said == ["Bearer one", "Bearer one", "Bearer two"]


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (httpx.Response(401, json={"error": "invalid_client"}), NotAllowedError),
        (httpx.Response(429, headers={"Retry-After": "9"}), RefusedError),
        (httpx.Response(200, text="<html>"), RefusedError),
    ],
)
def test_a_credential_that_is_not_taken(answer: httpx.Response, kind: type[MusterError]) -> None:
    portal, seen = signed(answer)
    with pytest.raises(kind):
        portal.get("/runs")
    assert len(seen) == 1


def test_the_credential_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MUSTER_CREDENTIAL_ID", raising=False)
    monkeypatch.delenv("MUSTER_CREDENTIAL_SECRET", raising=False)
    assert find_credential() is None
    monkeypatch.setenv("MUSTER_CREDENTIAL_ID", "id")
    with pytest.raises(UsageError, match="missing"):
        find_credential()
    monkeypatch.setenv("MUSTER_CREDENTIAL_SECRET", "secret")
    assert find_credential() == ("id", "secret")
    with pytest.raises(UsageError, match="unencrypted"):
        Api("http://portal.example", credential=("id", "secret"))
