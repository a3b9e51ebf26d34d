"""Who fills each table of the catalog today: collectors of the agent, the portal, imports, or nobody.

In: the name of a table, patterns such as `remote_action.#<nql_id>.executions` included. Out: words for people, and
the parts they are made of. Invariant: nothing is listed twice: collectors say themselves which tables they fill, the
catalog says which tables are an import's, and a test compares PORTAL with what the code of the portal writes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from agent.collectors.registry import collectors
from nql.catalog.load import builtin

PORTAL = frozenset(
    {
        "device.devices",
        "device.presences",
        "platform.audit_logs",
        "remote_action.remote_actions",
        "remote_action.executions",
        "remote_action.local_schedules",
        "campaign.campaigns",
        "campaign.responses",
        "workflow.executions",
        "workflow.workflows",
    }
)
LACKING = {
    "agent": "no collector yet, only imports",
    "portal": "no part of the portal yet, only imports",
    "import": "imports from other systems",
}
PATTERN = "#<nql_id>."  # rows of a configured item are rows of the table without it


@dataclass(frozen=True, slots=True)
class Filled:
    """Who fills a table: the names of collectors, whether the portal does, and whose it is to fill (`writer` of the
    catalog)."""

    collectors: tuple[str, ...]
    portal: bool
    writer: str

    def __str__(self) -> str:
        parts = []
        if self.collectors:
            plural = "s" if len(self.collectors) > 1 else ""
            parts.append(f"the agent (collector{plural} {' and '.join(self.collectors)})")
        if self.portal:
            parts.append("the portal")
        if parts:
            return " and ".join(parts)
        return LACKING[self.writer]


def filled_by(table: str) -> str:
    """Who fills a table, in words: `the agent (collector inventory) and the portal`. Raises KeyError for a table that
    the catalog does not know."""
    return str(sources()[table])


@cache
def sources() -> dict[str, Filled]:
    """Who fills each table of the catalog, by its name."""
    found: dict[str, list[str]] = {}
    for collector in collectors(""):
        for table in collector.tables:
            found.setdefault(table, []).append(collector.name)
    return {
        table.name: Filled(tuple(found.get(_stored(table.name), ())), _stored(table.name) in PORTAL, table.writer)
        for table in builtin().tables.values()
    }


def _stored(name: str) -> str:
    return name.replace(PATTERN, "")
