"""What docs/editors.md tells people to copy is what it says: settings that can be read, commands that exist."""

from __future__ import annotations

import json
import re
import tomllib

import pytest

from muster.cli import main
from tests.architecture.project import ROOT

PAGE = (ROOT / "docs" / "editors.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


def test_settings_can_be_read() -> None:
    package, language = map(json.loads, blocks("json"))
    assert package["contributes"]["languages"][0]["extensions"] == [".nql"]
    assert language["comments"]["lineComment"] == "//"
    [helix] = map(tomllib.loads, blocks("toml"))
    assert helix["language-server"]["nql"] == {"command": "muster", "args": ["lsp"]}
    grammar = json.loads((ROOT / "docs" / package["contributes"]["grammars"][0]["path"]).read_text())
    assert grammar["scopeName"] == package["contributes"]["grammars"][0]["scopeName"] == helix["language"][0]["scope"]


@pytest.mark.parametrize("option", ["--url", "--strict nexthink"])
def test_options_are_there(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert f"`{option}" in PAGE
    with pytest.raises(SystemExit):
        main(["lsp", "--help"])
    name, _, value = option.partition(" ")
    said = capsys.readouterr().out
    assert name in said
    assert value in said
