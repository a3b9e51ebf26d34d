"""View domains at work: the plan of a caller's domain, and the question of a caller who sees a part of the estate.

In: a caller, a plan, the catalog in force. Out: a plan for what the caller sees; devices that it sees. Invariants: a
domain's dates are those of the instance zone, so that no reader can move them; a domain that means nothing (any more)
shows nothing: it is an error, never the whole estate.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import cached_property

import polars as pl

from engine.lazyframe.relations import DEVICE, translate
from engine.rewrites import DEVICES, restrict
from engine.source import Source
from nql import api as nql
from nql.catalog.model import Catalog
from nql.diagnostics import QueryError
from nql.plan.plan import ResolvedPlan
from portal.caller import Caller
from portal.errors import ApiError


class Domain:
    """The view domain of one caller at one instant. What it means is found out when it is first needed, in the thread
    that needs it; then ApiError 403 is raised for one that cannot be understood now."""

    def __init__(self, caller: Caller, catalog: Catalog, *, now: int, zone: str) -> None:
        self._condition = caller.domain
        self._catalog = catalog
        self._context = nql.Context(now, zone, zone, {})

    @property
    def whole(self) -> bool:
        """Whether everything is seen."""
        return self._condition is None

    @cached_property
    def _plan(self) -> ResolvedPlan | None:
        if self._condition is None:
            return None
        try:
            return nql.resolve(nql.compile_domain(self._condition, self._catalog), self._context)
        except QueryError:
            raise ApiError(
                403,
                "broken_domain",
                "The view domain of your role does not mean anything any more.",
                "Ask an administrator to mend the role.",
            ) from None

    def bound(self, plan: ResolvedPlan) -> ResolvedPlan:
        """The plan for what is seen."""
        return plan if self._plan is None else restrict(plan, self._plan, self._catalog)

    def among(self, devices: pl.LazyFrame, source: Source) -> pl.LazyFrame:
        """Those rows of devices, with their `uid`, that are seen."""
        if self._plan is None:
            return devices
        seen = translate(self._plan, source).select(pl.col(DEVICE).alias("uid"))
        return devices.join(seen, on="uid", how="semi")

    def every(self, source: Source) -> frozenset[str]:
        """All devices that are seen."""
        devices = source.scan(DEVICES, ["uid"])
        return frozenset(self.among(devices, source).collect()["uid"].drop_nulls().to_list())

    def visible(self, uids: Collection[str], source: Source) -> frozenset[str]:
        """Those of some devices that are seen."""
        if self._plan is None:
            return frozenset(uids)
        asked = pl.LazyFrame({"uid": list(uids)}, schema={"uid": pl.String()})
        return frozenset(self.among(asked, source).collect()["uid"].to_list())


def check_domain(condition: str, catalog: Catalog, *, now: int, zone: str) -> None:
    """Raises QueryError for a condition that is no view domain, with spans inside it."""
    nql.resolve(nql.compile_domain(condition, catalog), nql.Context(now, zone, zone, {}))
