"""The parse table of the package: read instead of made, the same from each making, and stale ones not used."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from nql.syntax import grammar

ROOT = grammar.FOLDER.parent


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the grammar alone, from which tables are made."""
    shutil.copy(grammar.FOLDER / "grammar.lark", tmp_path)
    monkeypatch.setattr(grammar, "FOLDER", tmp_path)
    return tmp_path


def run(script: str, **environment: str) -> str:
    """What a script says in a process of its own."""
    told = subprocess.run(
        [sys.executable, "-c", script], env=environment, cwd=ROOT, check=True, capture_output=True, text=True
    )
    return told.stdout


@pytest.mark.slow
def test_a_table_is_made_once_and_then_read(folder: Path) -> None:
    made = grammar.table()
    assert grammar.write_table(folder)
    assert not grammar.write_table(folder)
    assert json.dumps(grammar.table()) == json.dumps(made)


@pytest.mark.slow
def test_a_table_of_another_grammar_is_not_used(folder: Path) -> None:
    grammar.write_table(folder)
    table = json.loads((folder / grammar.TABLE).read_bytes())
    (folder / grammar.TABLE).write_text(json.dumps({**table, "digest": "another", "states": []}))
    assert len(grammar.table()["states"]) > 200
    assert grammar.write_table(folder)


@pytest.mark.slow
def test_the_same_grammar_gives_the_same_table() -> None:
    script = "import json; from nql.syntax import grammar as g; print(json.dumps(g.made({text!r})))"
    text = 'query: WORD ("," WORD)* [last]\nlast: SIGN WORD\nWORD: /[a-z]+/\nSIGN: "!"\n%ignore SPACE\nSPACE: / +/\n'
    told = {run(script.format(text=text), PYTHONHASHSEED=seed, PATH=os.defpath) for seed in ("0", "1", "2")}
    assert len(told) == 1


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ("query: (A | [B])", "may be empty"),
        ("query: part B\n?part: A | A part", "left out where it has one part"),
        ('query: A B "long"', "signs are one character"),
        ('query: A "!" | B SIGN\nSIGN: "!"', "dropped everywhere or nowhere"),
    ],
)
def test_what_the_reader_does_not_know_is_refused_when_the_table_is_made(rules: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        grammar.made(f"{rules}\nA: /a+/\nB: /b+/\nSPACE: / +/\n%ignore SPACE\n")


def test_reading_writes_nothing_and_needs_no_lark(tmp_path: Path) -> None:
    grammar.write_table()
    script = "import sys; from nql.syntax.parse import parse; parse('devices'); print('lark' in sys.modules)"
    told = run(script, TMPDIR=str(tmp_path), HOME=str(tmp_path), PYTHONDONTWRITEBYTECODE="1")
    assert told == "False\n"
    assert list(tmp_path.iterdir()) == []
