"""The architecture as rules: each takes the parsed modules and gives a sentence for every violation.

The tables at the top are the rules; the functions below only apply them. Invariant: a package that
MAY_IMPORT does not name is not known at all, so a new one must be placed here first. What the rules
are for is said in ARCHITECTURE.md; that each of them finds what it should is shown in `test_planted`.
"""

import ast
import sys
from collections.abc import Iterable, Iterator
from graphlib import CycleError, TopologicalSorter

from tests.architecture.tree import PACKAGES, Module, within

PLAN_SIDE = ("nql.plan", "nql.catalog", "nql.functions", "nql.datatypes", "nql.diagnostics")
TYPES = ("nql.datatypes", "nql.diagnostics", "nql.value")

# The longest key that holds a module decides what it may import beside its own key: the modules under another key
# or some of them by a longer name, with ".*" those under longer keys too.
MAY_IMPORT: dict[str, tuple[str, ...]] = {
    "nql": ("nql.*",),  # api and the other entrances; the layers below name less
    "nql.semantics": ("nql.syntax", "nql.rules", "nql.extensions", *PLAN_SIDE),
    "nql.syntax": ("nql.functions", *TYPES),  # knows no catalog and no plan
    "nql.plan": ("nql.functions", "nql.catalog", *TYPES),
    "nql.functions": TYPES,
    "nql.catalog": TYPES,
    "nql.datatypes": ("nql.diagnostics",),
    "nql.diagnostics": ("nql.value",),
    "nql.value": (),
    "nql.rules": (),
    "nql.extensions": (),
    "engine": PLAN_SIDE,
    "storage": ("nql.catalog", "nql.datatypes"),
    "storage.tables": ("storage", "nql.catalog", "nql.datatypes"),
    "storage.control": ("storage", "nql.catalog", "nql.datatypes"),
    "portal": (
        "engine",
        "storage.tables.api",
        "storage.control",
        "nql.*",
        "agent.wire",
        "agent.wire_configuration",
        "agent.wire_channel",
        "agent.statements",
        "agent.session",
    ),
    "portal.app": (
        "portal",
        "engine",
        "storage.*",
        "nql.*",
        "agent.wire",
        "agent.wire_configuration",
        "agent.wire_channel",
        "agent.statements",
        "agent.session",
    ),  # the composition root
    "agent": (),
    "muster": ("nql.*", "engine", "storage.*", "portal.*", "agent"),
}

# Who may import a third party: prefixes of paths. Those not named here are free.
ROOMS: dict[str, tuple[str, ...]] = {
    "lark": ("nql/syntax/",),
    "sqlglot": ("engine/sql/",),
    "duckdb": (),  # the oracle: tests and benchmarks only
    "deltalake": (),  # ADR 13
    "polars": (
        "engine/lazyframe/",
        "engine/execute.py",
        "engine/source.py",
        "engine/result.py",
        "engine/rewrites.py",
        "storage/tables/",
        "portal/queries",
        "portal/workers/process.py",
        "muster/",
    ),
    "starlette": ("portal/",),
    "uvicorn": ("portal/", "muster/"),
    "sqlalchemy": ("storage/control/",),
    "alembic": ("storage/control/",),
    "argon2": ("portal/",),
    "prometheus_client": ("portal/",),
    "rich": ("muster/",),
    "IPython": ("muster/",),
    "altair": ("muster/",),
    "pygls": ("muster/lsp/",),
    "lsprotocol": ("muster/lsp/",),
}

HEAVY = ("sqlglot", "duckdb", "deltalake", "pyarrow.dataset", "pyarrow.fs")
LAZY = (*HEAVY, "alembic", "IPython", "altair")  # the last two come with the extra `notebook` only

CLOCKS = {
    "time.time",
    "time.time_ns",
    "datetime.datetime.now",
    "datetime.datetime.utcnow",
    "datetime.datetime.today",
    "datetime.date.today",
}

BANNED_NAMES = {"utils", "util", "helpers", "helper", "common", "misc"}
MOST_LINES = 400
DOCSTRING_LINES = range(3, 11)


def directions(modules: Iterable[Module]) -> Iterator[str]:
    """Imports of ours that go against the order of the layers."""
    for module in modules:
        key = longest(module.name, MAY_IMPORT)
        for found in module.imports:
            if not ours(found.target) or allowed(found.target, key):
                continue
            yield f"{module.path}:{found.line} imports {found.target}, which {key} may not"


def allowed(target: str, key: str) -> bool:
    """Whether a module under this key of MAY_IMPORT may import the target."""
    other = longest(target, MAY_IMPORT)
    return other == key or any(opens(entry, target, other) for entry in MAY_IMPORT[key])


