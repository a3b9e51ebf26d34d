"""The client for programs and notebooks: ask, act, and read what came of it, with Polars frames.

In: a portal's address and a token. Out: frames and plain records. Invariants: a frame has the columns and types of
the answer (times in UTC, durations as durations, sizes in bytes); whatever the portal refuses is an exception of
`muster.errors` that says the way out. Example: `muster.connect("http://127.0.0.1:8080").query("devices | list name,
entity")`.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

import polars as pl

from muster.api import DEFAULT_URL, Api, find_token, segment
from muster.errors import UsageError
from muster.following import column_values, follow
from muster.language import AtPortal, Language
from muster.manifests import manifests
from muster.parameters import as_parameters
from muster.runs import Run, Runs
from nql.api import Rules

ARROW = "application/vnd.apache.arrow.stream"
_TYPES: Mapping[str, pl.DataType] = {
    "int": pl.Int64(),
    "float": pl.Float64(),
    "percentage": pl.Float64(),
    "boolean": pl.Boolean(),
    "duration": pl.Duration("us"),
    "bytes": pl.Int64(),
    "string_array": pl.List(pl.String()),
}


def connect(url: str = DEFAULT_URL, token: str | None = None) -> Client:
    """A client for the portal at `url`. Without a token, the one of the environment is taken (MUSTER_TOKEN, a token
    file).

    Raises UsageError, UnreachableError, and NotAllowedError for a token that opens nothing.
    """
    client = Client(Api(url, token or find_token()))
    try:
        client.whoami()
    except BaseException:
        client.close()
        raise
    return client


class Client:
    """One portal, as the account of a token sees it. Use it as a context manager, or `close` it."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._zone: str | None = None
        self.runs = ClientRuns(api)
        self.actions = Actions(api)

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
        self, text: str, /, *, zone: str | None = None, strict: Literal["nexthink"] | None = None, **parameters: Any
    ) -> pl.DataFrame:
        """The answer to a query. `$name` in the text takes the value of the parameter of that name; dates are read in
        `zone`, by default the account's; `strict="nexthink"` refuses all that is not in NQL itself. Raises
        QueryFailedError with every diagnostic."""
        given = as_parameters(parameters, lambda: zone or self._zone or "UTC")
        return pl.read_ipc_stream(io.BytesIO(self._api.query(text, ARROW, parameters=given, zone=zone, strict=strict)))

    def live(
        self, text: str, /, *, zone: str | None = None, strict: Literal["nexthink"] | None = None, **parameters: Any
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

    def run_action(
        self,
        action: str,
        *,
        devices: Iterable[str] | pl.Series | None = None,
        nql: str | None = None,
        parameters: Mapping[str, Any] | None = None,
        expires_in: int = 3600,
        reason: str | None = None,
        wait: bool = True,
        timeout: float | None = None,
    ) -> Run:
        """Run an action on devices (their uids), or on those that a query means now. With `wait`, returns when every
        device is done, or after `timeout` seconds as it then stands; `expires_in` seconds bound its start."""
        texts = {
            name: str(value) for name, value in as_parameters(parameters or {}, lambda: self._zone or "UTC").items()
        }
        asked = {
            "action": _nql_id(action),
            "target": target(devices, nql),
            "parameters": texts,
            "expires_in": expires_in,
        }
        run = self.runs.begin(asked | ({} if reason is None else {"reason": reason}))
        return self.runs.wait(run.id, timeout=timeout) if wait else run

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


class ClientRuns(Runs):
    """The runs of a portal, with their executions as frames."""

    def executions(self, run: Run | str) -> pl.DataFrame:
        """Every execution of a run: a row a device, its outputs as columns `outputs.<name>`."""
        rows = []
        for item in self.records(run if isinstance(run, str) else run.id):
            device = {"device.uid": item["device"]["uid"], "device.name": item["device"]["name"]}
            facts = {
                name: item[name] for name in ("state", "detail", "started_at", "finished_at", "exit_code", "error")
            }
            outputs = {f"outputs.{name}": value for name, value in item["outputs"].items()}
            rows.append(device | {"device.simulated": item["device"]["simulated"]} | facts | outputs)
        names = list(dict.fromkeys(name for row in rows for name in row))
        return pl.DataFrame([{name: row.get(name) for name in names} for row in rows], infer_schema_length=None)


class Actions:
    """The remote actions that are defined."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def list(self) -> pl.DataFrame:
        """All actions: their ids, names, inputs and outputs."""
        found = self._api.get("/actions")["actions"]
        rows = [
            {name: item[name] for name in ("nql_id", "name", "description", "platforms", "number", "updated_at")}
            | {"inputs": [one["name"] for one in item["inputs"]], "outputs": [one["name"] for one in item["outputs"]]}
            for item in found
        ]
        return pl.DataFrame(rows, infer_schema_length=None)

    def get(self, action: str) -> Mapping[str, Any]:
        """One action with its scripts."""
        found: Mapping[str, Any] = self._api.get(f"/actions/{segment(_nql_id(action))}")["action"]
        return found

    def apply(self, path: str | Path) -> Sequence[str]:
        """Define the actions of a folder or manifest file; the ids of all that were sent."""
        return [self._api.post("/actions", manifest)["action"]["nql_id"] for manifest in manifests(Path(path))]


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


def target(devices: Iterable[str] | pl.Series | None, nql: str | None) -> dict[str, Any]:
    """What a run is for, as the portal takes it. Raises UsageError unless exactly one is given."""
    if (devices is None) == (nql is None):
        raise UsageError(
            "A run needs either devices or an NQL text.", "Give devices=[...] or nql='devices | ...'.", "bad_target"
        )
    if nql is not None:
        return {"nql": nql}
    uids = [devices] if isinstance(devices, str) else [] if devices is None else list(devices)
    return {"devices": list(dict.fromkeys(map(str, uids)))}


def _nql_id(action: str) -> str:
    return action if action.startswith("#") else f"#{action}"
