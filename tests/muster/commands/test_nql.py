"""`muster nql`: findings of files a line each, whatever the files are; what programs get; what the exit code says.

Comes in: folders of query files. Goes out: nothing. Invariants held here: every file is looked at, nothing a file may
be ends in an exception, the worst finding decides the exit code.
"""

import io
import json
import os
import shutil
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muster.cli import main
from muster.query_files import MOST_BYTES

Capture = pytest.CaptureFixture[str]
FINE = "devices | list name"
WRONG = "devices\n| list naem"
WARNED = "devices | include execution.crashes during past 2d"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def put(path: str, content: str | bytes) -> None:
    file = Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content if isinstance(content, bytes) else content.encode())


def check(capsys: Capture, *arguments: str, code: int) -> list[str]:
    assert main(["nql", "check", *arguments]) == code
    printed = capsys.readouterr()
    assert printed.err == ""
    return printed.out.splitlines()


def check_json(capsys: Capture, *arguments: str, code: int) -> Any:
    assert main(["nql", "check", "--format", "json", *arguments]) == code
    return json.loads(capsys.readouterr().out)


def test_findings_have_places_and_are_counted(folder: Path, capsys: Capture) -> None:
    put("b.nql", WRONG)
    put("a.nql", FINE)
    put("c.nql", WARNED)
    printed = check(capsys, ".", code=3)
    assert printed[0].startswith("b.nql:2:8: error NQL202: ")
    assert printed[1].startswith("c.nql:1:19: warning NQL416: ")
    assert printed[2:] == ["3 files, 1 error, 1 warning"]


def test_the_exit_code_says_the_worst(folder: Path, capsys: Capture) -> None:
    put("fine.nql", FINE)
    put("warned.nql", WARNED)
    put("wrong.nql", WRONG)
    assert check(capsys, "fine.nql", code=0) == ["1 file, 0 errors, 0 warnings"]
    assert check(capsys, "fine.nql", "warned.nql", code=6)[-1] == "2 files, 0 errors, 1 warning"
    assert check(capsys, "wrong.nql", "warned.nql", code=3)[-1] == "2 files, 1 error, 1 warning"


def test_folders_at_any_depth_sorted_and_nothing_hidden(folder: Path, capsys: Capture) -> None:
    for name in ("z.nql", "a.nql", "deep/er/b.nql", "deep/a.nql", ".git/x.nql", ".hidden.nql", "notes.txt"):
        put(f"in/{name}", WRONG)
    names = [line.partition(":")[0] for line in check(capsys, "in", code=3)[:-1]]
    assert names == ["in/a.nql", "in/z.nql", "in/deep/a.nql", "in/deep/er/b.nql"]


def test_a_folder_without_queries_is_no_success(folder: Path, capsys: Capture) -> None:
    assert main(["nql", "check", "."]) == 1
    assert "There is no file *.nql in ." in capsys.readouterr().err


def test_loops_of_links_end(folder: Path, capsys: Capture) -> None:
    put("in/a.nql", FINE)
    (folder / "in" / "again").symlink_to(folder / "in")
    (folder / "in" / "self.nql").symlink_to("self.nql")
    (folder / "in" / "gone.nql").symlink_to("nowhere")
    (folder / "in" / "also.nql").symlink_to("a.nql")
    printed = check(capsys, "in", code=3)
    assert printed[0] == "in/gone.nql:1:1: error FILE: The file cannot be read: No such file or directory."
    assert printed[1].startswith("in/self.nql:1:1: error FILE: The file cannot be read: Too many levels of symbolic")
    assert printed[2] == "4 files, 2 errors, 0 warnings"


