"""The notebook, and the page for Python, run from the first cell to the last against a portal with connected devices.

Comes in: a small demo. Goes out: nothing. Invariants held here: every cell and block runs (one of each shows a mistake
on purpose), and the notebook in the repository holds no outputs.
"""

import re
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from tests.architecture.project import ROOT
from tests.muster.demo_process import Demo

FILE = ROOT / "notebooks" / "first_steps.ipynb"
PAGE = ROOT / "docs" / "python.md"


def test_it_holds_no_outputs() -> None:
    notebook = read()
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)


@pytest.mark.slow
def test_it_runs(demo: Demo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MUSTER_URL", demo.url)
    monkeypatch.setenv("MUSTER_TOKEN", demo.token())
    notebook = read()
    NotebookClient(notebook, timeout=90, kernel_name="python3").execute()
    shown = {cell.source: said(cell) for cell in notebook.cells if cell.cell_type == "code"}
    assert "connected to http://127.0.0.1" in of(shown, "%muster connect")
    assert "vega-lite" in of(shown, "alt.Chart")
    assert "^^^^^" in of(shown, "entty")
    assert "Traceback" not in of(shown, "entty")
    assert "'success': 3" in of(shown, "client.run(")
    assert "outputs.uptime" in of(shown, "run.results")
    assert "success" in of(shown, "--name answers")


@pytest.mark.slow
def test_the_page_for_python_runs(
    demo: Demo, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MUSTER_URL", demo.url)
    monkeypatch.setenv("MUSTER_TOKEN", demo.token())
    names: dict[str, Any] = {}
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == 5
    try:
        for block in blocks:
            exec(compile(block, str(PAGE), "exec"), names)
    finally:
        names["client"].close()
    shown = capsys.readouterr().out
    for part in ("device.last_seen", "3 [", "{'success': 8}", "outputs.uptime", "done running", "error NQL202"):
        assert part in shown, part


def read() -> Any:
    """The notebook."""
    return nbformat.reads(FILE.read_text(encoding="utf-8"), as_version=4)  # type: ignore[no-untyped-call]


def of(shown: dict[str, str], part: str) -> str:
    """What the cell with this text showed."""
    return next(text for source, text in shown.items() if part in source)


def said(cell: Any) -> str:
    """All that a cell shows, as one text."""
    return "\n".join(str(output) for output in cell.outputs)
