"""`/healthz`, `/metrics`, and the OpenAPI document.

In: nothing of a request. Out: whether both stores answer; figures; the document. Invariant: open to everyone, so they
tell no name, no path and no data; being asked often costs little.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from portal.endpoints import Asked, Endpoint
from portal.metrics import Metrics
from portal.nudges import Nudges
from portal.scrub import Scrubbing
from portal.threads import Threads
from storage.control.api import Control
from storage.control.errors import ControlError
from storage.tables.api import StoreError, Tables

log = structlog.get_logger("health")


def routes(
    control: Control, tables: Tables, threads: Threads, nudges: Nudges, metrics: Metrics, scrubbing: Scrubbing
) -> list[Route]:
    """The routes beside the API."""

    async def healthz(_request: Request) -> Response:
        checks = {"control": "ok", "tables": "ok"}
        try:
            await threads.control(control.check)
        except ControlError as error:
            checks["control"] = error.code
        try:
            await tables.snapshot()
        except StoreError as error:
            log.warning("tables_unwell", reason=str(error))
            checks["tables"] = "unavailable"
        well = set(checks.values()) == {"ok"}
        status = "ok" if well else "unwell"
        if scrubbing.damaged:  # some days have no answer; all else goes on, so the portal stays in service
            checks["files"] = "damaged"
            status = "damaged" if well else status
        if tables.lake is not None and tables.lake.problem:  # days that lie only there have no answer
            checks["lake"] = "behind"
            status = "behind" if status == "ok" else status
        return JSONResponse({"status": status, "checks": checks}, 200 if well else 503)

    async def figures(_request: Request) -> Response:
        counts = await threads.control(control.executions.open_counts)
        text, media = metrics.text(counts, len(nudges.devices), tables.lake)
        return Response(text, headers={"Content-Type": media})

    return [Route("/healthz", healthz), Route("/metrics", figures)]


def endpoints(document: Callable[[], Mapping[str, Any]]) -> list[Endpoint]:
    """The description of the API, which is made when first asked for."""

    async def openapi(_asked: Asked) -> Response:
        return JSONResponse(document())

    return [Endpoint("GET", "/openapi.json", openapi, "This document.", open=True, media=("application/json",))]
