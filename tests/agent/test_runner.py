"""Scripts end in a truthful state whatever they do, and leave no process and no file behind.

Comes in: small scripts in Bash and Python, most of them nasty. Goes out: their `Ended`. Invariant: after
each run the runs folder is empty, and a process that a script tried to leave behind is gone.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Timer

import pytest

from agent.supervisor import Allowance
from tests.agent.scripts import job, run


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    tmp_path.chmod(0o700)
    yield tmp_path
    assert list((tmp_path / "runs").iterdir()) == []


def alive(pid: int) -> bool:
    """Whether a process runs (a zombie that nobody collects does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def gone(path: Path) -> bool:
    """Whether every process whose id a script wrote into a file is gone within a second."""
    pids = [int(text) for text in path.read_text().split()]
    assert pids
    deadline = time.monotonic() + 1
    while any(map(alive, pids)) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not any(map(alive, pids))


BASH_OUTPUTS = r"""
. "$MUSTER/output.sh"
muster_output string s 'a "quoted" $(text) %s'
muster_output bool b true
muster_output uint32 u 4294967295
muster_output float f -1.5
muster_output size z 1e12
muster_output ratio r 0.25
muster_output bitrate p 1000
muster_output date_time d 1700000000
muster_output duration t 1500
muster_output string_list l one '' 'two
lines'
"""
VENDOR_OUTPUTS = BASH_OUTPUTS.replace('"$MUSTER/output.sh"', '"${NEXTHINK}/bash/nxt_ra_script_output.sh"').replace(
    "muster_output ", "nxt_write_output_"
)
PYTHON_OUTPUTS = r"""
from datetime import datetime, timedelta, timezone
import muster_output as out
out.write_string("s", 'a "quoted" $(text) %s')
out.write_bool("b", True)
out.write_uint32("u", 4294967295)
out.write_float("f", -1.5)
out.write_size("z", 1e12)
out.write_ratio("r", 0.25)
out.write_bitrate("p", 1000)
out.write_date_time("d", datetime.fromtimestamp(1700000000, timezone.utc))
out.write_duration("t", timedelta(milliseconds=1500))
out.write_string_list("l", ["one", "", "two\nlines"])
"""
VALUES = {
    "s": 'a "quoted" $(text) %s', "b": True, "u": 4294967295, "f": -1.5, "z": 1e12, "r": 25.0, "p": 1000.0,
    "d": 1_700_000_000_000_000, "t": 1_500_000, "l": ["one", "", "two\nlines"],
}  # fmt: skip


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("bash", BASH_OUTPUTS),
        ("bash", VENDOR_OUTPUTS),
        ("python", PYTHON_OUTPUTS),
    ],
    ids=["bash", "vendor", "python"],
)
def test_ten_types(folder: Path, language: str, text: str) -> None:
    ended = run(folder, job(text, language=language))
    assert (ended.state, ended.detail, ended.exit_code, ended.error) == ("success", "", 0, "")
    assert ended.outputs == VALUES


def test_inputs_arrive_as_they_are(folder: Path) -> None:
    hostile = "; rm -rf / #\n$(id) `id` \"'\\ --flag ünï \u202e"
    text = """
. "$MUSTER/output.sh"
muster_output string s "$MUSTER_INPUT_FIRST"
muster_output string_list l "$1" "$2" "$(cat "$MUSTER_INPUTS" | wc -l)"
"""
    ended = run(folder, job(text, inputs={"first": hostile, "second": "-rf"}))
    assert ended.outputs == {"s": hostile, "l": [hostile, "-rf", "0"]}


def test_exit_code_and_standard_error(folder: Path) -> None:
    ended = run(folder, job('echo out; echo "went wrong" >&2; exit 3'))
    assert (ended.state, ended.exit_code, ended.error) == ("failure", 3, "went wrong")
    assert ended.detail == "the script ended with exit code 3"


def test_outputs_count_on_failure_too(folder: Path) -> None:
    ended = run(folder, job('. "$MUSTER/output.sh"; muster_output uint32 u 7; exit 1'))
    assert (ended.state, ended.outputs) == ("failure", {"u": 7})


def test_killed_by_its_own_signal(folder: Path) -> None:
    ended = run(folder, job("kill -SEGV $$"))
    assert (ended.state, ended.exit_code, ended.detail) == ("failure", -11, "the script was killed by signal SIGSEGV")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("string nowhere x", "output 'nowhere' is not declared"),
        ("string u x", "output u is declared as uint32 and was written as string"),
        ("uint32 u -1", "output u is not between 0 and 4294967295"),
        ("uint32 u 1.5", "output u is no whole number"),
        ("bool b yes", "output b is neither true nor false"),
        ("float f nan", "output f is not between"),
        ("float f 1e39", "output f is not between"),
        ("size z -1", "output z is not between 0"),
        ("duration t 4233600001", "output t is not between"),
        ("date_time d yesterday", "output d is neither seconds since 1970"),
        ("date_time d 2024-01-01T00:00:00", "output d is a date and time without a zone"),
        ("string s one two", "output s takes one value"),
        ("string s", "output s takes one value"),
    ],
)
def test_wrong_outputs_are_said(folder: Path, line: str, said: str) -> None:
    ended = run(folder, job(f'. "$MUSTER/output.sh"; muster_output bitrate p 5; muster_output {line}'))
    assert (ended.state, ended.exit_code, ended.outputs) == ("failure", 0, {"p": 5.0})
    assert said in ended.detail


def test_texts_are_cut_at_their_limit(folder: Path) -> None:
    write = 'muster_output string s "$long"; muster_output string_list l "$long"'
    text = '. "$MUSTER/output.sh"; long=$(printf "é%.0s" {1..1000}); ' + write
    ended = run(folder, job(text))
    assert (ended.state, ended.outputs) == ("success", {"s": "é" * 512, "l": ["é" * 512]})


