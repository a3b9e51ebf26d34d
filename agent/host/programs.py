"""Program files: what a process's program is, known by its content.

In: paths. Out: `Binary`. Invariants: a file is read again only when it changed; reading costs bounded memory, and of
a file over `WHOLE_BYTES` only its two ends go into its key; a program whose file cannot be read is known by its name
alone.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from pathlib import Path

from agent.host.base import Binary

WHOLE_BYTES = 64 << 20
END_BYTES = 1 << 20
BLOCK = 1 << 18
MOST_KNOWN = 4000
_ELF_MACHINES = {3: "x86", 62: "x64", 183: "arm64"}


class Programs:
    """The programs seen on one machine."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, int, int, int], Binary] = {}
        self._paths: dict[str, Binary] = {}

    def binary(self, program: str) -> Binary | None:
        """The file of a program as `Procfs` names it; None for a name without a file."""
        if program.startswith("["):
            return Binary(f"name:{program[1:-1]}", program[1:-1])
        try:
            found = Path(program).stat()
        except OSError:
            return self._paths.get(program) or Binary(f"path:{program}"[:200], Path(program).name)
        key = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)
        binary = self._known.get(key)
        if binary is None:
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
                self._paths.clear()
            binary = self._known[key] = _examine(program, found.st_size)
        self._paths[program] = binary
        return binary


def _examine(path: str, size: int) -> Binary:
    name = Path(path).name
    whole = size <= WHOLE_BYTES
    sha256, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
    try:
        with Path(path).open("rb", buffering=0) as file:
            head = file.read(20)
            file.seek(0)
            left = size if whole else END_BYTES
            while left > 0 and (block := file.read(min(BLOCK, left))):
                sha256.update(block)
                md5.update(block)
                left -= len(block)
            if not whole:
                file.seek(-END_BYTES, os.SEEK_END)
                sha256.update(file.read(END_BYTES))
                sha256.update(size.to_bytes(8, "big"))
    except OSError:
        return Binary(f"path:{path}:{size}"[:200], name, size)
    digest = sha256.hexdigest()
    if not whole:
        return Binary(f"ends:{digest}", name, size, architecture=_architecture(head))
    return Binary(digest, name, size, None, _architecture(head), digest, md5.hexdigest())


def _architecture(head: bytes) -> str | None:
    if head[:4] == b"\x7fELF" and len(head) >= 20:
        with contextlib.suppress(KeyError):
            return _ELF_MACHINES[int.from_bytes(head[18:20], "little")]
    return None