def test_bytes_that_are_no_text(folder: Path, capsys: Capture) -> None:
    put("latin.nql", 'devices | list name\n| where name == "Z\u00fcrich"'.encode("latin-1"))
    put("windows.nql", FINE.encode("utf-16"))
    put("picture.nql", b"\x89PNG\r\n\x1a\n\x00\x00")
    put("zeros.nql", bytes(5000))
    put("large.nql", b"x" * (MOST_BYTES + 1))
    put("long.nql", "devices | where name == '" + "x" * 16_000 + "'")
    put("empty.nql", "")
    printed = check(capsys, ".", code=3)
    by_name = {line.partition(":")[0]: line.partition(":")[2] for line in printed}
    assert by_name["latin.nql"] == "2:19: error FILE: Byte 39 of the file is not UTF-8. Save it as UTF-8."
    assert by_name["windows.nql"] == "1:1: error FILE: The file is UTF-16. Save it as UTF-8."
    assert by_name["picture.nql"].startswith("1:1: error FILE: Byte 1 of the file is not UTF-8.")
    assert by_name["large.nql"].startswith("1:1: error FILE: The file is larger than 1 MiB.")
    assert "error NQL1" in by_name["zeros.nql"]
    assert "error NQL501" in by_name["long.nql"]
    assert "error NQL1" in by_name["empty.nql"]


def test_a_file_that_never_ends_and_one_that_is_a_folder(folder: Path, capsys: Capture) -> None:
    put("called.nql/inside.nql", WRONG)
    assert "larger than 1 MiB" in check(capsys, "/dev/zero", code=3)[0]
    assert check(capsys, "called.nql", code=3)[0].startswith("called.nql/inside.nql:2:8:")


def test_a_folder_that_cannot_be_read_is_a_finding(folder: Path, capsys: Capture) -> None:
    here = Path.cwd()
    name = "d" * 250
    put("a.nql", FINE)
    for _ in range(20):  # deeper than a path may be long
        Path(name).mkdir()
        os.chdir(name)
    os.chdir(here)
    try:
        printed = check(capsys, ".", code=3)
    finally:
        shutil.rmtree(name)
    assert "error FILE: The folder cannot be read: File name too long." in printed[0]
    assert printed[1] == "2 files, 1 error, 0 warnings"


def test_a_byte_order_mark_is_no_character(folder: Path, capsys: Capture) -> None:
    put("a.nql", b"\xef\xbb\xbfdevicess")
    assert check(capsys, "a.nql", code=3)[0].startswith("a.nql:1:1: error NQL201: ")


def test_places_count_characters(folder: Path, capsys: Capture) -> None:
    put("a.nql", "devices /* \U0001f600 */\r\n| list /* \U0001f600 */ naem")
    assert check(capsys, "a.nql", code=3)[0].startswith("a.nql:2:16: error NQL202: ")


@pytest.mark.slow
@given(st.binary(max_size=120) | st.text(max_size=60).map(lambda text: f"devices | {text}".encode()))
def test_any_bytes_are_answered(content: bytes) -> None:
    with TemporaryDirectory() as here, redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as err:
        Path(here, "a.nql").write_bytes(content)
        code = main(["nql", "check", here])
    *findings, count = out.getvalue().splitlines()
    assert err.getvalue() == ""
    assert all(f"{here}/a.nql:" in line and (": error " in line or ": warning " in line) for line in findings)
    assert count.startswith("1 file, ")
    assert code == (3 if any(": error " in line for line in findings) else 6 if findings else 0)


def test_names_and_texts_stay_on_their_line(folder: Path, capsys: Capture) -> None:
    put("a\nb\x1b[2J.nql", "devices | where name == '\x1b[2J' and naem\n\n == 1")
    put(os.fsdecode(b"caf\xe9.nql"), WRONG)
    printed = check(capsys, ".", code=3)
    assert len(printed) == 3
    assert "a\\nb\\x1b[2J.nql:1:" in printed[0]
    assert "caf\\xe9.nql:2:8: error" in printed[1]
    assert not any(ord(character) < 32 for line in printed for character in line)


def test_standard_input(folder: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(WRONG.encode())))
    assert check(capsys, "-", code=3)[0].startswith("<stdin>:2:8: error NQL202: ")


def test_findings_for_programs(folder: Path, capsys: Capture) -> None:
    put("a.nql", WRONG)
    put("b.nql", FINE)
    said = check_json(capsys, "a.nql", "b.nql", code=3)
    assert (said["files"], said["errors"], said["warnings"]) == (2, 1, 0)
    [finding] = said["findings"]
    assert (finding["file"], finding["line"], finding["column"]) == ("a.nql", 2, 8)
    assert (finding["end_line"], finding["end_column"]) == (2, 12)
    assert (finding["severity"], finding["code"]) == ("error", "NQL202")
    assert {"title": "Replace with name", "start": 15, "end": 19, "replacement": "name"} in finding["fixes"]


