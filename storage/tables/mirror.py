"""Keeps the lake as the manifest says, and the folder within its budget.

In: an open store, its lake, how many bytes of closed days shall lie in the folder. Out: in the lake, each file that the
manifest names and those that a snapshot still holds, and the Delta logs that name them; here, what was used last.
Invariants: the manifest never waits for the lake; a log names only what is there; a file leaves the folder only when it
is in the lake, read back whole, and leaves the lake only when nothing names it. What is there is learnt by listing it:
a crash at any step is made good by the next look.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from storage.tables.bucket import PIECE
from storage.tables.delta import entries, follows
from storage.tables.errors import Closed, SegmentCorrupt, StorageFailed, StoreError
from storage.tables.files import Files
from storage.tables.lake import Lake, lake_files, unfinished
from storage.tables.manifest import Manifest, SealedFile
from storage.tables.seal import LAKE

log = logging.getLogger(__name__)
LOOK = 5.0  # seconds between looks whether something changed; also after a failure
LIST_AGAIN = 3600.0  # seconds after which the lake is listed anew
IN_USE = 900_000_000  # microseconds since its last use in which a file stays here: longer than any query may run
SURE = 60.0  # seconds after which a listing is too old to let files go by
FIT_EVERY = 60_000_000  # microseconds between looks whether the folder is within its budget
BUDGET, MOST_BUDGET = 64 << 30, 1 << 50  # bytes of closed days in the folder
_LOG = "_delta_log"


@dataclass(frozen=True, slots=True)
class LakeState:
    """How far the lake is: files there, files that are still to go there, bytes of closed days here, and what keeps it
    from going on (empty: nothing)."""

    url: str
    files: int = 0
    waiting: int = 0
    bytes_here: int = 0
    problem: str = ""


class Mirror:
    """The lake of an open store. `named` gives the manifest that is valid, and then the files that snapshots hold."""

    def __init__(
        self,
        lake: Lake,
        files: Files,
        named: Callable[[], tuple[Manifest, Collection[str]]],
        clock: Callable[[], int],
        budget: int = BUDGET,
    ) -> None:
        if not 0 <= budget <= MOST_BUDGET:
            raise ValueError(f"the budget of closed days is 0 to {MOST_BUDGET} bytes, not {budget}")
        self._lake, self._files, self._named, self._clock, self._budget = lake, files, named, clock, budget
        self._there: dict[str, int] | None = None  # names and sizes in the lake; -1 where it is not known what is there
        self._listed = float("-inf")
        self._logs: dict[str, int] = {}  # the manifest that each log there is known to follow
        self._seen: tuple[object, ...] | None = None  # what the last look that found nothing wrong was about
        self._lock = threading.Lock()
        self._stop, self._wake = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None
        self.state = LakeState(lake.place.url)

    def start(self) -> None:
        """Go on by itself, in a thread."""
        self._thread = threading.Thread(target=self._run, name="muster-lake", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Look now."""
        self._wake.set()

    def close(self) -> None:
        """End after the operation that is under way."""
        self._stop.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join()

    def clean(self) -> bool:
        """Whether the lake is known to have nothing but what is named."""
        manifest, held = self._named()
        kept = {*lake_files(manifest), *held}
        with self._lock:
            return self._there is not None and all(name in kept or _is_log(name) for name in self._there)

    def check(self) -> None:
        """Raises StorageFailed if something keeps the lake from being as the manifest says."""
        if self.state.problem:
            raise StorageFailed(f"the lake is behind: {self.state.problem}")

    def _run(self) -> None:
        while not self._stop.is_set():
            self.look()
            self._wake.wait(LOOK)
            self._wake.clear()

    def look(self) -> None:
        """Bring the lake to what is named now, as far as it can be; `state` tells."""
        problem: str | None
        try:
            problem = self._followed()
        except Closed:
            return
        except (StoreError, OSError) as error:
            problem = str(error)
        except Exception as error:
            log.exception("the lake is behind")
            problem = f"an error of the program ({error!r})"
        if problem is None:
            return
        if problem and problem != self.state.problem:
            log.warning("the lake is behind: %s", problem)
        elif self.state.problem and not problem:
            log.warning("the lake follows again")
        self._tell(problem)

    def _followed(self) -> str | None:
        """One look; what is wrong with single files. None if nothing has changed since the last one. Raises StoreError,
        OSError."""
        manifest, held = self._named()
        minute = self._clock() // FIT_EVERY
        seen = (manifest.number, frozenset(held), minute)
        if seen == self._seen:
            return None
        self._lake.claim()  # also tells whether it answers
        there = self._known()
        named, wrong = lake_files(manifest), ""
        for name, item in named.items():
            if there.get(name) != item.bytes:
                wrong = self._put(name, item) or wrong
        behind = {name.split("/")[1] for name, item in named.items() if there.get(name) != item.bytes}
        for table in manifest.lake.keys() - behind:
            self._log_follows(table, manifest)
        self._remove({name for name in there if not _is_log(name)} - {*named, *held})
        self._sweep()
        self._fit({name: item.bytes for name, item in named.items()})
        self._seen = None if wrong else seen
        return wrong

    def _known(self) -> dict[str, int]:
        """What is in the lake, by our own account since it was listed."""
        if self._there is None or time.monotonic() - self._listed > LIST_AGAIN:
            found = self._lake.listing()
            with self._lock:
                self._there, self._listed, self._logs = found, time.monotonic(), {}
        return self._there

    def _note(self, name: str, size: int | None) -> None:
        with self._lock:
            if self._there is None:
                return
            if size is None:
                self._there.pop(name, None)
            else:
                self._there[name] = size

    # --- to the lake ----------------------------------------------------------------------------

    def _put(self, name: str, item: SealedFile) -> str:
        """Send a file and read it back; what is wrong with it here. Raises LakeAway."""
        path, found = self._lake.folder / name, sha256()
        self._note(name, -1)
        try:
            with self._lake.asked(path):
                self._lake.bucket.put(name, self._pieces(path, found.update))
        except SegmentCorrupt as damage:
            return f"{name} {damage.detail}" if self._is_named(name) else ""
        if found.hexdigest() != item.sha256:
            return f"{name} does not hold what was written to it"
        if problem := self._lake.verify(name, item.sha256):
            return f"{name}: {problem}"
        self._note(name, item.bytes)
        return ""

    def _pieces(self, path: Path, seen: Callable[[bytes], None]) -> Iterator[bytes]:
        """The bytes of a file here. Raises SegmentCorrupt, Closed."""
        try:
            with path.open("rb", buffering=0) as file:
                while piece := file.read(PIECE):
                    if self._stop.is_set():
                        raise Closed("the table store is closed")
                    seen(piece)
                    yield piece
        except OSError as error:
            raise SegmentCorrupt(path, f"cannot be read ({error.strerror})") from error

    def _is_named(self, name: str) -> bool:
        manifest, _ = self._named()
        return name in manifest.files()

    def _log_follows(self, table: str, manifest: Manifest) -> None:
        """Send the entries of a table's log up to a manifest's. A log that was made again replaces the one there."""
        if self._logs.get(table, -1) >= manifest.lake[table]:
            return
        there, place = self._there or {}, f"{LAKE}/{table}/{_LOG}/"
        ours = {place + path.name: path for path in entries(self._lake.folder, table)}
        old = sorted(name for name in there if name.startswith(place))
        if old and not (old[-1] in ours and self._is_same(old[-1], ours[old[-1]])):
            self._remove(reversed(old))  # the newest first: what is left is a log that ends sooner
            old = []
        for name in sorted(ours.keys() - {*old}):
            if follows(ours[name]) > manifest.number:
                break  # it names files that are not there yet
            data = ours[name].read_bytes()
            with self._lake.asked(ours[name]):
                self._lake.bucket.put(name, [data])
            self._note(name, len(data))
            self._logs[table] = follows(ours[name])

    def _is_same(self, name: str, path: Path) -> bool:
        data = path.read_bytes()
        if (self._there or {}).get(name) != len(data):
            return False
        with self._lake.asked(path):
            return b"".join(self._lake.bucket.get(name)) == data

    # --- from the lake, and from here -----------------------------------------------------------

    def _remove(self, names: Iterable[str]) -> None:
        """Remove what nothing names: from here first, which only who has the folder can do. Raises OSError,
        LakeAway."""
        for name in names:
            if not _is_log(name):
                self._files.remove(self._lake.folder / name)
            with self._lake.asked(self._lake.folder / name):
                self._lake.bucket.remove(name)
            self._note(name, None)

    def _fit(self, named: Mapping[str, int]) -> None:
        """Let files go that are in the lake, those first that were not used for longest, until the rest is within the
        budget."""
        here = sorted(self._here(named))
        beyond, now = sum(size for _, size, _ in here) - self._budget, self._clock() * 1000
        for used, size, name in here:
            if beyond <= 0 or now - used < IN_USE * 1000:
                break
            if time.monotonic() - self._listed > SURE:
                self._listed = float("-inf")
                self._known()  # somebody may have emptied the bucket
            if (self._there or {}).get(name) == size:
                self._files.remove(self._lake.folder / name)
                beyond -= size

    def _sweep(self) -> None:
        """Remove what processes left that were killed while they brought a file."""
        for path in unfinished(self._lake.folder):
            with contextlib.suppress(FileNotFoundError):
                if self._clock() * 1000 - path.stat().st_mtime_ns > IN_USE * 1000:
                    self._files.remove(path)

    def _here(self, named: Mapping[str, int]) -> Iterator[tuple[int, int, str]]:
        """When the closed days that lie here were used last, and their sizes."""
        for name, size in named.items():
            with contextlib.suppress(FileNotFoundError):
                yield (self._lake.folder / name).stat().st_atime_ns, size, name

    def _tell(self, problem: str) -> None:
        manifest, _ = self._named()
        named = {name: item.bytes for name, item in lake_files(manifest).items()}
        with self._lock:
            there = {name for name, size in named.items() if (self._there or {}).get(name) == size}
        held = sum(size for _, size, _ in self._here(named))
        self.state = LakeState(self._lake.place.url, len(there), len(named) - len(there), held, problem)


def _is_log(name: str) -> bool:
    return f"/{_LOG}/" in name