@pytest.mark.parametrize("garbage", [r"\xff\xfe\x00\x01", r"string\0s\0", r"string\0s\0999999\0", r"x\0y\0-1\0"])
def test_garbage_on_the_pipe(folder: Path, garbage: str) -> None:
    ended = run(folder, job(f"printf '{garbage}' >> \"$MUSTER_OUTPUT\""))
    assert ended.state == "failure"
    assert "not in the form" in ended.detail or "not declared" in ended.detail


def test_invalid_utf8_everywhere(folder: Path) -> None:
    ended = run(
        folder,
        job(r""". "$MUSTER/output.sh"; printf 'bad \xff\xfe\0 end' >&2; muster_output string s $'\xc3('; exit 1"""),
    )
    assert ended.error == "bad \ufffd\ufffd\ufffd end"
    assert ended.outputs == {"s": "\ufffd("}


@pytest.mark.slow
def test_floods_are_bounded(folder: Path) -> None:
    text = 'head -c 40000000 /dev/zero; head -c 8000000 /dev/zero | tr "\\0" x >&2; echo last words >&2; exit 5'
    ended = run(folder, job(text))
    assert ended.exit_code == 5
    assert len(ended.error) < 4096
    assert ended.error.startswith("xxx")
    assert ended.error.endswith("last words")


def test_a_flood_of_outputs_is_said(folder: Path) -> None:
    ended = run(
        folder, job('. "$MUSTER/output.sh"; muster_output uint32 u 1; yes | head -c 3000000 >> "$MUSTER_OUTPUT"')
    )
    assert (ended.state, ended.outputs) == ("failure", {"u": 1})
    assert "more outputs than are read" in ended.detail


@pytest.mark.slow
def test_timeout_kills_what_ignores_it(folder: Path) -> None:
    child = f"(trap '' TERM; echo $BASHPID >> {folder}/pids; sleep 60) &"
    text = f"trap '' TERM INT HUP; echo $$ > {folder}/pids; {child} while :; do sleep 1; done"
    began = time.monotonic()
    ended = run(folder, job(text, timeout=1))
    assert time.monotonic() - began < 10
    assert (ended.state, ended.exit_code) == ("failure", None)
    assert ended.detail.startswith("timed out after 1 s")
    assert gone(folder / "pids")


def test_time_stands_still_while_a_script_waits_but_not_for_ever() -> None:
    def passed(allowance: Allowance) -> bool:
        """Whether an instant took something from what is left."""
        before, now = allowance.left(), time.monotonic()
        while time.monotonic() == now:
            pass
        return allowance.left() < before

    waits, goes_on, too_long = Allowance(60, 1e9), Allowance(60, 1e9), Allowance(60, 0)
    for allowance in (waits, goes_on, too_long):
        assert passed(allowance)
        allowance.hear(b"wait")
    goes_on.hear(b"go")
    assert (passed(goes_on), passed(too_long)) == (True, True)
    before = waits.left()
    assert abs(waits.left() - before) < 1e-6


def test_nothing_survives_the_script(folder: Path) -> None:
    escape = (
        f"import os,time\nif os.fork(): os._exit(0)\nos.setsid()\nif os.fork(): os._exit(0)\n"
        f"os.environ.clear()\nopen({str(folder / 'pids')!r},'a').write(f'{{os.getpid()}}\\n')\n"
        "os.execve('/bin/sleep', ['sleep', '60'], {})\n"
    )
    (folder / "escape.py").write_text(escape)
    text = f"python3 {folder}/escape.py; setsid nohup sleep 60 & echo $! >> {folder}/pids; sleep 0.3"
    ended = run(folder, job(text))
    assert (ended.state, ended.exit_code) == ("success", 0)
    assert len((folder / "pids").read_text().split()) == 2
    assert gone(folder / "pids")


@pytest.mark.slow
def test_many_processes_are_ended(folder: Path) -> None:
    text = f"for i in $(seq 100); do (trap '' TERM; echo $BASHPID >> {folder}/pids; sleep 60) & done; wait"
    ended = run(folder, job(text, timeout=1))
    assert ended.detail.startswith("timed out")
    assert gone(folder / "pids")


def test_cancel(folder: Path) -> None:
    cancelled = Event()
    times: list[int] = []
    timer = Timer(0.2, cancelled.set)
    timer.start()
    ended = run(folder, job(f"echo $$ > {folder}/pids; sleep 60"), started=times.append, cancelled=cancelled)
    timer.join()
    assert ended.state == "cancelled"
    assert len(times) == 1
    assert ended.started_at == times[0]
    assert gone(folder / "pids")


def test_a_killed_supervisor_is_said(folder: Path) -> None:
    ended = run(folder, job(f"echo $$ > {folder}/pids; kill -9 $PPID; sleep 60"))
    assert ended.state == "failure"
    assert "how the script ended is not known" in ended.detail
    assert gone(folder / "pids")


def test_a_missing_interpreter_is_said(folder: Path) -> None:
    ended = run(folder, job("echo", language="zsh"))
    assert (ended.state, ended.detail) == ("failure", "the script could not be started: there is no zsh on this device")


def test_the_environment_is_not_ours(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MUSTER_ENROL_KEY", "secret")
    ended = run(
        folder,
        job('. "$MUSTER/output.sh"; muster_output string s "${MUSTER_ENROL_KEY-unset} $(ls -l /proc/self/fd | wc -l)"'),
    )
    word, count = str(ended.outputs["s"]).split()
    assert word == "unset"
    assert int(count) <= 6  # the three standard ones, what ls itself opens, and its heading
    assert "MUSTER_ENROL_KEY" in os.environ
