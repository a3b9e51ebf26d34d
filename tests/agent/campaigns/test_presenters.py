"""How a person is found and asked: persons of a made-up /proc, programs that stand in for a desktop's, real dialogs of
bytes over real sockets.

Comes in: folders, small programs, typed lines. Goes out: replies. Invariant: nothing here opens a window on the desktop
of whoever runs the tests, but for the window itself, which is tested on a virtual screen.
"""

from __future__ import annotations

import io
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from agent.campaigns import answer, here, person
from agent.campaigns.desk import Asking, CannotShowError, Desk
from agent.campaigns.desktop import Window
from agent.campaigns.person import Person, UnknownPersonError
from agent.campaigns.questions import Answered, Campaign, Choice, Question, Reply, Sheet, reply
from agent.campaigns.terminal import MOST_CLIENTS, Terminal, place, printable, tell, waiting

NOW, LATER = Choice("now", "Now"), Choice("later", "--Later <b>")
CAMPAIGN = Campaign(
    "#ask",
    "A \x1b[31mquestion",
    (
        Question("when", "When & where?", "single", (NOW, LATER)),
        Question("what", "What?", "multiple", (Choice("a", "A"), Choice("b", "B"))),
        Question("how", "How was it?", "rating"),
        Question("why", "Why?", "text"),
    ),
)
SHEET = Sheet(CAMPAIGN, "portal.example", "#test")
FULL = {"when": ["later"], "what": ["a", "b"], "how": ["4"]}
ANNA = Person("anna", os.geteuid(), os.getegid(), (), "/", {"DISPLAY": ":nowhere"}, ("/dev/nowhere",))


class Screen:
    """An asking, and what became of it."""

    def __init__(self, whom: Person = ANNA, seconds: float = 20.0, sheet: Sheet = SHEET) -> None:
        self.shown, self.gone = threading.Event(), threading.Event()
        self.asking = Asking(sheet, whom, time.monotonic() + seconds, self.gone.is_set, self.shown.set)
        self.replies: list[Reply | Exception] = []

    def begin(self, show: Callable[[Asking], Reply]) -> threading.Thread:
        def work() -> None:
            try:
                self.replies.append(show(self.asking))
            except CannotShowError as error:
                self.replies.append(error)

        thread = threading.Thread(target=work)
        thread.start()
        return thread


# --- persons -----------------------------------------------------------------------------------
def process(proc: Path, number: int, name: str, user: int, terminal: int = 0, environment: str = "") -> None:
    folder = proc / str(number)
    folder.mkdir(parents=True)
    (folder / "stat").write_text(f"{number} ({name}) S 1 {number} {number} {terminal} {number} 0 0 0\n")
    (folder / "environ").write_bytes(environment.replace(" ", "\0").encode())
    os.chown(folder, user, -1)


def pts(number: int) -> int:
    return os.makedev(136, number)


system = pytest.mark.skipif(os.geteuid() != 0, reason="the system may make processes of other accounts up")


@system
def test_the_person_with_a_desktop_and_a_shell(tmp_path: Path) -> None:
    process(tmp_path, 5, "session", 1, environment="DISPLAY=:1 SECRET=x XDG_RUNTIME_DIR=/run/user/1 LD_PRELOAD=/evil")
    process(tmp_path, 6, "other", 1, environment="DISPLAY=:2")
    process(tmp_path, 7, "bash", 1, pts(300))
    process(tmp_path, 8, "vim", 1, pts(4))
    process(tmp_path, 9, "-zsh", 1, os.makedev(4, 2))
    process(tmp_path, 10, "bash", 0, pts(9))
    (tmp_path / "uptime").touch()
    found = person.find(None, tmp_path, 0, 1)
    assert found.desktop == {"DISPLAY": ":1", "XDG_RUNTIME_DIR": "/run/user/1"}
    assert found.terminals == ("/dev/pts/300", "/dev/tty2")
    assert found.user == 1


