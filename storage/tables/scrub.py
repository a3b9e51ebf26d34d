"""Looking all sealed files over, slowly, beside a store at work: does each still hold what was written to it?

In: a folder. Out: how much was read, piece by piece, so that whoever asks sets the pace; what is damaged. Invariant: it
only reads, and calls a file damaged only if the manifest still names it afterwards: what was replaced meanwhile is no
damage. A file that is sound again (restored from a backup) is no longer told. Of what lies in the lake only it sees
that it is there with its size.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from storage.tables.errors import Corrupt, FormatTooNew, LakeAway
from storage.tables.hot import CACHE, is_sound
from storage.tables.lake import lake_of
from storage.tables.lake_care import elsewhere
from storage.tables.manifest import NAME, Manifest, RollupFile, SealedFile, read_manifest

log = logging.getLogger(__name__)
PIECE = 1 << 20  # bytes read at once


def _quietly(path: str, flags: int) -> int:
    """Opens a file without a mark that it was used, where the system can: that is the order in which files leave."""
    try:
        return os.open(path, flags | getattr(os, "O_NOATIME", 0))
    except PermissionError:  # of who does not own the file
        return os.open(path, flags)


@dataclass(frozen=True, slots=True)
class Damage:
    """A file that does not hold what was written to it: what it should hold, and whether that is `lost` with it."""

    file: str
    holds: str
    problem: str
    lost: bool


class Scrub:
    """Rounds over the files of one folder. One thread at a time goes on with it; `damaged` may be read in any."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.damaged: Mapping[str, Damage] = {}
        self.rounds = 0

    def round(self) -> Iterator[int]:
        """One look at everything; gives the bytes read since the last step."""
        found: dict[str, Damage] = {}
        try:
            manifest = read_manifest(self._folder)
        except (Corrupt, FormatTooNew, OSError) as error:
            self._tell(found, Damage(NAME, "what is valid", str(error), lost=True))
            self.damaged = found
            return
        away = elsewhere(self._folder, manifest) if manifest else set()
        there = self._there() if away else None
        for item, holds in manifest.sealed_files() if manifest else ():
            if item.file in away:
                yield 0
                problem = "" if there is None or there.get(item.file) == item.bytes else "it is not, whole, in the lake"
            else:
                problem = yield from self._look(item.file, item.sha256)
            if problem and self._is_named(item):
                self._tell(found, Damage(item.file, holds, problem, not isinstance(item, RollupFile)))
        for path in sorted((self._folder / CACHE).glob("*.arrow")):
            try:
                yield path.stat().st_size
            except FileNotFoundError:
                continue
            is_sound(path)  # else it goes, and is made again when it is wanted
        self.damaged = found
        self.rounds += 1

    def _look(self, name: str, digest: str) -> Generator[int, None, str]:
        """Read a file; what is wrong with it."""
        found = sha256()
        try:
            with open(self._folder / name, "rb", buffering=0, opener=_quietly) as file:
                while piece := file.read(PIECE):
                    found.update(piece)
                    yield len(piece)
        except OSError as error:
            return f"it cannot be read ({error.strerror})"
        return "" if found.hexdigest() == digest else "its bytes are not the ones that were written (wrong digest)"

    def _there(self) -> Mapping[str, int] | None:
        """What lies in the lake; None where it does not answer, which is no damage."""
        try:
            lake = lake_of(self._folder)
            return None if lake is None else lake.listing()
        except (LakeAway, Corrupt, ValueError) as error:
            log.warning("the lake is not looked over: %s", error)
            return None

    def _is_named(self, item: SealedFile) -> bool:
        """Whether a file is still to be here: not if it was replaced meanwhile, or left for the lake."""
        try:
            manifest: Manifest | None = read_manifest(self._folder)
        except (Corrupt, FormatTooNew, OSError):
            return True
        if manifest is None or item.file not in manifest.files():
            return False
        gone = item.file in elsewhere(self._folder, manifest)
        return not gone or (self._there() or {item.file: item.bytes}).get(item.file) != item.bytes

    def _tell(self, found: dict[str, Damage], damage: Damage) -> None:
        found[damage.file] = damage
        if damage.file not in self.damaged:
            log.error("%s is damaged: %s; it holds %s", damage.file, damage.problem, damage.holds)
            self.damaged = {**self.damaged, damage.file: damage}
