"""Reads the project's Python sources for the architecture tests: modules, their imports, their docstrings.

Comes in: a folder. Goes out: one `Module` a file, with every import resolved to a dotted name, and
whether it stands at the top level. Invariant: nothing is imported or run, only parsed with `ast`,
so the tests need no part of the project to work. What is allowed is the matter of `rules`.
"""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

PACKAGES = ("nql", "engine", "storage", "portal", "agent", "muster")
LEFT_OUT = {"__pycache__", "node_modules", "web", "static"}
BLOCKS = ("body", "orelse", "finalbody", "handlers", "cases")  # where statements hold statements


@dataclass(frozen=True)
class Import:
    """One imported module, by its full name; `top` is false inside a function or class."""

    target: str
    line: int
    top: bool


@dataclass(frozen=True)
class Module:
    """One source file: its path below the root, its dotted name, and what the rules ask of its syntax tree, which is
    let go: all of them together take longer to be looked through for garbage than to be parsed."""

    path: str
    name: str
    text: str
    known: frozenset[str]
    docstring: str | None
    statements: int
    imports: tuple[Import, ...]

    @property
    def is_package(self) -> bool:
        """Whether this is the `__init__.py` of a folder."""
        return is_package(self.path)

    def parsed(self) -> ast.Module:
        """The syntax tree, parsed again."""
        return ast.parse(self.text, self.path)


@dataclass(frozen=True)
class Imports:
    """Finds the imports of one module of a known set."""

    path: str
    name: str
    known: frozenset[str]

    def of(self, statements: Iterable[ast.AST], *, top: bool = True) -> Iterator[Import]:
        """Every import among statements, those in functions and under TYPE_CHECKING included."""
        for node in statements:
            if isinstance(node, ast.Import):
                yield from (Import(alias.name, node.lineno, top) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                base = self._absolute(node)
                for alias in node.names:
                    member = f"{base}.{alias.name}"
                    yield Import(member if self._is_module(member) else base, node.lineno, top)
            else:
                inner = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
                for block in BLOCKS:
                    yield from self.of(getattr(node, block, ()), top=top and not inner)

    def _is_module(self, name: str) -> bool:
        return name in self.known or name == "pyarrow.dataset"

    def _absolute(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        parts = self.name.split(".")
        kept = parts[: len(parts) - node.level + is_package(self.path)]
        return ".".join([*kept, node.module] if node.module else kept)


def read(root: Path, packages: tuple[str, ...] = PACKAGES) -> list[Module]:
    """Every module of the given packages that exist below root, by path."""
    paths = [path for package in packages for path in files(root / package) if path.suffix == ".py"]
    named = {path: dotted(path.relative_to(root)) for path in sorted(paths)}
    known = frozenset(named.values())
    return [module(root, path, name, known) for path, name in named.items()]


def module(root: Path, path: Path, name: str, known: frozenset[str]) -> Module:
    """Parse one file."""
    text, place = path.read_text(encoding="utf-8"), path.relative_to(root).as_posix()
    tree = ast.parse(text, str(path))
    imports = tuple(Imports(place, name, known).of(tree.body))
    return Module(place, name, text, known, ast.get_docstring(tree), len(tree.body), imports)


def is_package(path: str) -> bool:
    """Whether a path is the `__init__.py` of a folder."""
    return path.endswith("__init__.py")


def files(folder: Path) -> Iterator[Path]:
    """Every source file below a folder; nothing when it does not exist."""
    if not folder.is_dir():
        return
    for entry in sorted(folder.iterdir()):
        if entry.is_dir():
            if entry.name not in LEFT_OUT:
                yield from files(entry)
        else:
            yield entry


def dotted(path: Path) -> str:
    """The module name of a path below the root."""
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def within(name: str, prefix: str) -> bool:
    """Whether a dotted name is a module or inside it."""
    return name == prefix or name.startswith(f"{prefix}.")
