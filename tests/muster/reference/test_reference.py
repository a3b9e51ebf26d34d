"""The reference in `docs/reference` is what the language is today: made again, every page is the same.

Comes in: the pages in the checkout. Goes out: nothing. Invariant held here: a change of catalog, functions, codes,
extensions or decisions that leaves the pages behind fails with the command that makes them anew.
"""

import re
import shutil
from collections.abc import Iterable
from pathlib import Path

import pytest

from muster.cli import main
from muster.errors import FAILED
from muster.reference import contents
from muster.reference.markdown import anchor, plain
from nql.catalog.load import builtin
from nql.codes import CODES
from nql.decisions import DECISIONS
from nql.extensions import EXTENSIONS
from nql.functions import FUNCTIONS
from nql.nxql.codes import CODES as CLASSIC
from nql.nxql.mapping import classic

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "docs/reference"
AGAIN = f"the reference is behind; run: .venv/bin/{contents.COMMAND}"


def test_pages_that_need_no_answers_are_those_of_the_checkout() -> None:
    differing = [name for name, text in contents.plain().items() if (FOLDER / name).read_text("utf-8") != text]
    assert differing == [], AGAIN


@pytest.mark.slow
def test_the_pages_are_those_of_the_checkout(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One page is changed on purpose: it is told, and no other."""
    copy = tmp_path / "reference"
    shutil.copytree(FOLDER, copy)
    (copy / "null.md").write_text("something else", encoding="utf-8")
    assert main(["nql", "reference", str(copy), "--check"]) == FAILED
    told = capsys.readouterr().out.splitlines()
    pages = len(list(FOLDER.glob("*.md")))
    assert told == [f"{copy / 'null.md'} would change", f"{pages} pages, 1 would change"], AGAIN


def test_everything_has_its_place() -> None:
    text = {path.name: path.read_text("utf-8") for path in FOLDER.glob("*.md")}
    assert [name for name in FUNCTIONS if f"\n### {name}\n" not in text["functions.md"]] == []
    assert [name for name in EXTENSIONS if f"\n## {name}\n" not in text["extensions.md"]] == []
    assert [name for name in DECISIONS if f"\n## {name} " not in text["decisions.md"]] == []
    assert [code for code in CODES if f"\n### {code} " not in text["errors.md"]] == []
    assert [code for code in CLASSIC if f"\n### {code} " not in text["nxql-errors.md"]] == []
    for table in builtin().tables.values():
        own = text[f"tables-{table.namespace}.md"].split(f"\n## {plain(table.name)}\n")[1].split("\n## ")[0]
        assert [name for name in table.fields if f"| `{name}` |" not in own] == [], table.name
        assert "Filled today by: " in own


def test_every_name_of_the_classic_model_has_its_line() -> None:
    objects, events = (FOLDER / "nxql.md").read_text("utf-8").split("\n## Names of events\n")
    known = classic()

    def lacking(part: str, title: str, *fields: Iterable[str]) -> list[str]:
        own = part.split(f"\n### {title}\n")[1].split("\n### ")[0]
        return [name for names in fields for name in names if f"| `{name}` |" not in own]

    for item in known.objects.values():
        assert lacking(objects, item.name, item.fields) == [], item.name
    for event in known.events.values():
        for one in event.variants:
            assert lacking(events, event.name, one.fields, one.aggregates) == [], event.name
    assert [name for name in known.absent if f"| `{name}` |" not in objects] == []


@pytest.mark.parametrize(
    "name", ["nxql.md", "functions.md", "extensions.md", "decisions.md", "tutorial.md", "clauses.md"]
)
def test_examples_find_something(name: str) -> None:
    assert "\n0 rows" not in (FOLDER / name).read_text("utf-8")


def test_every_link_leads_to_a_heading() -> None:
    text = {path.name: path.read_text("utf-8") for path in FOLDER.glob("*.md")}
    headings = re.compile(r"^#+ (.+)$", re.MULTILINE)
    anchors = {name: {anchor(title) for title in headings.findall(page)} for name, page in text.items()}
    for name, page in text.items():
        for target, _, heading in (found.partition("#") for found in re.findall(r"\]\(([^)\s]+)\)", page)):
            if "/" in target:
                assert (FOLDER / target).exists(), f"{name}: {target}"
                continue
            assert (target or name) in text, f"{name}: {target}"
            assert not heading or heading in anchors[target or name], f"{name}: {target}#{heading}"


def test_what_a_folder_lacks_or_holds_too_much_differs(tmp_path: Path) -> None:
    contents.write(tmp_path, {"a.md": "one\n", "b.md": "two\n"})
    assert contents.differing(tmp_path, {"a.md": "one\n", "b.md": "two\n"}) == []
    assert contents.differing(tmp_path, {"a.md": "other\n", "c.md": "three\n"}) == ["a.md", "b.md", "c.md"]
    assert contents.write(tmp_path, {"a.md": "one\n"}) == ["b.md"]
    assert [path.name for path in tmp_path.iterdir()] == ["a.md"]
