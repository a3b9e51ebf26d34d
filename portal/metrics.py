"""Figures for Prometheus, in a registry of our own.

In: calls at the places where something happens. Out: the text of `/metrics`. Invariant: labels come from short lists
of ours (routes, codes, reasons, states), never from what a request says, so that nobody can make figures without
bound.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from portal.clock import elapsed
from storage.tables.api import LakeState

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
REASONS = 100  # kinds of refusals that are told apart


class Metrics:
    """All figures of one portal."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        own = self.registry
        self._requests = Counter(
            "muster_http_requests", "Requests answered.", ["route", "method", "status"], registry=own
        )
        self._seconds = Histogram(
            "muster_http_request_seconds", "Time to answer.", ["route", "method"], buckets=BUCKETS, registry=own
        )
        self._queries = Counter("muster_queries", "Queries by outcome.", ["outcome"], registry=own)
        self._query_seconds = Histogram("muster_query_seconds", "Time a query took.", buckets=BUCKETS, registry=own)
        self._rows = Counter("muster_ingest_rows", "Rows stored.", ["writer"], registry=own)
        self._refused = Counter("muster_refused_messages", "Messages refused.", ["reason"], registry=own)
        self._executions = Gauge(
            "muster_executions", "Executions that are not final, by state.", ["state"], registry=own
        )
        self._connected = Gauge("muster_connected_devices", "Devices with an open connection.", registry=own)
        self._lake = Gauge("muster_lake_files", "Files of closed days in the lake.", ["is"], registry=own)
        self._lake_here = Gauge("muster_lake_bytes_here", "Bytes of closed days in the folder.", registry=own)
        self._lake_behind = Gauge("muster_lake_behind", "1 while the lake cannot follow.", registry=own)
        self._reasons: set[str] = set()

    def request(self, route: str, method: str, status: int, seconds: float) -> None:
        """A request was answered. `route` is the pattern of its path."""
        self._requests.labels(route, method, str(status)).inc()
        self._seconds.labels(route, method).observe(seconds)

    @contextmanager
    def query(self) -> Iterator[None]:
        """Count and time a query."""
        began, outcome = elapsed(), "failed"
        try:
            yield
            outcome = "answered"
        finally:
            self._queries.labels(outcome).inc()
            self._query_seconds.observe(elapsed() - began)

    def rows(self, writer: str, count: int) -> None:
        """Rows were stored; `writer` is agent, portal or import."""
        self._rows.labels(writer).inc(count)

    def refused(self, reason: str) -> None:
        """A message was refused; `reason` is a short code of ours."""
        if reason not in self._reasons and len(self._reasons) >= REASONS:
            reason = "other"
        self._reasons.add(reason)
        self._refused.labels(reason).inc()

    def text(self, executions: Mapping[str, int], connected: int, lake: LakeState | None = None) -> tuple[bytes, str]:
        """All figures as Prometheus reads them, and their media type."""
        if lake is not None:
            self._lake.labels("there").set(lake.files)
            self._lake.labels("waiting").set(lake.waiting)
            self._lake_here.set(lake.bytes_here)
            self._lake_behind.set(bool(lake.problem))
        for state, count in executions.items():
            self._executions.labels(state).set(count)
        self._connected.set(connected)
        return generate_latest(self.registry), CONTENT_TYPE_LATEST
