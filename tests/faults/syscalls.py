"""Fails system calls of the real programs one by one, also those made in native code (Parquet, Arrow, SQLite, tar):
`python -m tests.faults.syscalls [--count N] [--progress FILE] [--only NUMBER]`; with `--planted` alone, whether a store
that does not hear of failed writes is found out.

A case is a story of `tests.faults.stories`, a call, a fault (EIO, ENOSPC, death) and n: in a process of its own under
`strace` the n-th call of each thread fails. What was acknowledged is noted in shared memory, which takes no call. Then
a sound process looks: nothing acknowledged is lost, doubled or half there, and what had failed works now. Cases come in
the order of digests, so that any number of them is a sample of all. Invariant: this process starts no threads, its
children are forks.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from tests.faults.stories import PLANTED, STORIES, Story
from tests.progress import Proof, proof

CALLS = (
    "openat", "write", "pwrite64", "fsync", "fdatasync", "ftruncate", "rename", "unlink", "mkdir", "link", "linkat",
)  # fmt: skip
FAULTS: Mapping[str, str] = {"EIO": "error=EIO", "ENOSPC": "error=ENOSPC", "death": "signal=KILL"}
NEVER_FULL = {"unlink", "ftruncate"}  # these do not fail for want of room
HANG = 15  # seconds after which a process whose threads wait for each other is killed, as somebody would
SECONDS = 60.0
MOST_PLANTED = 60  # writes until one is of the journal
_CALL = re.compile(rb"^(\d+) +(\w+)\(", re.MULTILINE)


@dataclass(frozen=True, order=True)
class Case:
    """The n-th call of each thread of a story, and what happens to it."""

    story: str
    call: str
    fault: str
    n: int


def main(arguments: Sequence[str]) -> int:
    """Run cases; 0 if all held."""
    shared = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=shared if os.access(shared, os.W_OK) else None) as folder:
        work = Path(folder)
        if list(arguments) == ["--planted"]:
            return planted(work)
        bases = {name: prepared(work, name) for name in STORIES}
        every = cases(work, bases)
        print(f"system calls: {len(every)} cases, {dict(Counter(f'{one.story} {one.call}' for one in every))}")

        def one(number: int, state: Proof) -> None:
            if number < len(every):
                case = every[number]
                hold(work, bases[case.story], case, STORIES[case.story], state)

        return 1 if proof("system calls", arguments, one, count=len(every)).failures else 0


def planted(work: Path) -> int:
    """Let writes fail of which the store does not hear, until that shows; 0 if it did."""
    base = prepared(work, "storing")
    for n in range(1, MOST_PLANTED + 1):
        case = Case("planted", "pwrite64", "EIO", n)
        try:
            hold(work, base, case, PLANTED, Proof())
        except AssertionError as error:
            print(f"found: {case}: {str(error).strip().splitlines()[-1]}")
            return 0
    print(f"{MOST_PLANTED} writes failed unheard, and nobody saw")
    return 1


def prepared(work: Path, name: str) -> Path:
    """The folder that a story begins with."""
    base = work / f"base-{name}"
    base.mkdir()
    said = forked(lambda: STORIES[name].prepare(base))
    if said:
        raise RuntimeError(said)
    return base


def cases(work: Path, bases: Mapping[str, Path]) -> list[Case]:
    """All of them, from how often each story makes each call, in the order of their digests."""
    found: list[Case] = []
    for name, base in bases.items():
        log, folder = work / "calls", fresh(work, base)
        traced(STORIES[name], folder, mmap.mmap(-1, mmap.PAGESIZE), ["-e", f"trace={','.join(CALLS)}"], log)
        often: Counter[tuple[bytes, bytes]] = Counter(
            (match[1], match[2]) for match in _CALL.finditer(log.read_bytes())
        )
        for call in CALLS:
            most = max((times for (_, what), times in often.items() if what == call.encode()), default=0)
            kinds = [fault for fault in FAULTS if fault != "ENOSPC" or call not in NEVER_FULL]
            found += [Case(name, call, fault, n) for n in range(1, most + 1) for fault in kinds]
    return sorted(found, key=lambda one: sha256(repr(one).encode()).digest())


def hold(work: Path, base: Path, case: Case, story: Story, state: Proof) -> None:
    """Let a story meet its fault, then look. Raises AssertionError with what is wrong."""
    folder = fresh(work, base)
    notes, log = mmap.mmap(-1, mmap.PAGESIZE), work / "calls"
    inject = f"inject={case.call}:{FAULTS[case.fault]}:when={case.n}"
    traced(story, folder, notes, ["-e", f"trace={case.call}", "-e", inject], log)
    met = b"INJECTED" in log.read_bytes() or b"killed by SIGKILL" in log.read_bytes()
    said = forked(lambda: story.look(folder, bytes(notes)))
    state.count(case.fault if met else "not met")
    state.count("acknowledged", sum(notes[at] for at in range(len(notes))))
    assert not said, f"{case}: {said}"


def fresh(work: Path, base: Path) -> Path:
    """A copy of the folder that a story begins with."""
    folder = work / "at"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(base, folder)
    return folder


def traced(story: Story, folder: Path, notes: mmap.mmap, options: Sequence[str], log: Path) -> None:
    """Run a story under strace to its end, whatever that is."""
    log.unlink(missing_ok=True)
    wait, go = os.pipe()
    silent = os.open(os.devnull, os.O_WRONLY)  # opened here: in the child that might be the call that fails
    child = os.fork()
    if child == 0:
        os.dup2(silent, 2)
        os.read(wait, 1)
        _become(lambda: story.run(folder, notes), HANG)
    command = ["strace", "-f", "-qq", *options, "-o", str(log), "-p", str(child)]
    tracer = subprocess.Popen(command, stderr=subprocess.PIPE)
    try:
        _until(lambda: _is_traced(child) or tracer.poll() is not None, "strace to attach")
        if tracer.poll() is not None:
            assert tracer.stderr is not None
            raise RuntimeError(f"strace cannot be used here: {tracer.stderr.read().decode().strip()}")
        os.write(go, b"1")
        _until(lambda: os.waitpid(child, os.WNOHANG)[0] != 0, "the story to end")
        child = 0
        tracer.wait(SECONDS)
    finally:
        for end in (wait, go, silent):
            os.close(end)
        if child:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        tracer.kill()
        tracer.communicate()


def forked(work: Callable[[], object]) -> str:
    """Do something in a child; what it raised, empty if nothing."""
    said, saying = os.pipe()
    child = os.fork()
    if child == 0:
        _become(work, SECONDS, saying)
    os.close(saying)
    with os.fdopen(said, "rb") as pipe:
        text = pipe.read().decode(errors="replace")
    _, status = os.waitpid(child, 0)
    return text or ("" if status == 0 else f"it ended with {status}")


def _become(work: Callable[[], object], seconds: float, saying: int = -1) -> None:
    """Be a child: do it and end, without what the parent has to do at its end."""
    code = 1
    try:
        signal.alarm(int(seconds))
        work()
        code = 0
    except BaseException:
        if saying >= 0:
            with contextlib.suppress(OSError):
                os.write(saying, traceback.format_exc()[-4_000:].encode())
    finally:
        os._exit(code)


def _is_traced(child: int) -> bool:
    return "TracerPid:\t0" not in Path(f"/proc/{child}/status").read_text()


def _until(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + SECONDS * 2
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError(what)
        time.sleep(0.001)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
