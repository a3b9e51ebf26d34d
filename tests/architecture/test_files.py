"""What stands in the tracked files that are not Python: locks, settings, addresses, names.

Comes in: the files that git tracks. Goes out: the file and line of what must not be there. Invariant:
a clone builds from any registry on any machine, so no file names one, and every lock carries hashes.
"""

import json
import re
from pathlib import Path

import pytest

from tests.architecture.project import ROOT, settings, tracked
from tests.architecture.rules import MOST_LINES

SELF = Path(__file__)
MACHINE = re.compile(
    r"(?<![\w.~-])/(work|root)/[\w.]"  # folders of a machine this was written on
    r"|--(?:extra-)?index-url[ =]|\"resolved\": *\"|\bhttps?://\S+/simple\b"  # where packages come from
)
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))


def texts() -> list[tuple[Path, str]]:
    """Every tracked file that is text."""
    found = []
    for path in tracked():
        content = path.read_bytes()
        if b"\0" not in content and path != SELF:
            found.append((path, content.decode("utf-8", errors="replace")))
    return found


def test_no_machine_and_no_registry_is_named() -> None:
    lines = [
        f"{path.relative_to(ROOT)}:{number} {line.strip()[:120]}"
        for path, text in texts()
        for number, line in enumerate(text.splitlines(), 1)
        if MACHINE.search(line)
    ]
    assert not lines, "\n".join(lines)


def test_a_machine_or_registry_would_be_found() -> None:
    assert MACHINE.search(f"data in {Path('/', 'root', 'data')}")
    assert MACHINE.search("--extra-" + "index-url=somewhere")
    assert MACHINE.search("from https:" + "//packages.example/simple/x")
    assert MACHINE.search('"resol' + 'ved": "there"')
    assert not MACHINE.search(f"the folder {Path('portal', 'work', 'list')}")


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_python_lock_has_hashes_and_no_addresses(lock: Path) -> None:
    text = lock.read_text()
    assert not re.search(r"https?://|file:|^-|^\S+ @ ", text, re.MULTILINE)
    requirements = [block for block in re.split(r"\n(?=\w)", text.strip()) if not block.startswith("#")]
    assert requirements
    assert [block.split()[0] for block in requirements if "==" not in block or "--hash=sha256:" not in block] == []


def test_locks_hold_every_declared_package() -> None:
    groups = [name for group in settings()["dependency-groups"].values() for name in group]
    runtime = [*settings()["project"]["dependencies"], *settings("agent")["project"]["dependencies"]]
    extras = [name for extra in settings()["project"]["optional-dependencies"].values() for name in extra]
    build = [*settings()["build-system"]["requires"], *settings("agent")["build-system"]["requires"]]
    wanted = {"runtime": runtime, "dev": [*runtime, *groups, *extras, *build], "build": build}
    for name, requirements in wanted.items():
        locked = re.findall(r"^([\w.-]+)==", (ROOT / f"requirements/{name}.txt").read_text(), re.MULTILINE)
        missing = {re.split(r"[^\w.-]", requirement)[0] for requirement in requirements} - set(locked)
        assert missing <= {"muster-agent"}, f"{name}: make lock"


def test_npm_lock_has_hashes_and_no_addresses() -> None:
    packages = json.loads((ROOT / "portal/web/package-lock.json").read_text())["packages"]
    installed = {name: entry for name, entry in packages.items() if name}
    assert installed
    assert [name for name, entry in installed.items() if "resolved" in entry or "integrity" not in entry] == []


def test_one_version() -> None:
    version = re.search(r'__version__ = "(.+)"', (ROOT / "agent/version.py").read_text())
    assert version is not None
    assert settings()["tool"]["hatch"]["version"]["path"] == "agent/version.py"
    assert settings("agent")["tool"]["hatch"]["version"]["path"] == "version.py"
    assert f"muster-agent=={version[1]}" in settings()["project"]["dependencies"]


def test_agent_has_at_most_three_dependencies() -> None:
    assert len(settings("agent")["project"]["dependencies"]) <= 3


def test_makefile_has_at_most_ten_targets() -> None:
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert {"demo", "test", "quick", "bench", "serve"} <= set(targets)
    assert len(targets) <= 10


def test_typescript_files_are_split_by_subject() -> None:
    sources = [(path, text) for path, text in texts() if path.suffix in {".ts", ".tsx", ".mjs"}]
    assert [str(path.relative_to(ROOT)) for path, text in sources if text.count("\n") > MOST_LINES] == []
