"""The command line as a program, and its frame: start, help, exit codes, words for errors.

Comes in: argument lists. Goes out: nothing. Invariant held here: no traceback without --debug, nothing heavy loaded
for help, every command documented.
"""

import subprocess
import sys

import pytest

from muster.cli import main
from muster.registry import COMMANDS, PARTS, part
from tests.architecture.project import ROOT
from tests.muster.settings import environment

HEAVY = ("polars", "pyarrow", "duckdb", "sqlalchemy", "starlette", "sqlglot")


def program(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "muster", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env=environment(**variables))


def test_help_lists_every_command() -> None:
    done = program("--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert all(f"  {name} " in done.stdout for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])
    assert ended.value.code == 0
    assert f"muster {name} " in capsys.readouterr().out.split("examples:")[1]


@pytest.mark.parametrize("name", PARTS)
def test_every_part_is_there(name: str) -> None:
    assert part(name).__doc__


@pytest.mark.slow
def test_nothing_heavy_is_loaded_to_talk_to_a_portal() -> None:
    names = ["query", "nql", "lsp", "actions", "runs", "users", "tokens", "enroll-key", "devices", "serve", "demo"]
    code = f"import sys; from muster.registry import command; print([command(name).DESCRIPTION for name in {names}])"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}; print(*sys.modules)"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert not set(HEAVY) & set(done.stdout.split())


def test_an_unknown_command_is_told_with_a_close_one() -> None:
    done = program("quary")
    assert (done.returncode, done.stdout) == (2, "")
    assert "Did you mean query?" in done.stderr


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("muster 0.")


def test_nobody_answers(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["query", "devices", "--url", "http://127.0.0.1:1"]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("muster: No portal answers at http://127.0.0.1:1")
    assert "muster serve" in said.err
    assert "Traceback" not in said.err


@pytest.mark.slow
def test_debug_shows_where() -> None:
    done = program("query", "devices", "--url", "http://127.0.0.1:1", "--debug")
    assert done.returncode == 1
    assert "Traceback" in done.stderr


@pytest.mark.slow
def test_a_token_is_no_option() -> None:
    done = program("query", "devices", "--token", "secret")
    assert done.returncode == 2
    assert "unrecognized arguments: --token" in done.stderr


def test_a_reader_who_has_enough_ends_it_quietly() -> None:
    command = f"{sys.executable} -m muster --help | head -1"
    done = subprocess.run(command, shell=True, cwd=ROOT, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("usage: muster COMMAND [options]\n", "")
