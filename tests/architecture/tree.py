"""Reads the project's Python sources for the architecture tests: modules, their imports, their docstrings.

Comes in: a folder. Goes out: one `Module` a file, with every import resolved to a dotted name, and
whether it stands at the top level. Invariant: nothing is imported or run, only parsed with `ast`,
so the tests need no part of the project to work. What is allowed is the matter of `rules`.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

PACKAGES = ("nql", "engine", "storage", "portal", "agent", "muster")
LEFT_OUT = {"__pycache__", "node_modules", "web", "static"}


@dataclass(frozen=True)
class Import:
    """One imported module, by its full name; `top` is false inside a function or class."""

    target: str
    line: int
    top: bool


@dataclass(frozen=True)
class Module:
    """One source file: its path below the root, its dotted name, its syntax tree."""

    path: str
    name: str
    text: str
    node: ast.Module
    known: frozenset[str]

    @property
    def is_package(self) -> bool:
        """Whether this is the `__init__.py` of a folder."""
        return self.path.endswith("__init__.py")

    @property
    def docstring(self) -> str | None:
        """The module's docstring, its indentation cleaned."""
        return ast.get_docstring(self.node)

    @cached_property
    def imports(self) -> tuple[Import, ...]:
        """Every import in the file, those in functions and under TYPE_CHECKING included."""
        return tuple(self._imports(self.node, top=True))

    def _imports(self, node: ast.AST, *, top: bool) -> Iterator[Import]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                yield from (Import(alias.name, child.lineno, top) for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                base = self._absolute(child)
                for alias in child.names:
                    member = f"{base}.{alias.name}"
                    yield Import(member if self._is_module(member) else base, child.lineno, top)
            else:
                inner = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda)
                yield from self._imports(child, top=top and not inner)

    def _is_module(self, name: str) -> bool:
        return name in self.known or name == "pyarrow.dataset"

    def _absolute(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        parts = self.name.split(".")
        kept = parts[: len(parts) - node.level + self.is_package]
        return ".".join([*kept, node.module] if node.module else kept)


def read(root: Path, packages: tuple[str, ...] = PACKAGES) -> list[Module]:
    """Every module of the given packages that exist below root, by path."""
    paths = [path for package in packages for path in files(root / package) if path.suffix == ".py"]
    named = {path: dotted(path.relative_to(root)) for path in sorted(paths)}
    known = frozenset(named.values())
    return [module(root, path, name, known) for path, name in named.items()]


def module(root: Path, path: Path, name: str, known: frozenset[str]) -> Module:
    """Parse one file."""
    text = path.read_text(encoding="utf-8")
    return Module(path.relative_to(root).as_posix(), name, text, ast.parse(text, str(path)), known)


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
