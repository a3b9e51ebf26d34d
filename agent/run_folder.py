"""The private folder that one script runs in: the script, its inputs, the functions it may call, the output pipe.

In: a job. Out: a folder, the command line and the environment of the script. Invariants: the folder's name comes from
randomness, never from a message; only the account that the script runs under may look into it; it is removed after
the run, and what a crash left is removed at the next start, without following what the script laid there. Inputs reach
the script as environment, as positional text and as a JSON file, never as part of a program's text.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path

from agent import campaign_functions, files, output_functions, wire
from agent.accounts import Account

SEARCH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
ELSEWHERE = Path("/tmp")  # every account reaches it; the names there are nobody's guess, and open to one account
INTERPRETERS = {"bash": ("bash",), "zsh": ("zsh",), "python": ("python3", "-B")}


class RunFolder:
    """One run's folder, made when the object is; `remove` it. `account` is that of the script, where it is not the
    agent's own: it could not reach the agent's folders, so its folder lies elsewhere, under the name of an empty one
    here. `search` is where programs are looked for."""

    def __init__(
        self,
        parent: Path,
        script: wire.Script,
        inputs: Mapping[str, str],
        account: Account | None = None,
        search: str = SEARCH,
    ) -> None:
        self._marker = files.private_folder(files.private_folder(parent) / secrets.token_hex(12))
        self.path = files.private_folder(_elsewhere(self._marker)) if account else self._marker
        self._account, self._search = account, search
        self._language = script.language
        self._inputs = inputs
        self.pipe, self.questions = self.path / "output", self.path / "questions"
        try:
            self._fill(script)
        except OSError:
            self.remove()
            raise

    def _fill(self, script: wire.Script) -> None:
        os.mkfifo(self.pipe, 0o600)
        (self.path / "tmp").mkdir(mode=0o700)
        (self.path / "bash").mkdir(mode=0o700)
        self._write("script", script.text)
        self._write("inputs.json", wire.encode(dict(self._inputs)).decode())
        self._write("output.sh", output_functions.BASH)
        for name in ("nxt_ra_script_output.sh", "nxt_campaign_action.sh"):
            self._write(f"bash/{name}", output_functions.BASH)
        self._write("muster_output.py", output_functions.PYTHON)
        self._write("muster_campaign.py", campaign_functions.PYTHON)

    def command(self) -> list[str]:
        """The command line. Raises OSError if the interpreter is not on this device."""
        program, *options = INTERPRETERS[self._language]
        found = _find(program, self._search) or (sys.executable if self._language == "python" else None)
        if found is None:
            raise OSError(f"there is no {program} on this device")
        return [found, *options, str(self.path / "script"), *self._inputs.values()]

    def environment(self, token: str) -> dict[str, str]:
        """The whole environment of the script; nothing of the agent's own goes into it but where its account lives."""
        here = str(self.path)
        named = {f"MUSTER_INPUT_{name.upper()}": value for name, value in self._inputs.items() if name.isidentifier()}
        return {
            **named,
            "PATH": self._search,
            "LANG": "C.UTF-8",
            **(self._account.environment() if self._account else {"HOME": os.environ.get("HOME", "/")}),
            "TMPDIR": str(self.path / "tmp"),
            "MUSTER": here,
            "MUSTER_INPUTS": str(self.path / "inputs.json"),
            "MUSTER_OUTPUT": str(self.pipe),
            "MUSTER_PYTHON": _find("python3", self._search) or sys.executable,
            "MUSTER_RUN_TOKEN": token,
            "NEXTHINK": here,
        }

    def hand_over(self) -> None:
        """Give the folder to the script's account. From then on nothing in it can be trusted."""
        if self._account is None:
            return
        for entry in sorted(self.path.rglob("*"), reverse=True):
            os.chown(entry, self._account.user, self._account.group, follow_symlinks=False)
        os.chown(self.path, self._account.user, self._account.group)

    def remove(self) -> None:
        """Remove the folder and all in it, as far as the script let us."""
        remove(self.path)
        remove(self._marker)

    def _write(self, name: str, text: str) -> None:
        descriptor = files.open_private(self.path / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        with os.fdopen(descriptor, "wb") as file:
            file.write(text.encode("utf-8", "surrogatepass"))


def sweep(parent: Path) -> None:
    """Remove what runs before a crash left behind."""
    for path in files.private_folder(parent).iterdir():
        remove(_elsewhere(path))
        remove(path)


def remove(path: Path) -> None:
    """Remove a folder and all in it. Links are removed, never followed, even if somebody changes the folder meanwhile;
    folders within folders are brought to the top first, so that no depth is too deep."""
    with contextlib.suppress(OSError):
        top = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            _empty(top)
        finally:
            os.close(top)
        path.rmdir()


def _empty(top: int) -> None:
    """Remove what lies in an open folder."""
    waiting, raised = _names(top), 0
    while waiting:
        name = waiting.pop()
        if _gone(name, top):
            continue
        with contextlib.suppress(OSError):
            below = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=top)
            try:
                for entry in _names(below):
                    if not _gone(entry, below):
                        raised += 1
                        os.rename(entry, f"muster.{raised}", src_dir_fd=below, dst_dir_fd=top)
                        waiting.append(f"muster.{raised}")
            finally:
                os.close(below)
            os.rmdir(name, dir_fd=top)


def _names(folder: int) -> list[str]:
    with os.scandir(folder) as entries:
        return [entry.name for entry in entries]


def _gone(name: str, folder: int) -> bool:
    """Whether an entry of an open folder could be removed as what it is: anything but a folder with something in it."""
    with contextlib.suppress(OSError):
        os.unlink(name, dir_fd=folder)
        return True
    with contextlib.suppress(OSError):
        os.rmdir(name, dir_fd=folder)
        return True
    return False


def _elsewhere(marker: Path) -> Path:
    return ELSEWHERE / f"muster-{marker.name}"


def _find(program: str, search: str) -> str | None:
    places = (Path(folder) / program for folder in search.split(":"))
    return next((str(place) for place in places if os.access(place, os.X_OK)), None)
