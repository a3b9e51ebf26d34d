"""The notebook magic in a real IPython shell, against a real portal.

Comes in: a portal with a small estate. Goes out: nothing. Invariant held here: a query that cannot run shows its
diagnostics under carets and stops the notebook.
"""

from collections.abc import Iterator
from typing import Any

import polars as pl
import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell

from muster.errors import QueryFailedError, UsageError
from tests.muster.conftest import Running


@pytest.fixture
def shell(settled: Running) -> Iterator[Any]:
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance()
    shell.run_line_magic("load_ext", "muster")
    assert shell.run_line_magic("muster", f"connect {settled.url}") == f"connected to {settled.url} as admin"
    yield shell
    shell.run_line_magic("muster", "disconnect")
    InteractiveShell.clear_instance()


def test_a_cell_gives_a_frame_and_takes_variables(shell: Any) -> None:
    shell.user_ns["places"] = ["Zurich", "Lyon", "London", "New York", "Singapore", "Bengaluru"]
    frame = shell.run_cell_magic("nql", "--name df", "devices | where entity in $places | list name, hardware.memory")
    assert isinstance(frame, pl.DataFrame)
    assert frame.columns == ["device.name", "device.hardware.memory"]
    assert frame.height == 30
    assert shell.user_ns["df"] is frame


def test_a_quiet_cell_shows_nothing(shell: Any) -> None:
    assert shell.run_cell_magic("nql", "--name df --quiet", "devices | list name") is None
    assert shell.user_ns["df"].height == 30


def test_a_strict_cell(shell: Any) -> None:
    with pytest.raises(QueryFailedError, match="NQL510"):
        shell.run_cell_magic("nql", "--strict nexthink", "devices | list name,")


def completed(shell: Any, cell: str) -> list[str]:
    """What Tab offers at the end of a cell: the whole words that would stand there."""
    with provisionalcompleter():
        return [cell[: found.start] + found.text for found in shell.Completer.completions(cell, len(cell))]


def test_tab_completes_in_cells_of_nql(shell: Any) -> None:
    cell = "%%nql\ndevices\n| list hardware.mem"
    assert f"{cell}ory" in completed(shell, cell)
    assert "%%nql\ndevices\n| list" in completed(shell, "%%nql\ndevices\n| li")
    name = shell.run_line_magic("nql", "devices | list name")["device.name"][0]
    text = f'%%nql --quiet\ndevices | where name == "{name[:-2]}'
    assert any(name in found for found in completed(shell, text))


def test_tab_elsewhere_is_ipythons(shell: Any) -> None:
    shell.user_ns["devices_of_mine"] = 1
    assert "devices_of_mine" in completed(shell, "devices_of")
    shell.run_line_magic("muster", "disconnect")
    assert not [found for found in completed(shell, "%%nql\ndevi") if found.endswith("devices")]


def test_a_cell_in_plain_english(shell: Any, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert shell.run_cell_magic("nql", "--explain", "devices during past 7d | list name") is None
    assert "last 7 calendar days" in capsys.readouterr().out


def test_a_line(shell: Any) -> None:
    assert shell.run_line_magic("nql", "devices | list name").height == 30


def test_diagnostics_stand_under_carets_without_a_traceback(shell: Any) -> None:
    with pytest.raises(QueryFailedError) as caught:
        shell.run_cell_magic("nql", "", "devices | list nam")
    shown = "\n".join(caught.value._render_traceback_())
    assert "  devices | list nam\n                 ^^^" in shown
    assert "Traceback" not in shown


def test_a_variable_that_is_not_there_is_said(shell: Any) -> None:
    with pytest.raises(UsageError, match="Set the variable `missing`"):
        shell.run_cell_magic("nql", "", "devices | where name == $missing")


@pytest.mark.parametrize("line", ["--nonsense", "--name 5x"])
def test_wrong_options_are_said(shell: Any, line: str) -> None:
    with pytest.raises(Exception, match="%%nql"):
        shell.run_cell_magic("nql", line, "devices")


def test_the_connection_is_told(shell: Any, settled: Running) -> None:
    assert shell.run_line_magic("muster", "status") == f"connected to {settled.url} as admin"
    assert shell.run_line_magic("muster", "disconnect") == "not connected"
    with pytest.raises(UsageError, match="not connected"):
        shell.run_line_magic("nql", "devices")
