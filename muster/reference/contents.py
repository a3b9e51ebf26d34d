"""All pages of the reference, and how they are written and compared.

In: a folder. Out: Markdown files there, or the names of those that differ. Invariant: the folder holds these pages and
no other; what the pages say comes from the data of the language and from queries that ran.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from muster.reference import (
    classic,
    decisions,
    diagnostics,
    extensions,
    functions,
    manuscript,
    operators,
    tables,
    times,
)
from muster.reference.estate import Answers, answers

COMMAND = "muster nql reference docs/reference"
PARTS: Mapping[str, Callable[[Answers], str]] = {
    "explained": lambda asked: asked.explained(EXPLAINED),
    "classic_names": lambda _: classic.names(),
    "comparisons": lambda _: operators.comparisons(),
    "operators_beyond": lambda _: operators.beyond(),
    "arithmetic": lambda _: operators.arithmetic(),
    "selections": lambda _: times.selections(),
    "dates": lambda _: times.dates(),
    "clock_changes": lambda _: times.clock_changes(),
}
EXPLAINED = "devices during past 7d | include execution.crashes during past 7d | compute n = count() | where n > 2"
MARK = "<!-- Made by `muster nql reference`; a change here is lost. -->\n\n"


def plain() -> dict[str, str]:
    """The pages that need no answers, by file name."""
    return _marked({**tables.pages(), **diagnostics.pages()})


def answered(asked: Answers) -> dict[str, str]:
    """The pages whose queries run, by file name."""
    found = {f"{name}.md": manuscript.page(name, asked, PARTS) for name in manuscript.names()}
    return _marked(
        {
            **found,
            "functions.md": functions.page(asked),
            "extensions.md": extensions.page(asked),
            "decisions.md": decisions.page(asked),
        }
    )


def every() -> dict[str, str]:
    """All pages, by file name. Takes some seconds, most of them for the estate."""
    with answers() as asked:
        return dict(sorted({**plain(), **answered(asked)}.items()))


def write(folder: Path, pages: Mapping[str, str]) -> list[str]:
    """Write the pages that differ and remove those that are no more; their names."""
    folder.mkdir(parents=True, exist_ok=True)
    changed = differing(folder, pages)
    for name in changed:
        if name in pages:
            (folder / name).write_text(pages[name], encoding="utf-8", newline="\n")
        else:
            (folder / name).unlink()
    return changed


def differing(folder: Path, pages: Mapping[str, str]) -> list[str]:
    """The names of pages that a folder lacks, holds otherwise, or should not hold."""
    held = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.md")}
    return sorted(name for name in {*held, *pages} if held.get(name) != pages.get(name))


def _marked(pages: Mapping[str, str]) -> dict[str, str]:
    return {name: MARK + text for name, text in pages.items()}
