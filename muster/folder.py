"""A data folder that is opened here, without a server: its control database, and queries over it.

In: a folder. Out: the open `Control`, or the answer to a query in the form that a portal would send. Invariants: one
process at a time holds the tables, and who else holds them is told; the control database may be written beside a
running portal (SQLite sees to that); everything goes through the portal's own services, so that an answer is the same
with and without a server.
"""

from __future__ import annotations

import asyncio
import getpass
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from engine.formats import to_arrow, to_csv, to_json, to_parquet
from engine.result import Result
from muster.clock import now
from muster.errors import FolderHeldError, MusterError, QueryFailedError, RefusedError, UsageError
from muster.unfinished import check_restored
from nql.diagnostics import QueryError
from nql.rules import Rules
from portal.app import Portal, build
from portal.caller import EVERYTHING, Caller
from portal.errors import ApiError
from portal.queries.service import Answer
from portal.settings import Settings
from storage.control.accounts import Account
from storage.control.api import Control, open_control
from storage.control.errors import ControlError
from storage.tables.api import Corrupt, FormatTooNew, LakeAway, LockHeld, StoreError

WRITERS: Mapping[str, Callable[[Result], Any]] = {"csv": to_csv, "arrow": to_arrow, "parquet": to_parquet}
AWAY = "See that it answers, and that the environment has its address, region and credentials (AWS_...)."


def actor() -> str:
    """How the audit log names whoever works on the folder itself."""
    return f"local:{getpass.getuser()}"


@contextmanager
def control(data: Path, *, make: bool = False) -> Iterator[Control]:
    """The control database of a folder, made if `make`. Raises UsageError where there is none; what it refuses is a
    RefusedError."""
    settings = Settings(data)
    url = os.environ.get("MUSTER_CONTROL")
    if make:
        check_restored(data)
    elif url is None and not settings.control.is_file():
        raise UsageError(f"There is no data folder at {data}.", "`muster serve --data DIR` makes one.", "no_folder")
    opened = None
    try:
        opened = open_control(settings.control, now=now(), url=url)
        yield opened
    except ControlError as error:
        raise RefusedError(_sentence(str(error)), "", error.code, 0) from error
    finally:
        if opened is not None:
            opened.close()


def ask(
    data: Path,
    text: str,
    parameters: Mapping[str, Any],
    zone: str | None,
    limit: int,
    form: str,
    *,
    strict: bool = False,
) -> bytes:
    """The answer to a query over a folder that no server holds. Raises FolderHeldError, QueryFailedError,
    UsageError."""
    settings = Settings(data)
    if not settings.tables.is_dir():
        raise UsageError(
            f"There is no data folder at {data}.",
            "`muster serve --data DIR` or `muster estate` makes one.",
            "no_folder",
        )
    whole = form in WRITERS
    with opening(data, text):
        answer = asyncio.run(_ask(settings, text, parameters, zone, None if whole else limit, Rules(strict=strict)))
    if not whole:
        return msgspec.json.encode(to_json(answer.result, devices=answer.devices, elapsed_ms=answer.elapsed_ms))
    written = WRITERS[form](answer.result)
    return written if isinstance(written, bytes) else b"".join(written)


@contextmanager
def opening(data: Path, text: str = "") -> Iterator[None]:
    """Turns what can be wrong with a folder, or with a query over it, into words for people."""
    try:
        yield
    except LockHeld as error:
        raise held(error, data) from error
    except QueryError as error:
        raise QueryFailedError(text, error.diagnostics) from error
    except ApiError as error:
        raise MusterError(str(error), error.hint, error.code) from error
    except FormatTooNew as error:
        raise MusterError(
            _sentence(str(error)), "Use the newer release of Muster that wrote it.", "format_too_new"
        ) from error
    except Corrupt as error:
        raise MusterError(
            _sentence(str(error)), f"`muster doctor --data {data}` tells what is damaged.", "corrupt"
        ) from error
    except LakeAway as error:
        raise MusterError(_sentence(str(error)), AWAY, "lake_away") from error
    except StoreError as error:
        raise MusterError(_sentence(str(error)), "", "store") from error


def held(error: LockHeld, data: Path) -> FolderHeldError:
    """Who holds a folder, and since when."""
    holder = error.holder
    who = f"process {holder.pid} ({holder.program}), since {_local(holder.since)}" if holder.pid else "another process"
    hint = "Ask the portal that holds it with --url, or stop it first."
    return FolderHeldError(f"The data folder {data} is held by {who}.", hint, "folder_held")


async def _ask(
    settings: Settings, text: str, parameters: Mapping[str, Any], zone: str | None, limit: int | None, rules: Rules
) -> Answer:
    app = build(settings)
    async with app.router.lifespan_context(app):
        portal: Portal = app.state.portal
        caller = Caller(Account("", actor(), EVERYTHING, zone or portal.queries.zone, 0))
        return await portal.queries.ask(caller, text, parameters=parameters, zone=zone, limit=limit, rules=rules)


def _sentence(text: str) -> str:
    whole = text[:1].upper() + text[1:]
    return whole if whole.endswith(".") else f"{whole}."


def _local(micros: int) -> str:
    return datetime.fromtimestamp(micros / 1e6, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")
