"""All routes of the interfaces that other people's clients speak.

In: what the portal has. Out: Starlette routes. Invariant: what is listed here works; what is not offered is not here,
but for the one that its clients expect to be refused.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from starlette.requests import Request
from starlette.routing import Route

from portal.actions.service import Actions
from portal.campaigns.service import Campaigns
from portal.endpoints import Refused
from portal.erasure.service import Erasing
from portal.modern import act, campaigns, deletions, enrichment, nql, spark, token, ways, workflows
from portal.modern.asking import Asking
from portal.modern.exports import Exports
from portal.modern.tokens import AccessTokens
from portal.modern.ways import Gate, Way
from portal.queries.catalogs import Catalogs
from portal.queries.service import Queries
from portal.threads import Threads
from portal.workflows.service import Workflows
from storage.control.api import Control
from storage.control.key_ring import KeyRing
from storage.tables.api import Tables


@dataclass(frozen=True, slots=True)
class Parts:
    """What these interfaces are made of."""

    control: Control
    tables: Tables
    catalogs: Catalogs
    queries: Queries
    actions: Actions
    campaigns: Campaigns
    workflows: Workflows
    exports: Exports
    erasing: Erasing
    keys: KeyRing
    threads: Threads
    clock: Callable[[], int]
    refused: Refused
    public_url: str | None
    secure: bool

    def base(self, request: Request) -> str:
        """The address of the portal for whoever asks, without a slash at its end: the one that is configured, or the
        one that this request was for."""
        if self.public_url is not None:
            return self.public_url.rstrip("/")
        return f"{'https' if self.secure else 'http'}://{request.headers['host']}"


def listed(p: Parts) -> list[Way]:
    """Every way but that of tokens, and of files."""
    asking = Asking(p.control, p.queries, p.threads)
    return [
        *act.listed(p.actions, p.queries, p.control, p.threads),
        *nql.listed(asking, p.queries, p.threads, p.exports, p.base),
        *enrichment.listed(enrichment.Parts(p.tables, p.control, p.queries, p.catalogs, p.threads, p.clock)),
        *campaigns.listed(p.campaigns),
        *workflows.listed(p.workflows, p.queries),
        *deletions.listed(p.erasing),
        *spark.listed(),
    ]


def routes(parts: Parts) -> list[Route]:
    """The routes."""
    tokens = AccessTokens(parts.keys)
    gate = Gate(parts.control, parts.threads, tokens, parts.clock, parts.refused)
    return [
        *token.routes(parts.control, parts.threads, tokens, parts.clock),
        nql.files(parts.exports),
        *ways.routes(listed(parts), gate),
    ]