@system
def test_nobody_or_too_many(tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    with pytest.raises(UnknownPersonError, match="nobody is logged in"):
        person.find(None, tmp_path / "proc", 0)
    process(tmp_path / "proc", 7, "bash", 0, pts(1))
    assert person.find(None, tmp_path / "proc", 0).terminals == ("/dev/pts/1",)
    process(tmp_path / "proc", 8, "bash", 65_534, pts(2))
    assert person.find(None, tmp_path / "proc", 0).user == 0
    process(tmp_path / "proc", 9, "bash", 123_456, pts(3))
    with pytest.raises(UnknownPersonError, match="123456 is not known here"):
        person.find(None, tmp_path / "proc", 0)


@system
def test_two_people_are_not_asked(tmp_path: Path) -> None:
    for number in (1, 2):
        process(tmp_path, number, "bash", number, pts(number))
    with pytest.raises(UnknownPersonError, match=r"2 people are logged in \(\w+, \w+\): it is not clear whom to ask"):
        person.find(None, tmp_path, 0, 1)


def test_an_agent_without_rights_asks_its_own_account(tmp_path: Path) -> None:
    own = os.geteuid() or 1
    if os.geteuid() == 0:
        process(tmp_path, 4, "bash", 2, pts(4))
    folder = tmp_path / "5"
    process(tmp_path, 5, "bash", own if os.geteuid() == 0 else -1, pts(5))
    assert folder.is_dir()
    assert person.find(None, tmp_path, own).terminals == ("/dev/pts/5",)


# --- the terminal ------------------------------------------------------------------------------
def questions(tmp_path: Path) -> list[str]:
    names = waiting(Path("/proc/net/unix").read_text().splitlines())
    return [name for name in names if name.startswith(place(tmp_path))]


def asked(tmp_path: Path, screen: Screen) -> tuple[threading.Thread, list[str]]:
    notices: list[str] = []

    def say(terminal: str, text: str) -> bool:
        notices.append(text)
        return True

    thread = screen.begin(Terminal(place(tmp_path), say).show)
    assert screen.shown.wait(20)
    return thread, notices


def test_typed_answers(tmp_path: Path) -> None:
    screen, shown = Screen(), io.StringIO()
    thread, notices = asked(tmp_path, screen)
    typed = io.StringIO("9\nx\n1 2\n2\n\n1,1 2\n6\n4\nwhatever\n")
    assert answer.answer(tmp_path, typed, shown) == 0
    thread.join()
    assert screen.replies == [Reply("fully", "", CHOSEN)]
    assert "\x1b" not in notices[0] + shown.getvalue()
    assert shown.getvalue().count("That is none of the choices.") == 5
    assert shown.getvalue().endswith("Thank you.\n")
    assert answer.answer(tmp_path, typed, shown) == 1


@pytest.mark.parametrize(("typed", "status"), [("l\n", "postponed"), ("1\nN\n", "declined"), ("", "postponed")])
def test_typed_refusals(tmp_path: Path, typed: str, status: str) -> None:
    screen = Screen()
    thread, _ = asked(tmp_path, screen)
    assert answer.answer(tmp_path, io.StringIO(typed), io.StringIO()) == 0
    thread.join()
    assert screen.replies == [Reply(status)]  # type: ignore[arg-type]


@pytest.mark.parametrize(("action", "comments"), [("#test", {}), ("", {"why": "because"})])
def test_what_is_written_reaches_the_portal_and_no_script(action: str, comments: dict[str, str]) -> None:
    class Says:
        def show(self, asking: Asking) -> Reply:
            return reply(CAMPAIGN, Answered("fully", FULL, comments={"why": "because", "when": "no text"}))

    desk = Desk((Says(),), lambda account: ANNA, "portal.example")
    heard = desk.ask(Sheet(CAMPAIGN, "portal.example", action), None, 5.0, lambda: False, lambda: None)
    assert heard == Reply("fully", "", CHOSEN, "anna", comments)


def test_who_is_present(tmp_path: Path) -> None:
    process(tmp_path, 10, "bash", 1000, pts(1))
    process(tmp_path, 11, "Xorg", 1001, 0, "DISPLAY=:0")
    process(tmp_path, 12, "bash", 0, pts(2))
    process(tmp_path, 13, "cron", 1002)
    assert person.present(tmp_path, 0) == [1000, 1001]
    assert person.present(tmp_path, 1000) == [1000]
    assert person.present(tmp_path, 1002) == []
    assert person.present(tmp_path / "10" / "..", 0, 2000) == [0]


def test_hostile_answers_are_not_taken_and_stop_nothing(tmp_path: Path) -> None:
    screen = Screen()
    thread, _ = asked(tmp_path, screen)
    [name] = questions(tmp_path)
    silent = []
    for said in (
        b"\n",
        b"{}\n",
        b"\xff" * 100 + b"\n",
        b"x" * 150_000,
        b'{"status":"fully","answers":{"when":["now"]}}\n',
    ):
        with socket.socket(socket.AF_UNIX) as talk:
            talk.connect(f"\0{name}")
            while not talk.recv(65_536).endswith(b"\n"):
                pass
            talk.sendall(said)
            talk.settimeout(20)
            assert b"problem" in (heard := talk.recv(1000)) or heard == b"", said
            assert heard != b'{"problem":""}\n'
    for _ in range(MOST_CLIENTS):
        talk = socket.socket(socket.AF_UNIX)
        talk.connect(f"\0{name}")
        silent.append(talk)
    for talk in silent:
        talk.close()
    assert not screen.replies
    assert answer.answer(tmp_path, io.StringIO("2\n1 2\n4\n\n"), io.StringIO()) == 0
    thread.join()
    assert [reply.status for reply in screen.replies if isinstance(reply, Reply)] == ["fully"]


@pytest.mark.slow
def test_a_question_goes_when_its_time_or_its_asker_does(tmp_path: Path) -> None:
    late, left = Screen(seconds=0.3), Screen()
    thread, _ = asked(tmp_path, late)
    thread.join()
    assert late.replies == [Reply("timeout")]
    thread, _ = asked(tmp_path, left)
    left.gone.set()
    thread.join()
    assert [reply.status for reply in left.replies if isinstance(reply, Reply)] == ["timeout"]
    assert questions(tmp_path) == []


@system
def test_only_the_person_and_the_system_hear_the_question(tmp_path: Path) -> None:
    screen = Screen(Person("anna", 1, 1, (), "/", {}, ("/dev/nowhere",)))
    thread, _ = asked(tmp_path, screen)
    [name] = questions(tmp_path)
    code = 'socket(S, AF_UNIX, SOCK_STREAM, 0); connect(S, sockaddr_un("\\0$ARGV[0]")) or die; '
    code += "sysread(S, $said, 99); print length $said"
    heard = []
    for user in (1, 65_533):
        command = ["perl", "-MSocket", "-e", code, name]
        heard.append(subprocess.run(command, user=user, capture_output=True, text=True, check=True, cwd="/").stdout)
    screen.gone.set()
    thread.join()
    assert heard == ["99", "0"]


def test_terminals_that_cannot_be_written_to(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert not tell(str(tmp_path / "file"), "hello")
    assert not tell(str(tmp_path / "nothing"), "hello")
    assert (tmp_path / "file").read_text() == ""
    screen = Screen()
    screen.begin(Terminal(place(tmp_path)).show).join()
    assert [str(reply) for reply in screen.replies] == ["anna has no terminal open"]
    assert not screen.shown.is_set()


def test_control_signs_do_not_reach_a_terminal() -> None:
    assert printable("a\x1b[2J\r\n\u202eb\x07é") == "a [2J   b é"


# --- the window, from the agent's side ---------------------------------------------------------
def program(tmp_path: Path, text: str) -> tuple[str, ...]:
    return (sys.executable, "-c", "import sys, time, os\nsheet = sys.stdin.readline()\n" + text)


CHOSEN = {label: tuple(given) for label, given in FULL.items()}
ANSWER = msgspec.json.encode(Answered("fully", FULL)).decode()


@pytest.mark.parametrize(
    ("text", "heard"),
    [
        (
            f"print('shown', flush=True); print('''{ANSWER}''')",
            Reply("fully", "", CHOSEN),
        ),
        ("print('shown', flush=True)", Reply("notificationfailed", "the window was closed before there was an answer")),
        ("print('shown\\nnonsense', flush=True)", "closed before"),
        ("print('shown', flush=True); print('x' * 150_000, flush=True); time.sleep(60)", "closed before"),
        ('print(\'{"status":"notificationfailed","detail":"the screen is locked"}\')', "the screen is locked"),
        ("sys.exit(3)", "no program on this device can show a window"),
        ("sys.exit(0 if '#test' in sheet and os.environ['DISPLAY'] == ':nowhere' else 1)", "no program"),
    ],
)
def test_what_a_window_says(tmp_path: Path, text: str, heard: Reply | str) -> None:
    screen = Screen()
    screen.begin(Window(program(tmp_path, text)).show).join()
    [reply] = screen.replies
    said = str(reply) if isinstance(reply, Exception) else reply.detail
    assert reply == heard if isinstance(heard, Reply) else heard in said


def test_a_window_is_closed_with_its_question(tmp_path: Path) -> None:
    screen, mark = Screen(), tmp_path / "pid"
    text = f"open({str(mark)!r}, 'w').write(str(os.getpid())); print('shown', flush=True); time.sleep(60)"
    thread = screen.begin(Window(program(tmp_path, text)).show)
    assert screen.shown.wait(20)
    pid = int(mark.read_text())
    screen.gone.set()
    thread.join()
    assert [reply.status for reply in screen.replies if isinstance(reply, Reply)] == ["timeout"]
    assert not Path(f"/proc/{pid}").exists()


@system
def test_a_window_is_a_program_of_its_person(tmp_path: Path) -> None:
    text = (
        'read sheet; [ "$(id -u) $(id -G) $HOME $DISPLAY" = "1 1 / :nowhere" ] && echo shown && echo ' + f"'{ANSWER}'"
    )
    screen = Screen(Person("daemon", 1, 1, (1,), "/", {"DISPLAY": ":nowhere", "HOME": "/evil"}))
    screen.begin(Window(("/bin/sh", "-c", text)).show).join()
    assert screen.replies == [Reply("fully", "", CHOSEN)]


def test_who_has_no_desktop_gets_no_window(tmp_path: Path) -> None:
    for whom, command, said in (
        (Person("anna", 1, 1), (sys.executable,), "anna has no desktop session"),
        (ANNA, ("/nonexistent/program",), "the window could not be started: No such file or directory"),
    ):
        screen = Screen(whom)
        screen.begin(Window(command).show).join()
        assert [str(reply) for reply in screen.replies] == [said]


def test_the_ways_of_an_agent(tmp_path: Path) -> None:
    assert {way: len(here.desk(tmp_path, "https://portal.example:8443/x", way)._presenters) for way in here.WAYS} == {
        "anywhere": 2,
        "terminal": 1,
        "nobody": 0,
    }
    assert here.desk(tmp_path, "https://portal.example:8443/x").asker == "portal.example"
