"""`muster doctor`: a damaged file is found and named, and nothing is changed.

Comes in: a folder with a small estate. Goes out: nothing. Invariant held here: one flipped bit anywhere in a sealed
file is found.
"""

import json
import shutil
from pathlib import Path

import pytest

from muster.checkup import findings
from muster.cli import main
from muster.clock import now
from muster.estate.load import planned
from muster.folder_load import store_estate

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an estate, to be copied."""
    folder = tmp_path_factory.mktemp("stored") / "data"
    store_estate(folder, planned(3, 1, 1, now()), lambda _: None)
    return folder


@pytest.fixture
def data(stored: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(stored, tmp_path / "data"))


def test_a_sound_folder(data: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(data.parent)
    assert main(["doctor", "--data", data.name]) == 0
    assert "all as they were written" in capsys.readouterr().out
    assert main(["backup", "--data", data.name, "copy"]) == 0
    assert main(["restore", "copy", "--data", "again"]) == 0
    assert main(["doctor", "--data", "again"]) == 0


def test_one_flipped_bit_is_found(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sealed = max((path for path in data.rglob("*.arrow")), key=lambda path: path.stat().st_size)
    whole = bytearray(sealed.read_bytes())
    whole[len(whole) // 2] ^= 1
    sealed.write_bytes(whole)
    assert main(["doctor", "--data", str(data), "--json"]) == 1
    said = json.loads(capsys.readouterr().out)
    assert said["sound"] is False
    assert [item["file"] for item in said["files"] if item["problem"]] == [str(sealed)]


def test_a_missing_file_is_found(data: Path) -> None:
    sealed = next(data.rglob("*.arrow"))
    sealed.unlink()
    assert [finding.file for finding in findings(data) if finding.problem] == [str(sealed)]


def test_what_is_given_up_by_name_is_no_longer_damaged(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tables = data / "tables"
    sealed = max((tables / "segments").glob("*.arrow"), key=lambda path: path.stat().st_size)
    sealed.write_bytes(sealed.read_bytes()[:-1])
    name = sealed.relative_to(tables).as_posix()
    assert main(["doctor", "--data", str(data), "--repair"]) == 1
    assert f"--give-up {name}" in "".join(capsys.readouterr().out.split("\n"))
    assert main(["doctor", "--data", str(data), "--give-up", name]) == 2
    assert main(["doctor", "--data", str(data), "--repair", "--give-up", "nothing"]) == 2
    assert main(["doctor", "--data", str(data), "--repair", "--give-up", name]) == 0
    assert "rows of" in capsys.readouterr().out
    assert main(["doctor", "--data", str(data)]) == 0


def test_a_journal_is_given_up_from_its_damage_on(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    journal = data / "tables" / "journal-00009999.log"
    journal.write_bytes(b"not a journal".ljust(64, b"."))
    assert main(["doctor", "--data", str(data)]) == 1
    assert f"--give-up {journal.name}" in "".join(capsys.readouterr().out.split("\n"))
    assert main(["doctor", "--data", str(data), "--repair", "--give-up", journal.name]) == 0
    assert "ends before its damage now" in capsys.readouterr().out
    assert [path.read_bytes()[:5] for path in (data / "tables" / "quarantine").iterdir()] == [b"not a"]
    assert main(["doctor", "--data", str(data)]) == 0


def test_a_broken_manifest_is_found(data: Path) -> None:
    (data / "tables" / "manifest.json").write_text("{}")
    assert any(finding.problem for finding in findings(data))


def test_no_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--data", str(tmp_path / "missing")]) == 2
    assert "There is no data folder" in capsys.readouterr().err
