"""The whole history of an estate, table by table, in the order in which it is to be stored.

In: the estate. Out: parts (a table's rows, and when they would have been received), objects before the events that
point to them, days oldest first. Invariant: every table of the catalog that a query may ask for comes with rows;
`TABLES_OF_A_DAY` and the functions below are the only list of who makes which.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import polars as pl

from muster.estate import (
    alerts,
    automation,
    calls,
    campaigns,
    devices,
    executions,
    inventory,
    ledgers,
    listening,
    performance,
    presences,
    scores,
    sessions,
    trends,
    web,
    workflows,
)
from muster.estate.frames import Estate
from muster.estate.rhythm import Day, days
from muster.estate.today import Today

OfDay = Callable[[Today], pl.DataFrame]
OfEstate = Callable[[Estate], pl.DataFrame]

TABLES_OF_A_DAY: Mapping[str, OfDay] = {
    "device_performance.events": performance.events,
    "device_performance.boots": performance.boots,
    "device_performance.hard_resets": performance.hard_resets,
    "device_performance.system_crashes": performance.system_crashes,
    "connectivity.events": performance.connectivity,
    "execution.events": executions.events,
    "execution.crashes": executions.crashes,
    "connection.events": executions.connections,
    "connection.tcp_events": lambda today: executions.transfers(today, "tcp"),
    "connection.udp_events": lambda today: executions.transfers(today, "udp"),
    "session.events": sessions.events,
    "session.logins": sessions.logins,
    "session.logouts": sessions.logouts,
    "session.connects": sessions.connects,
    "session.disconnects": sessions.disconnects,
    "session.locks": sessions.locks,
    "session.unlocks": sessions.unlocks,
    "session.vdi_events": sessions.vdi_events,
    "web.page_views": web.page_views,
    "web.page_views_summary": web.page_views_summary,
    "web.events": web.events,
    "web.errors": web.errors,
    "web.transactions": web.transactions,
    "dex.scores": scores.scores,
    "dex.application_scores": scores.application_scores,
    "collaboration.sessions": calls.sessions,
    "device.presences": presences.presences,
}
OBJECTS: Mapping[str, OfEstate] = {
    "device.devices": devices.devices,
    "device.mobile_devices": devices.mobile_devices,
    "session.vdi_sessions": devices.vdi_sessions,
    "user.users": inventory.users,
    "binary.binaries": inventory.binaries,
    "package.packages": inventory.packages,
    "package.installed_packages": inventory.installed_packages,
    "application.applications": inventory.applications,
    "ai.tools": inventory.tools,
    "campaign.campaigns": campaigns.campaigns,
    "custom_trend.custom_trends": trends.custom_trends,
    "alert.monitors": alerts.monitors,
    "remote_action.remote_actions": automation.remote_actions,
    "remote_action.local_schedules": automation.local_schedules,
    "workflow.workflows": workflows.workflows,
}
TABLES_OF_THE_SPAN: Mapping[str, OfEstate] = {
    "package.installations": ledgers.installations,
    "package.uninstallations": ledgers.uninstallations,
    "software_metering.events": ledgers.metering,
    "usage.account_actions": ledgers.account_actions,
    "campaign.responses": campaigns.responses,
    "custom_trend.snapshots": trends.snapshots,
    "alert.alerts": alerts.alerts,
    "alert.impacts": alerts.impacts,
    "ticket.tickets": listening.tickets,
    "ai.interactions_summary": listening.interactions,
    "agent.conversations": listening.conversations,
    "remote_action.executions": automation.executions,
    "remote_action.executions_summary": automation.executions_summary,
    "workflow.executions": workflows.executions,
    "workflow.executions_summary": workflows.executions_summary,
}


@dataclass(frozen=True, slots=True)
class Part:
    """Rows of one table. `received` is when they would have come in, in microseconds UTC."""

    table: str
    rows: pl.DataFrame
    received: int


def history(estate: Estate) -> Iterator[Part]:
    """All parts, in order."""
    yield from _objects(estate)
    latest = _Latest()
    for day in days(estate.now, estate.days):
        yield from _day(estate, day, latest)
    yield from (Part(table, made(estate), estate.now) for table, made in TABLES_OF_THE_SPAN.items())
    yield from (Part(table, rows, estate.now) for table, rows in ledgers.logs(estate).items())
    yield Part("device.devices", latest.frame(), estate.now)


def steps(estate: Estate) -> int:
    """How many parts `history` gives at most, for a progress bar."""
    once = len(OBJECTS) + len(TABLES_OF_THE_SPAN) + len(devices.PARTS) + len(ledgers.LOGS) + 9
    return once + (estate.days + 1) * len(TABLES_OF_A_DAY)


def _objects(estate: Estate) -> Iterator[Part]:
    for table, made in OBJECTS.items():
        yield Part(table, made(estate), estate.start)
        if table == "device.devices":
            yield from (Part(name, rows, estate.start) for name, rows in devices.parts(estate).items())
            yield from (Part(table, rows, estate.start) for rows in devices.before(estate))
        if table == "application.applications":
            yield from (Part(name, rows, estate.start) for name, rows in inventory.application_parts(estate).items())


def _day(estate: Estate, day: Day, latest: _Latest) -> Iterator[Part]:
    today = Today(estate, day)
    for table, made in TABLES_OF_A_DAY.items():
        rows = made(today)
        latest.note(table, rows)
        if not rows.is_empty():
            yield Part(table, rows, day.end)


class _Latest:
    """The last boot and login of each device, which its own row tells too."""

    def __init__(self) -> None:
        self._boots: list[pl.DataFrame] = []
        self._logins: list[pl.DataFrame] = []

    def note(self, table: str, rows: pl.DataFrame) -> None:
        """Remember what a day says."""
        if table == "device_performance.boots":
            self._boots.append(rows.filter(pl.col("type") == "full_boot").select("@device", "time", "duration"))
        if table == "session.logins":
            self._logins.append(rows.select("@device", "time"))

    def frame(self) -> pl.DataFrame:
        """Rows of `device.devices` with these facts alone."""
        boots = pl.concat(self._boots).sort("time").group_by("@device", maintain_order=True).last()
        logins = pl.concat(self._logins).sort("time").group_by("@device", maintain_order=True).last()
        both = boots.join(logins, on="@device", how="full", coalesce=True, suffix=" of login").sort("@device")
        return both.rename(
            {
                "@device": "uid",
                "time": "boot.last_full_boot",
                "duration": "boot.last_full_boot_duration",
                "time of login": "login.last_login_time",
            }
        )
