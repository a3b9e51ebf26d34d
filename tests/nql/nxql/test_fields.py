"""Fields of NXQL that the mapping does not list: what is offered for a name that comes close to one.

In: queries over the actions and custom fields of a fixture. Invariant: what is offered is a whole dynamic field, ready
to be put in place.
"""

import pytest

from nql.diagnostics import QueryError
from nql.nxql.api import compile_nxql
from tests.logic.fixture import load


def test_outputs_of_actions_are_offered() -> None:
    with pytest.raises(QueryError) as caught:
        compile_nxql('(select (name #"action:battery_check/levl") (from device))', load("classic").catalog)
    (found,) = caught.value.diagnostics
    assert found.code == "NXQL210"
    assert found.fixes[0].replacement == "#action:battery_check/level"
