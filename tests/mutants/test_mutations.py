"""The mutants' own machinery: which changes are made, that each is one, and that listed ones exist.

In: small sources, and the sources of the language. Invariant: a mutated module is a program, and differs.
"""

from __future__ import annotations

import ast

import pytest

from tests.mutants.equivalent import listed
from tests.mutants.mutations import mutated, mutations
from tests.mutants.trials import ROOT, every_mutation, modules


@pytest.mark.parametrize(
    ("source", "changed"),
    [
        ("a = b < c", ["b <= c"]),
        ("a = b is not None", ["b is None"]),
        ("a = b + 1", ["b - 1", "2", "0"]),
        ("a = b and c", ["b or c"]),
        ("a = not b", ["b"]),
        ("a = True", ["False"]),
        ("A = {'where': 1}", ["'where_'", "2", "0"]),
        ("a = 'a text for people'", []),
        ("a = f(b, c)", ["f(c, b)"]),
        ("a = b if c else d", ["b if not c else d"]),
        ("a = [b for b in c if d]", ["for b in c if not d"]),
        ("def f():\n    return b", ["return None"]),
        ("def f():\n    b()\n    raise c", ["pass", "pass"]),
        ("def f(a: int = 3) -> Literal['x']:\n    'Says.'\n    assert a == 3", ["4", "2"]),
        ("__slots__ = ('a',)", []),
        ("Value = int | float", []),
    ],
)
def test_what_is_changed(source: str, changed: list[str]) -> None:
    found = mutations("m.py", source)
    assert [item.after.removeprefix(" ") for item in found] == changed
    for item in found:
        assert mutated(source, item.number) != ast.unparse(ast.parse(source))


def test_a_mutation_says_where_it_is() -> None:
    (found,) = mutations("m.py", "class A:\n    def f(self):\n        return self.b")
    assert (found.line, found.function) == (3, "A.f")
    assert found.key == "m.py:3 A.f: return self.b -> return None"


@pytest.mark.slow
def test_every_module_has_mutations_that_are_programs() -> None:
    for path in modules()[::9]:
        source = (ROOT / path).read_text(encoding="utf-8")
        for item in mutations(path, source)[::25]:
            compile(mutated(source, item.number), path, "exec")


@pytest.mark.slow
def test_what_is_listed_as_equivalent_exists() -> None:
    known = {(item.path, item.function, item.before, item.after) for item in every_mutation()}
    assert sorted(set(listed()) - known) == []
    assert all(listed().values())
