"""The catalog in force: the shipped one with what is configured: actions, campaigns, custom trends, custom fields.

In: actions, the types of their outputs, and configured items. Out: a `Catalog`. Invariant: its version changes with
what it says, so that no cached plan outlives the catalog it was made for. Reading it costs nothing; it is made anew
when an action was saved or an item declared.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from threading import Lock

from nql.catalog.configured import configured
from nql.catalog.load import builtin
from nql.catalog.model import Catalog, executions_of
from nql.datatypes import BOOLEAN, DATETIME, DURATION, FLOAT, INT, PERCENTAGE, STRING, STRINGS, DataType, Kind
from storage.control.actions import Action
from storage.control.api import Control
from storage.control.records import to_json

# The NQL type of an output's declared type (`storage.control.manifest.OutputType`).
TYPES: Mapping[str, DataType] = {
    "string": STRING,
    "bool": BOOLEAN,
    "uint32": INT,
    "float": FLOAT,
    "size": DataType(Kind.BYTES, unit="B", real=True),
    "ratio": PERCENTAGE,
    "bitrate": DataType(Kind.FLOAT, unit="bps"),
    "date_time": DATETIME,
    "duration": DURATION,
    "string_list": STRINGS,
}


class Catalogs:
    """Holds the catalog in force."""

    def __init__(self, control: Control, base: Catalog | None = None) -> None:
        self._control = control
        self._base = base or builtin()
        self._current = self._base
        self._lock = Lock()

    @property
    def current(self) -> Catalog:
        """The catalog in force."""
        return self._current

    def refresh(self) -> Catalog:
        """Make the catalog anew from what is configured now. Blocks."""
        with self._lock:  # who reads later also decides later
            actions = overlaid(self._base, self._control.actions.everything(), self._control.actions.output_types())
            self._current = configured(actions, self._control.configured.everything())
            return self._current


def overlaid(base: Catalog, actions: list[Action], types: Mapping[str, Mapping[str, str]]) -> Catalog:
    """The catalog with one executions table for each action."""
    if not actions:
        return base
    tables, facts = [], []
    for action in actions:
        outputs = {name: TYPES[kind] for name, kind in types.get(action.nql_id, {}).items()}
        inputs = [item.name for item in action.inputs]
        tables.append(executions_of(base, action.nql_id.removeprefix("#"), outputs, inputs))
        facts.append([action.nql_id, types.get(action.nql_id, {}), inputs])
    return base.overlay(tables, sha256(to_json(facts).encode()).hexdigest()[:16])