def test_what_somebody_may_have_configured_is_taken_for_granted(folder: Path, capsys: Capture) -> None:
    put(
        "a.nql",
        "remote_action.#fix_it.executions during past 7d | where outputs.freed > 1GB | list status, outputs.freed",
    )
    put("b.nql", 'devices | where #floor == "2" | list name, #floor')
    put("c.nql", "campaign.#mood.responses during past 7d | list answers.how_are_you.label")
    put("d.nql", "custom_trend.#disk.snapshots during past 30d | summarize n = free.avg() by 1d")
    assert check(capsys, ".", code=0) == ["4 files, 0 errors, 0 warnings"]


MESSY = "devices|list  name,entity"
NEAT = "devices\n| list name, entity\n"


def test_layout_is_printed(folder: Path, capsys: Capture) -> None:
    put("a.nql", MESSY)
    assert main(["nql", "format", "a.nql"]) == 0
    assert capsys.readouterr().out == NEAT
    assert Path("a.nql").read_text() == MESSY


def test_layout_is_written_where_it_changes(folder: Path, capsys: Capture) -> None:
    put("in/messy.nql", b"\xef\xbb\xbf" + MESSY.replace("|", "\r\n|").encode())
    put("in/neat.nql", NEAT)
    put("in/broken.nql", "devices | | list")
    Path("in/link.nql").symlink_to("messy.nql")
    Path("in/messy.nql").chmod(0o640)
    untouched = Path("in/neat.nql").stat().st_mtime_ns
    assert main(["nql", "format", "--write", "in"]) == 3
    printed = capsys.readouterr()
    assert "in/broken.nql:1:11: error NQL1" in printed.err
    assert printed.out == "4 files, 1 written\n"
    assert Path("in/messy.nql").read_bytes() == b"\xef\xbb\xbf" + NEAT.replace("\n", "\r\n").encode()
    assert Path("in/messy.nql").stat().st_mode & 0o777 == 0o640
    assert Path("in/link.nql").is_symlink()
    assert Path("in/broken.nql").read_text() == "devices | | list"
    assert Path("in/neat.nql").stat().st_mtime_ns == untouched
    assert sorted(path.name for path in Path("in").iterdir()) == ["broken.nql", "link.nql", "messy.nql", "neat.nql"]


def test_what_would_change_is_told(folder: Path, capsys: Capture) -> None:
    put("a.nql", MESSY)
    put("b.nql", NEAT)
    assert main(["nql", "format", "--check", "."]) == 1
    assert capsys.readouterr().out == "a.nql would change\n2 files, 1 would change\n"
    assert Path("a.nql").read_text() == MESSY
    assert main(["nql", "format", "--check", "b.nql"]) == 0


def test_standard_input_is_laid_out(folder: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(MESSY.encode())))
    assert main(["nql", "format", "-"]) == 0
    assert capsys.readouterr().out == NEAT


def test_a_query_in_plain_english(folder: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "devices during past 7d | list name"
    assert main(["nql", "explain", text]) == 0
    sentences = capsys.readouterr().out.splitlines()
    assert sentences
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    assert main(["nql", "explain", "-", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["sentences"] == sentences
    assert main(["nql", "explain", text, "--plan"]) == 0
    assert said["plan"] in capsys.readouterr().out


def test_what_has_errors_cannot_be_explained(folder: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    assert main(["nql", "explain", "devices | list naem"]) == 3
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "                 ^^^^" in printed.err
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"\xff")))
    assert main(["nql", "explain", "-"]) == 1
    assert "is not UTF-8" in capsys.readouterr().err


def test_a_strict_check_refuses_what_is_ours(folder: Path, capsys: Capture) -> None:
    put("a.nql", "devices // all of them\n| list name,")
    assert check(capsys, "a.nql", code=0)[-1] == "1 file, 0 errors, 0 warnings"
    printed = check(capsys, "--strict", "nexthink", "a.nql", code=3)
    assert "error NQL510: " in printed[0]
