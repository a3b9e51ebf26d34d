"""Every rule finds a violation planted in a small tree of its own, and leaves the right form alone.

Comes in: file texts a test, written to a temporary folder. Goes out: the sentence the rule must give.
A rule without a planted violation here fails, so that no rule can be empty.
"""

import inspect
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from tests.architecture import rules
from tests.architecture.tree import Module, read

DIRECTIONS = [
    ("nql/syntax/parse.py", "from nql.plan import relations", "nql.plan"),
    ("nql/plan/relations.py", "from nql.syntax import ast", "nql.syntax"),
    ("nql/syntax/parse.py", "import nql.catalog.load", "nql.catalog.load"),
    ("nql/catalog/load.py", "from nql.functions import sum", "nql.functions"),
    ("nql/plan/relations.py", "import nql.api", "nql.api"),
    ("nql/datatypes.py", "import nql.catalog.model", "nql.catalog.model"),
    ("nql/semantics/bind.py", "import engine.execute", "engine.execute"),
    ("engine/execute.py", "from nql.semantics import bind", "nql.semantics"),
    ("engine/execute.py", "import nql.api", "nql.api"),
    ("engine/source.py", "import storage.tables.read", "storage.tables.read"),
    ("storage/tables/read.py", "import engine.source", "engine.source"),
    ("storage/tables/read.py", "import storage.control.runs", "storage.control.runs"),
    ("storage/control/runs.py", "from ..tables import read", "storage.tables"),
    ("storage/clock.py", "import storage.tables.read", "storage.tables.read"),
    ("storage/tables/read.py", "import nql.plan.relations", "nql.plan.relations"),
    ("portal/queries/service.py", "import storage.tables.journal", "storage.tables.journal"),
    ("portal/queries/service.py", "import agent.core", "agent.core"),
    ("portal/queries/service.py", "import portal.app", "portal.app"),
    ("portal/queries/service.py", "import muster.cli", "muster.cli"),
    ("agent/core.py", "import nql.catalog", "nql.catalog"),
]

DOC = '"""What goes in and out.\n\nThe invariant."""\n'

PLANTED = [
    (rules.local_imports, "nql/api.py", "def f():\n    import nql.plan", "inside a function"),
    (rules.local_imports, "nql/api.py", "class A:\n    import json", "inside a function"),
    (rules.rooms, "nql/semantics/tokens.py", "import lark", "lark"),
    (rules.rooms, "engine/lazyframe/exprs.py", "from sqlglot import exp", "sqlglot"),
    (rules.rooms, "engine/execute.py", "def f():\n    import duckdb", "duckdb"),
    (rules.rooms, "portal/actions/service.py", "import polars as pl", "polars"),
    (rules.rooms, "agent/main.py", "from starlette.routing import Route", "starlette"),
    (rules.rooms, "portal/access/service.py", "import sqlalchemy.orm", "sqlalchemy"),
    (rules.clocks, "portal/app.py", "import time\nx = time.time()", "time.time"),
    (rules.clocks, "portal/app.py", "from time import time_ns as now\nx = now()", "now"),
    (rules.clocks, "portal/app.py", "import datetime as dt\nx = dt.datetime.now(dt.UTC)", "dt.datetime.now"),
    (rules.clocks, "portal/app.py", "from datetime import datetime\nx = datetime.utcnow", "datetime.utcnow"),
    (
        rules.package_files,
        "engine/__init__.py",
        '"""Doc."""\nfrom engine import execute',
        "more than a docstring",
    ),
    (rules.docstrings, "engine/execute.py", "x = 1", "no docstring"),
    (rules.docstring_lengths, "engine/execute.py", '"""Runs."""', "of 1 lines"),
    (rules.names, "engine/utils.py", "", "named after no subject"),
    (rules.names, "portal/common/service.py", "", "named after no subject"),
    (rules.sizes, "engine/execute.py", "\n" * 401, "401 lines"),
]

ALLOWED = {
    "nql/api.py": "from nql.semantics import bind\nimport nql.syntax.parse",
    "nql/semantics/bind.py": "from nql.plan import relations\nfrom nql.syntax import ast",
    "nql/plan/relations.py": "import nql.catalog.model\nimport nql.functions",
    "nql/syntax/parse.py": "import lark\nimport nql.diagnostics",
    "engine/execute.py": "import time\nimport polars\nimport nql.plan.relations\nx = time.monotonic()",
    "engine/sql/run.py": "def f():\n    import sqlglot\n    import pyarrow.dataset",
    "storage/clock.py": "import time\nx = time.time()",
    "storage/tables/read.py": "from .. import clock\nimport storage.clock\nimport nql.catalog.model",
    "portal/queries/service.py": "import polars\nimport storage.tables.api, agent.wire, nql.api",
    "portal/app.py": "import storage.tables.journal\nimport portal.queries.service",
    "muster/__init__.py": "from muster.client import connect",
    "muster/client.py": "import agent.core, portal.app, storage.control.runs, nql.plan.relations",
}


def planted(root: Path, files: dict[str, str]) -> list[Module]:
    """Write the files below root and read them as a tree."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return read(root)


@pytest.mark.parametrize(("path", "text", "target"), DIRECTIONS)
def test_direction_is_found(tmp_path: Path, path: str, text: str, target: str) -> None:
    assert [f"imports {target}," in sentence for sentence in rules.directions(planted(tmp_path, {path: text}))] == [
        True
    ]


@pytest.mark.parametrize(("rule", "path", "text", "said"), PLANTED)
def test_violation_is_found(
    tmp_path: Path, rule: Callable[[list[Module]], Iterable[str]], path: str, text: str, said: str
) -> None:
    assert [said in sentence for sentence in rule(planted(tmp_path, {path: text}))] == [True]


def test_cycle_is_found(tmp_path: Path) -> None:
    files = {"engine/a.py": "from engine import b", "engine/b.py": "def f():\n    import engine.a"}
    assert len(list(rules.cycles(planted(tmp_path, files)))) == 1


def test_undeclared_package_is_found(tmp_path: Path) -> None:
    modules = planted(tmp_path, {"agent/main.py": "import json, agent.core, msgspec, requests"})
    assert list(rules.undeclared(modules, {"msgspec"})) == [
        "agent/main.py:1 imports requests, which no dependency declares"
    ]


def test_every_rule_has_a_violation_planted() -> None:
    every = {rule for rule in vars(rules).values() if inspect.isgeneratorfunction(rule)}
    assert every == {rules.directions, rules.cycles, rules.undeclared, *(rule for rule, *_ in PLANTED)}


def test_right_forms_pass(tmp_path: Path) -> None:
    modules = planted(tmp_path, {path: DOC + text for path, text in ALLOWED.items()})
    every = {rules.directions, rules.cycles, *(rule for rule, *_ in PLANTED)}
    assert [sentence for rule in every for sentence in rule(modules)] == []
