"""The parse table of the package: read instead of made, stale ones not used, and the accelerator reads the same."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from nql.syntax import grammar
from nql.syntax.parse import _Builder, parse
from tests.logic.records import parse as records

QUERIES = [
    record.query
    for path in sorted((Path(__file__).parents[2] / "logic" / "spec").glob("*.nqltest"))
    for record in records(path.read_text(encoding="utf-8"))
    if not any(finding.code.startswith(("NQL1", "NQL5")) for finding in record.findings)
]
PURE: MappingProxyType[str, Any] = MappingProxyType({})


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the grammar alone, from which parsers are made."""
    shutil.copy(grammar.FOLDER / "grammar.lark", tmp_path)
    monkeypatch.setattr(grammar, "FOLDER", tmp_path)
    return tmp_path


def test_a_parser_from_the_table_reads_what_one_from_the_grammar_reads(folder: Path) -> None:
    made = grammar.parser(_Builder(), plugins=PURE)
    assert grammar.write_table(folder)
    assert not grammar.write_table(folder)
    held = grammar.parser(_Builder(), plugins=PURE)
    assert len(QUERIES) > 80
    for query in QUERIES:
        assert held.parse(query) == made.parse(query)


def test_a_table_of_another_grammar_is_not_used(folder: Path) -> None:
    grammar.write_table(folder)
    table = json.loads((folder / grammar.TABLE).read_bytes())
    (folder / grammar.TABLE).write_text(json.dumps({**table, "digest": "another", "data": {}, "memo": {}}))
    assert grammar.parser(_Builder(), plugins=PURE).parse("devices | limit 1") == parse("devices | limit 1")
    assert grammar.write_table(folder)


def test_the_accelerator_reads_the_same() -> None:
    pytest.importorskip("lark_cython")
    assert grammar.PLUGINS
    fast, plain = grammar.parser(_Builder()), grammar.parser(_Builder(), plugins=PURE)
    for query in QUERIES:
        assert fast.parse(query) == plain.parse(query)


def test_nothing_is_written_elsewhere(tmp_path: Path) -> None:
    script = "import nql.syntax.parse as p; p.parse('devices')"
    environment = {"TMPDIR": str(tmp_path), "HOME": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    subprocess.run([sys.executable, "-c", script], env=environment, cwd=grammar.FOLDER.parent, check=True)
    assert list(tmp_path.iterdir()) == []
