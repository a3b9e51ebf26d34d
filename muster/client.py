"""The client for programs and notebooks: ask, act, and read what came of it.

In: a portal's address; a token, or a credential's id and secret. Out: answers as frames, tables or records, runs, plain
records. Invariants: whatever the portal refuses is an exception of `muster.errors` with its code and the way out; a
portal that is too busy is asked again for a minute, without anything being done twice. Example:
`muster.connect("http://127.0.0.1:8080").query("devices | list name, entity").polars()`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from datetime import datetime
from types import TracebackType
from typing import Any, Literal
from uuid import uuid4

import polars as pl

from muster.answers import ARROW, MOST_PAGE, PAGE, Answer
from muster.api import DEFAULT_URL, Api
from muster.client_runs import ClientRuns, Preview, RemoteRun, Target, preview_of, target_of
from muster.errors import UsageError
from muster.following import column_values, follow
from muster.language import AtPortal, Language
from muster.named import Actions, Devices, SavedQueries, Schedules, nql_id
from muster.parameters import as_parameters
from muster.runs import Runs
from muster.signing_in import Credential, find_credential, find_token
from nql.api import Rules

Strict = Literal["nexthink"]
_TYPES: Mapping[str, pl.DataType] = {
    "int": pl.Int64(),
    "float": pl.Float64(),
    "percentage": pl.Float64(),
    "boolean": pl.Boolean(),
    "duration": pl.Duration("us"),
    "bytes": pl.Int64(),
    "string_array": pl.List(pl.String()),
}


def connect(url: str | None = None, token: str | None = None, *, credential: Credential | None = None) -> Client:
    """A client for the portal at `url`, else at MUSTER_URL, else on this machine.

    Who asks is said by an API token or by the id and secret of a credential (`muster credentials create NAME --allow
    muster`). Without either, the token of the environment is taken (MUSTER_TOKEN, MUSTER_TOKEN_FILE,
    `~/.config/muster/token`), else its credential (MUSTER_CREDENTIAL_ID, MUSTER_CREDENTIAL_SECRET). Over TLS the file
    of SSL_CERT_FILE is trusted, and HTTPS_PROXY is gone by. Raises UsageError, UnreachableError, and NotAllowedError
    for what opens nothing.
    """
    if token is None and credential is None:
        token = find_token()
        credential = None if token else find_credential()
    client = Client(Api(url or os.environ.get("MUSTER_URL") or DEFAULT_URL, token, credential=credential))
    try:
        client.whoami()
    except BaseException:
        client.close()
        raise
    return client


class Client:
    """One portal, as an account sees it. Use it as a context manager, or `close` it. A thread has one of its own."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._zone: str | None = None
        self.runs = ClientRuns(api)
        self.actions = Actions(api)
        self.devices = Devices(api)
        self.saved_queries = SavedQueries(api)
        self.schedules = Schedules(api)

    @property
    def url(self) -> str:
        """The portal's address."""
        return self._api.url

    def whoami(self) -> Mapping[str, Any]:
        """The account: `name`, `zone`, `permissions`."""
        account: Mapping[str, Any] = self._api.get("/session")["account"]
        self._zone = account["zone"]
        return account

    def query(
        self,
        text: str,
        /,
        *,
        zone: str | None = None,
        strict: Strict | None = None,
        now: datetime | None = None,
        page: int = PAGE,
        parameters: Mapping[str, Any] | None = None,
        **named: Any,
    ) -> Answer:
        """The answer to a query, of which the first `page` rows (at most 100,000) are fetched at once.

        `$name` in the text takes the value of the parameter of that name, given as an argument or in `parameters`;
        dates are read in `zone`, by default the account's; `now`, with its zone, is an instant that has been, at which
        the query is asked; `strict="nexthink"` refuses all that is not in NQL itself. Raises QueryFailedError with
        every diagnostic, and MusterError.
        """
        if not 1 <= page <= MOST_PAGE:
            raise UsageError(f"A page has 1 to {MOST_PAGE} rows.", "Give another page.", "bad_page")
        if now is not None and now.tzinfo is None:
            raise UsageError("now has no time zone.", "Give it one, such as datetime.UTC.", "bad_now")
        given = as_parameters({**(parameters or {}), **named}, lambda: zone or self._zone or "UTC")
        asked = {"parameters": given, "zone": zone, "strict": strict, "page": page}
        asked |= {"now": None if now is None else now.isoformat()}
        return Answer(self._api, self._api.answer(text, ARROW, **asked))

    def preview(self, target: Target) -> Preview:
        """The devices that a target means now: NQL, or uids of devices. Raises MusterError."""
        return preview_of(self._api.post("/runs/preview", {"target": target_of(target)}))

    def live(
        self, text: str, /, *, zone: str | None = None, strict: Strict | None = None, **parameters: Any
    ) -> Iterator[pl.DataFrame]:
        """The answer to a query, at most 10,000 rows of it, and again whenever it is another one, until the portal
        ends it. Options are those of `query`. Raises MusterError."""
        given = as_parameters(parameters, lambda: zone or self._zone or "UTC")
        for name, said in follow(self._api, text, {"parameters": given, "zone": zone, "strict": strict}):
            if name == "answer":
                yield _frame(said)

    @property
    def language(self) -> Language:
        """The language as this portal knows it: findings, completion, descriptions, layout."""
        return AtPortal(self._api, Rules())

    def explain(self, text: str, /, *, zone: str | None = None) -> str:
        """What a query asks, in plain English, a sentence a line. Raises QueryFailedError."""
        asked = {"text": text} | ({} if zone is None else {"zone": zone})
        return "\n".join(self._api.post("/nql/explain", asked, text=text)["sentences"])

    def run(
        self,
        action: str,
        target: Target,
        *,
        parameters: Mapping[str, Any] | None = None,
        expires_in: int = 3600,
        reason: str | None = None,
        plan: Mapping[str, Any] | None = None,
        at_most: int | None = None,
        allow_draft: bool = False,
        idempotency_key: str | None = None,
    ) -> RemoteRun:
        """Begin a run of an action on devices (their uids), or on those that an NQL text means now.

        Devices begin within `expires_in` seconds (60 to 2,592,000). With more devices than `at_most` nothing is begun.
        `plan` is that of docs/runs.md: waves, soak, gate, limits, retries and so on. The same `idempotency_key` gives
        the same run again. Raises MusterError.
        """
        values = as_parameters(parameters or {}, lambda: self._zone or "UTC")
        whole = dict(plan or {})
        if at_most is not None:
            whole["limits"] = {**whole.get("limits", {}), "devices": at_most}
        asked = {
            "action": nql_id(action),
            "target": target_of(target),
            "parameters": {name: str(value) for name, value in values.items()},
            "expires_in": expires_in,
            "reason": reason,
            "plan": whole,
            "allow_draft": allow_draft,
            "idempotency_key": idempotency_key or uuid4().hex,
        }
        runs = Runs(self._api)
        return RemoteRun(runs, runs.begin(asked))

    def close(self) -> None:
        """Let go of the connection."""
        self._api.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<muster.Client {self._api.url}>"


def _frame(answer: Mapping[str, Any]) -> pl.DataFrame:
    """An answer that came as JSON in the types that it has as Arrow."""
    made = []
    for at, column in enumerate(answer["columns"]):
        values, kind = column_values(answer, at), column["type"]
        if kind == "datetime":
            texts = pl.Series(column["name"], values, dtype=pl.String)
            made.append(texts.str.to_datetime("%Y-%m-%dT%H:%M:%S%.fZ", time_unit="us").dt.replace_time_zone("UTC"))
        elif kind == "bytes" and any(isinstance(value, float) for value in values):  # an average
            made.append(pl.Series(column["name"], values, dtype=pl.Float64, strict=False))
        else:
            made.append(pl.Series(column["name"], values, dtype=_TYPES.get(kind, pl.String()), strict=False))
    return pl.DataFrame(made)
