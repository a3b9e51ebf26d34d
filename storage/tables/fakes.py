"""A disk that fails: errors at a chosen operation, or a power cut that loses what was not synced.

In: real files in a real folder, for tests. Out: the same operations, until the chosen one. Invariant: what a power cut
leaves is something a real disk may leave: bytes and lengths since a file's last sync may be there, torn or gone; names
made, replaced or removed since the folder's last sync may be undone, the later ones first. It knows nothing of what the
store keeps.
"""

from __future__ import annotations

import errno
import os
import random
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from storage.tables.bucket import Bucket
from storage.tables.files import Files

T = TypeVar("T")


class PowerCutError(BaseException):
    """The power is gone; nothing in the process may go on using the disk."""


class FaultyFiles(Files):
    """Files whose `at`-th changing operation fails and whose power goes at the `cut_at`-th (counted from 1; 0 is
    never).

    A failure is an error `code`, `lasting` makes all later writes fail too, until `heal`. After the power cut `lose`
    decides what is left. Both strike before anything is done or, `late`, after all was done; a write is half done in
    both.
    """

    def __init__(
        self,
        limbo: Path,
        *,
        at: int = 0,
        cut_at: int = 0,
        late: bool = False,
        lasting: bool = False,
        code: int = errno.EIO,
    ) -> None:
        self.count = 0
        self._limbo = limbo
        self._at = at
        self._cut_at = cut_at
        self._late = late
        self._lasting = lasting
        self._code = code
        self.dead = False
        self._durable: dict[int, bytes] = {}  # content of changed files at their last sync, by inode
        self._undo: dict[Path, list[Callable[[], None]]] = {}
        limbo.mkdir(parents=True, exist_ok=True)

    def heal(self) -> None:
        """From now on nothing fails."""
        self._at = 0

    def fail_from_now(self) -> None:
        """The next operation fails."""
        self._at = self.count + 1

    def create(self, path: Path) -> int:
        """As in Files."""
        return self._do(lambda: self._create(path), grows=True)

    def write(self, handle: int, data: bytes | memoryview, offset: int) -> None:
        """As in Files; a failing write writes its first half."""
        self._touch(handle)
        half = memoryview(data).cast("B")[: len(data) // 2]
        self._do(
            lambda: super(FaultyFiles, self).write(handle, data, offset),
            lambda: super(FaultyFiles, self).write(handle, half, offset),
            grows=True,
        )

    def truncate(self, handle: int, length: int) -> None:
        """As in Files."""
        self._touch(handle)
        self._do(lambda: super(FaultyFiles, self).truncate(handle, length))

    def sync(self, handle: int) -> None:
        """As in Files."""
        self._do(lambda: self._sync(handle))

    def sync_folder(self, path: Path) -> None:
        """As in Files."""
        self._do(lambda: self._sync_folder(path))

    def rename(self, source: Path, target: Path) -> None:
        """As in Files."""
        self._do(lambda: self._rename(source, target))

    def link(self, path: Path, another: Path) -> None:
        """As in Files."""
        self._do(lambda: self._link(path, another), grows=True)

    def remove(self, path: Path) -> None:
        """As in Files."""
        self._do(lambda: self._remove(path))

    def remove_folder(self, path: Path) -> None:
        """As in Files."""
        self._do(lambda: self._remove_folder(path))

    def lose(self, folder: Path, seed: int) -> None:
        """After a power cut: leave of a folder what the disk may have kept."""
        chance = random.Random(seed)
        for undo in self._undo.values():
            for step in reversed(undo[chance.randint(0, len(undo)) :]):
                step()
        for path in [path for path in folder.rglob("*") if path.is_file()]:
            durable = self._durable.get(path.stat().st_ino)
            if durable is not None:
                path.write_bytes(_left(chance, durable, path.read_bytes()))

    def _do(self, work: Callable[[], T], partly: Callable[[], None] | None = None, *, grows: bool = False) -> T:
        """Do an operation, or fail at it."""
        if self.dead:
            raise PowerCutError
        self.count += 1
        self.dead = self.count == self._cut_at
        failing = self.count == self._at or (self._lasting and grows and 0 < self._at <= self.count)
        if not failing and not self.dead:
            return work()
        if partly is not None:
            partly()
        elif self._late:
            work()
        if self.dead:
            raise PowerCutError
        raise OSError(self._code, os.strerror(self._code))

    def _touch(self, handle: int) -> None:
        """Remember what a file held when it was last synced, before it changes."""
        inode = os.fstat(handle).st_ino
        if inode not in self._durable:
            self._durable[inode] = super().read(handle, super().size(handle), 0)

    def _create(self, path: Path) -> int:
        fresh = not path.exists()
        if not fresh:
            os.close(self._opened_to_change(path))
        handle = super().create(path)
        self._durable.setdefault(os.fstat(handle).st_ino, b"")
        if fresh:
            self._later(path, lambda: path.unlink(missing_ok=True))
        return handle

    def _opened_to_change(self, path: Path) -> int:
        handle = super().open(path)
        self._touch(handle)
        return handle

    def _sync(self, handle: int) -> None:
        super().sync(handle)
        self._durable.pop(os.fstat(handle).st_ino, None)

    def _sync_folder(self, path: Path) -> None:
        super().sync_folder(path)
        self._undo.pop(path, None)

    def _rename(self, source: Path, target: Path) -> None:
        kept = self._keep(target)
        super().rename(source, target)

        def undo() -> None:
            target.rename(source)
            if kept is not None:
                os.link(kept, target)

        self._later(target, undo)

    def _link(self, path: Path, another: Path) -> None:
        super().link(path, another)
        self._later(another, lambda: another.unlink(missing_ok=True))

    def _remove(self, path: Path) -> None:
        kept = self._keep(path)
        super().remove(path)
        if kept is not None:
            self._later(path, lambda: os.link(kept, path))

    def _remove_folder(self, path: Path) -> None:
        super().remove_folder(path)
        self._later(path, lambda: path.mkdir(0o700))

    def _keep(self, path: Path) -> Path | None:
        """Another name for a file, under which it survives its own."""
        if not path.is_file():
            return None
        kept = self._limbo / f"{self.count:06}-{path.name}"
        kept.unlink(missing_ok=True)
        os.link(path, kept)
        return kept

    def _later(self, path: Path, undo: Callable[[], None]) -> None:
        self._undo.setdefault(path.parent, []).append(undo)


def _left(chance: random.Random, durable: bytes, current: bytes) -> bytes:
    """What may be left of a file that held `durable` at its last sync and `current` at the power cut."""
    shared = min(len(durable), len(current))
    fate = chance.randrange(4)
    if fate == 0 or durable[:shared] != current[:shared]:
        return durable
    if fate == 1:
        return current
    longer = max(durable, current, key=len)
    torn = bytearray(longer[: chance.randint(shared, len(longer))])
    if fate == 3 and len(torn) > shared:  # the length is there, some bytes are not
        for at in range(chance.randint(shared, len(torn) - 1), len(torn)):
            torn[at] = 0
    return bytes(torn)


class FaultyBucket(Bucket):
    """An object store in memory, whose `at`-th operation fails, and all of them while it is `down`. A failure strikes
    before anything is done or, `late`, after all was done; of a put half may be done in both."""

    def __init__(self, url: str = "s3://fake/estate", *, at: int = 0, late: bool = False) -> None:
        super().__init__(url)
        self.held: dict[str, bytes] = {}
        self.down = False
        self.count = 0
        self.at, self.late = at, late

    def sizes(self, under: str = "") -> dict[str, int]:
        """As in Bucket."""
        self._do(lambda: None)
        return {name: len(data) for name, data in self.held.items() if name.startswith(under)}

    def put(self, name: str, pieces: Iterable[bytes]) -> None:
        """As in Bucket; a failing one may leave a first half."""
        data = b"".join(pieces)
        self.held.pop(name, None)
        self._do(lambda: self.held.__setitem__(name, data), lambda: self.held.__setitem__(name, data[: len(data) // 2]))

    def get(self, name: str) -> Iterator[bytes]:
        """As in Bucket."""
        self._do(lambda: None)
        if name not in self.held:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)
        yield self.held[name]

    def remove(self, name: str) -> None:
        """As in Bucket."""
        self._do(lambda: self.held.pop(name, None))

    def remove_folder(self, name: str) -> None:
        """As in Bucket."""
        self._do(lambda: [self.held.pop(held) for held in [*self.held] if held.startswith(f"{name}/")])

    def _do(self, work: Callable[[], object], partly: Callable[[], object] | None = None) -> None:
        self.count += 1
        if self.down or self.count == self.at:
            if self.late and not self.down:
                (partly or work)()
            raise OSError(errno.ETIMEDOUT, "the object store does not answer")
        work()
