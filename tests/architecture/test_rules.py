"""The project's own sources keep every rule of the architecture.

Comes in: the modules of the six packages, and for the rules that hold everywhere those of tests and
benchmarks. Goes out: one sentence a violation. Folders that do not exist yet are passed over.
"""

from collections.abc import Callable, Iterator

import pytest

from tests.architecture import rules
from tests.architecture.project import ROOT, declared
from tests.architecture.tree import PACKAGES, Module, read

PRODUCT = read(ROOT)
EVERYTHING = read(ROOT, (*PACKAGES, "tests", "benchmarks"))

Rule = Callable[[list[Module]], Iterator[str]]


@pytest.mark.parametrize(
    "rule",
    [
        rules.directions,
        rules.cycles,
        rules.local_imports,
        rules.rooms,
        rules.clocks,
        rules.package_files,
        rules.docstring_lengths,
        rules.names,
    ],
)
def test_product(rule: Rule) -> None:
    violations = list(rule(PRODUCT))
    assert not violations, "\n".join(violations)


@pytest.mark.parametrize("rule", [rules.docstrings, rules.sizes])
def test_everything(rule: Rule) -> None:
    violations = list(rule(EVERYTHING))
    assert not violations, "\n".join(violations)


def test_every_third_party_is_declared() -> None:
    agent = [module for module in PRODUCT if module.path.startswith("agent/")]
    rest = [module for module in PRODUCT if not module.path.startswith("agent/")]
    violations = [*rules.undeclared(agent, declared("agent")), *rules.undeclared(rest, declared())]
    assert not violations, "\n".join(violations)