def opens(entry: str, target: str, key: str) -> bool:
    """Whether an entry of MAY_IMPORT allows a target that stands under a key."""
    if entry.endswith(".*"):
        return within(target, entry[:-2])
    return within(target, entry) and within(entry, key)


def longest(name: str, keys: Iterable[str]) -> str:
    """The most precise key that holds the name."""
    return max((key for key in keys if within(name, key)), key=len)


def ours(target: str) -> bool:
    """Whether a dotted name belongs to the project."""
    return target.split(".")[0] in PACKAGES


def cycles(modules: Iterable[Module]) -> Iterator[str]:
    """One import cycle, if there is any."""
    listed = list(modules)
    graph = {m.name: {i.target for i in m.imports if i.target in m.known and i.target != m.name} for m in listed}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        yield "import cycle: " + " <- ".join(error.args[1])


def local_imports(modules: Iterable[Module]) -> Iterator[str]:
    """Imports inside functions and classes, but for the heavy third parties that wait until needed."""
    for module in modules:
        for found in module.imports:
            if not found.top and not any(within(found.target, lazy) for lazy in LAZY):
                yield f"{module.path}:{found.line} imports {found.target} inside a function or class"


def rooms(modules: Iterable[Module]) -> Iterator[str]:
    """Third parties outside their room."""
    for module in modules:
        for found in module.imports:
            package = found.target.split(".")[0]
            if package in ROOMS and not module.path.startswith(ROOMS[package]):
                yield f"{module.path}:{found.line} imports {package}, whose room is {ROOMS[package] or 'tests/'}"


def undeclared(modules: Iterable[Module], declared: set[str]) -> Iterator[str]:
    """Third parties that no list of dependencies names."""
    for module in modules:
        for found in module.imports:
            package = found.target.split(".")[0]
            if not (ours(package) or package in sys.stdlib_module_names or package in declared):
                yield f"{module.path}:{found.line} imports {package}, which no dependency declares"


def clocks(modules: Iterable[Module]) -> Iterator[str]:
    """Readings of the real clock outside files called clock.py."""
    for module in modules:
        if module.path.endswith("/clock.py"):
            continue
        if not any(found.target in ("time", "datetime") for found in module.imports):
            continue  # whoever reads the clock imports it, and walking through every tree takes long
        tree = module.parsed()
        names = origins(tree)
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute | ast.Name) and origin(node, names) in CLOCKS:
                yield f"{module.path}:{node.lineno} reads the real clock ({ast.unparse(node)})"


def origins(tree: ast.Module) -> dict[str, str]:
    """What each imported name stands for, as a dotted name."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                first = alias.name.split(".")[0]
                names[alias.asname or first] = alias.name if alias.asname else first
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.update({alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names})
    return names


def origin(node: ast.expr, names: dict[str, str]) -> str:
    """The dotted name behind an expression of names and attributes, or an empty text."""
    if isinstance(node, ast.Name):
        return names.get(node.id, "")
    if isinstance(node, ast.Attribute):
        base = origin(node.value, names)
        return f"{base}.{node.attr}" if base else ""
    return ""


def package_files(modules: Iterable[Module]) -> Iterator[str]:
    """`__init__.py` files that hold more than a docstring (`muster` is what users import, and may)."""
    for module in modules:
        if module.is_package and module.name != "muster" and module.statements != (module.docstring is not None):
            yield f"{module.path} holds more than a docstring"


def docstrings(modules: Iterable[Module]) -> Iterator[str]:
    """Modules without a docstring."""
    for module in modules:
        if not module.docstring:
            yield f"{module.path} has no docstring"


def docstring_lengths(modules: Iterable[Module]) -> Iterator[str]:
    """Modules whose docstring is too short to say what they keep, or too long to be read."""
    for module in modules:
        lines = len((module.docstring or "").splitlines())
        if not module.is_package and lines not in DOCSTRING_LINES:
            yield f"{module.path} has a docstring of {lines} lines; three to ten are wanted"


def names(modules: Iterable[Module]) -> Iterator[str]:
    """Modules and folders named after nothing in particular."""
    for module in modules:
        if BANNED_NAMES & set(module.name.split(".")):
            yield f"{module.path} is named after no subject"


def sizes(modules: Iterable[Module]) -> Iterator[str]:
    """Files that should have been split by subject."""
    for module in modules:
        lines = module.text.count("\n")
        if lines > MOST_LINES:
            yield f"{module.path} has {lines} lines; {MOST_LINES} are the most"
