"""The table of extensions: each example is understood, uses what it shows, and is refused under strict rules."""

import pytest

from nql.api import compile_query
from nql.catalog.load import builtin
from nql.diagnostics import QueryError
from nql.extensions import EXTENSIONS, Extension
from nql.rules import STRICT


@pytest.mark.parametrize("item", EXTENSIONS.values(), ids=list(EXTENSIONS))
def test_an_example_runs_and_is_refused_by_its_name_under_strict_rules(item: Extension) -> None:
    assert compile_query(item.example, builtin()).plan.outputs
    with pytest.raises(QueryError) as refused:
        compile_query(item.example, builtin(), rules=STRICT)
    named = [error for error in refused.value.diagnostics if error.code == "NQL510"]
    assert any(error.message.startswith(f"{item.title} is an extension") for error in named)
    assert all(error.hint for error in named)
