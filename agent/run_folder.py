"""The private folder that one script runs in: the script, its inputs, the output functions, the output pipe.

In: a job. Out: a folder, the command line and the environment of the script. Invariants: the folder's name comes from
randomness, never from a message; only the agent's account may look into it; it is removed after the run, and what a
crash left is removed at the next start. Inputs reach the script as environment, as positional text and as a JSON file,
never as part of a program's text.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path

from agent import files, output_functions, wire

SEARCH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
INTERPRETERS = {"bash": ("bash",), "zsh": ("zsh",), "python": ("python3", "-B")}


class RunFolder:
    """One run's folder, made when the object is; `remove` it."""

    def __init__(self, parent: Path, script: wire.Script, inputs: Mapping[str, str]) -> None:
        self.path = files.private_folder(files.private_folder(parent) / secrets.token_hex(12))
        self._language = script.language
        self._inputs = inputs
        self.pipe = self.path / "output"
        os.mkfifo(self.pipe, 0o600)
        (self.path / "tmp").mkdir(mode=0o700)
        (self.path / "bash").mkdir(mode=0o700)
        self._write("script", script.text)
        self._write("inputs.json", wire.encode(dict(inputs)).decode())
        self._write("output.sh", output_functions.BASH)
        self._write("bash/nxt_ra_script_output.sh", output_functions.BASH)
        self._write("muster_output.py", output_functions.PYTHON)

    def command(self) -> list[str]:
        """The command line. Raises OSError if the interpreter is not on this device."""
        program, *options = INTERPRETERS[self._language]
        found = _find(program) or (sys.executable if self._language == "python" else None)
        if found is None:
            raise OSError(f"there is no {program} on this device")
        return [found, *options, str(self.path / "script"), *self._inputs.values()]

    def environment(self, token: str) -> dict[str, str]:
        """The whole environment of the script; nothing of the agent's own goes into it but where its account lives."""
        here = str(self.path)
        named = {f"MUSTER_INPUT_{name.upper()}": value for name, value in self._inputs.items() if name.isidentifier()}
        return {
            **named,
            "PATH": SEARCH,
            "LANG": "C.UTF-8",
            "HOME": os.environ.get("HOME", "/"),
            "TMPDIR": str(self.path / "tmp"),
            "MUSTER": here,
            "MUSTER_INPUTS": str(self.path / "inputs.json"),
            "MUSTER_OUTPUT": str(self.pipe),
            "MUSTER_RUN_TOKEN": token,
            "NEXTHINK": here,
        }

    def remove(self) -> None:
        """Remove the folder and all in it, as far as the script let us."""
        remove(self.path)

    def _write(self, name: str, text: str) -> None:
        descriptor = files.open_private(self.path / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        with os.fdopen(descriptor, "wb") as file:
            file.write(text.encode("utf-8", "surrogatepass"))


def sweep(parent: Path) -> None:
    """Remove what runs before a crash left behind."""
    for path in files.private_folder(parent).iterdir():
        remove(path)


def remove(path: Path) -> None:
    """Remove a folder and all in it; links are removed, never followed."""
    for name, below, names in os.walk(path, topdown=False):
        folder = Path(name)
        for entry in (*names, *below):
            with contextlib.suppress(OSError):
                if entry in names or (folder / entry).is_symlink():
                    (folder / entry).unlink()
                else:
                    (folder / entry).rmdir()
    with contextlib.suppress(OSError):
        path.rmdir()


def _find(program: str) -> str | None:
    places = (Path(folder) / program for folder in SEARCH.split(":"))
    return next((str(place) for place in places if os.access(place, os.X_OK)), None)
