"""The project's own sources keep every rule of the architecture.

Comes in: the modules of the six packages, and for the rules that hold everywhere those of tests and
benchmarks. Goes out: one sentence a violation. Folders that do not exist yet are passed over.
"""

from collections.abc import Callable, Iterator

import pytest

from tests.architecture import rules
from tests.architecture.project import ROOT, declared
from tests.architecture.tree import PACKAGES, Module, read

Rule = Callable[[list[Module]], Iterator[str]]


@pytest.fixture(scope="module")
def everything() -> list[Module]:
    """The modules of the six packages, the tests and the benchmarks."""
    return read(ROOT, (*PACKAGES, "tests", "benchmarks"))


@pytest.fixture(scope="module")
def product(everything: list[Module]) -> list[Module]:
    """Those of the six packages."""
    return [module for module in everything if module.path.split("/")[0] in PACKAGES]


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
def test_product(product: list[Module], rule: Rule) -> None:
    violations = list(rule(product))
    assert not violations, "\n".join(violations)


@pytest.mark.parametrize("rule", [rules.docstrings, rules.sizes])
def test_everything(everything: list[Module], rule: Rule) -> None:
    violations = list(rule(everything))
    assert not violations, "\n".join(violations)


def test_every_third_party_is_declared(product: list[Module]) -> None:
    agent = [module for module in product if module.path.startswith("agent/")]
    rest = [module for module in product if not module.path.startswith("agent/")]
    violations = [*rules.undeclared(agent, declared("agent")), *rules.undeclared(rest, declared())]
    assert not violations, "\n".join(violations)
