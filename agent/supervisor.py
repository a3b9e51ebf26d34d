"""Runs one script and leaves nothing of it behind. Started by the agent as a program of its own, with the standard
library only.

In: on standard input a length and a JSON object (argv, env, cwd; timeout, grace and the longest wait, in seconds;
stderr: a descriptor; most: processes; account: null, or user, group and groups to run as), then words: `wait` stops
the script's time, `go` lets it run on, `cancel` ends it. Out: on standard output a line of JSON when the script runs
and one when all is over. Invariant: when this program ends, no process that the script started is left, whatever
sessions and parents it gave itself: orphans fall to us (child subreaper), and we end when the agent does, so a script
never outlives the agent that answers for it.
"""

# ruff: noqa: PTH116, PTH123, PTH208
# (pathlib would cost more to load than everything else here)
from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import select
import signal
import sys
import time
from collections.abc import Iterable
from typing import Any

PR_SET_CHILD_SUBREAPER = 36
LOOK_SECONDS = 1.0  # between counts of the script's processes
IGNORED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Allowance:
    """The time a script may take, in seconds. It stands still while the script waits for its user, but no longer than
    `longest` in all."""

    def __init__(self, timeout: float, longest: float) -> None:
        self._end, self._longest = time.monotonic() + timeout, longest
        self._waited = 0.0
        self._since: float | None = None

    def hear(self, word: bytes) -> None:
        """The script waits, or goes on."""
        if self._since is not None:
            self._waited += time.monotonic() - self._since
        self._since = time.monotonic() if word == b"wait" else None

    def left(self) -> float:
        """What is left of it."""
        now = time.monotonic()
        waited = self._waited + (now - self._since if self._since is not None else 0)
        return self._end + min(waited, self._longest) - now


class Supervisor:
    """One script with all its descendants."""

    def __init__(self, spec: dict[str, Any]) -> None:
        self.spec = spec
        self.pid = 0
        self.status: int | None = None

    def start(self) -> None:
        """Start the script in a session of its own. Raises OSError."""
        devnull = os.open(os.devnull, os.O_RDWR)
        stderr, argv, env, account = (self.spec[name] for name in ("stderr", "argv", "env", "account"))
        os.set_inheritable(stderr, False)
        actions = [
            (os.POSIX_SPAWN_DUP2, devnull, 0),
            (os.POSIX_SPAWN_DUP2, devnull, 1),
            (os.POSIX_SPAWN_DUP2, stderr, 2),
        ]
        os.chdir(self.spec["cwd"])
        reset = (*IGNORED, signal.SIGPIPE, signal.SIGXFSZ)
        if account:
            self.pid = spawn_as(account, self.spec, (devnull, devnull, stderr), reset)
        else:
            self.pid = os.posix_spawn(argv[0], argv, env, file_actions=actions, setsid=True, setsigdef=reset)
        os.close(stderr)
        os.close(devnull)

    def wait(self) -> str:
        """Why the waiting ended: exit, timeout, cancel, orphaned (the agent is gone), or processes (too many)."""
        allowance = Allowance(self.spec["timeout"], self.spec["longest"])
        poller = select.poll()
        poller.register(0, select.POLLIN)
        with contextlib.suppress(OSError, AttributeError):  # else the look below finds the end a little later
            poller.register(os.pidfd_open(self.pid), select.POLLIN)
        while True:
            self.reap()
            if self.status is not None:
                return "exit"
            if (left := allowance.left()) <= 0:
                return "timeout"
            for descriptor, _ in poller.poll(min(left, LOOK_SECONDS) * 1000 + 1):
                if descriptor == 0:
                    words = os.read(0, 4096).split()
                    if not words or b"cancel" in words:
                        return "cancel" if words else "orphaned"
                    for word in words:
                        allowance.hear(word)
            if len(descendants()) > self.spec["most"]:
                return "processes"

    def end(self, grace: float) -> int:
        """End everything that is left: politely, and after `grace` seconds by force. How many had to be forced."""
        if self.alive():
            send(self.pid, descendants(), signal.SIGTERM)
        deadline = time.monotonic() + grace
        while self.alive() and time.monotonic() < deadline:
            time.sleep(0.01)
        forced: set[int] = set()
        for _ in range(1000):
            if not self.alive():
                break
            send(self.pid, descendants(), signal.SIGSTOP)  # what is stopped forks no more
            pids = descendants()
            forced.update(pids)
            send(self.pid, pids, signal.SIGKILL)
            time.sleep(0.005)
        return len(forced)

    def alive(self) -> bool:
        """Whether anything of the script is left."""
        self.reap()
        return self.status is None or bool(descendants())

    def reap(self) -> None:
        """Collect the ended children, ours and those that fell to us."""
        with contextlib.suppress(ChildProcessError):
            while (found := os.waitpid(-1, os.WNOHANG))[0]:
                if found[0] == self.pid:
                    self.status = os.waitstatus_to_exitcode(found[1])


def spawn_as(
    account: tuple[int, int, list[int]], spec: dict[str, Any], standard: tuple[int, int, int], reset: Iterable[int]
) -> int:
    """Start the script under another account; its process id. We stay what we are, so that it cannot end us. Raises
    OSError."""
    report, write = os.pipe()  # closes without a word when the script begins
    pid = os.fork()
    if pid == 0:
        try:
            become(account, spec["most"])
            os.setsid()
            for number, descriptor in enumerate(standard):
                os.dup2(descriptor, number)
            for number in reset:
                signal.signal(number, signal.SIG_DFL)
            os.execve(spec["argv"][0], spec["argv"], spec["env"])
        except BaseException as error:
            os.write(write, str(error).encode("utf-8", "replace")[:1000] or b"unknown")
        finally:
            os._exit(127)
    os.close(write)
    said = b""
    while more := os.read(report, 1024):
        said += more
    os.close(report)
    if said:
        os.waitpid(pid, 0)
        raise OSError(said.decode("utf-8", "replace"))
    return pid


def become(account: tuple[int, int, list[int]], most: int) -> None:
    """Take on an account for good, with no more processes than a script may have. Raises OSError."""
    user, group, groups = account
    limit_processes(user, most)
    os.setgroups(groups)
    os.setresgid(group, group, group)
    os.setresuid(user, user, user)


def descendants() -> list[int]:
    """Every living process below this one, where /proc shows it."""
    children: dict[int, list[int]] = {}
    with contextlib.suppress(OSError):
        for entry in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError, IndexError, ValueError), open(f"/proc/{entry}/stat", "rb") as file:
                after = file.read().rpartition(b")")[2].split()
                if after[0] not in (b"Z", b"X"):
                    children.setdefault(int(after[1]), []).append(int(entry))
    found, queue = [], [os.getpid()]
    while queue:
        below = children.get(queue.pop(), [])
        found += below
        queue += below
    return found


def send(leader: int, pids: list[int], number: signal.Signals) -> None:
    """Signal processes, and the leader's group where there is no /proc."""
    for pid in pids:
        with contextlib.suppress(OSError):
            os.kill(pid, number)
    if not pids:
        with contextlib.suppress(OSError):
            os.killpg(leader, number)


def confine(most: int) -> None:
    """No core files; orphans fall to us; no more processes than the script may have, where the system can hold that."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    if os.geteuid() != 0:
        limit_processes(os.geteuid(), most)


def limit_processes(user: int, most: int) -> None:
    """No more processes of an account than it has now and a script may have."""
    if user != 0 and (running := tasks_of(user)):
        hard = resource.getrlimit(resource.RLIMIT_NPROC)[1]
        wanted = running + most
        limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NPROC, (limit, hard))


def tasks_of(user: int) -> int:
    """How many threads an account has; 0 where /proc does not show it."""
    total = 0
    with contextlib.suppress(OSError):
        for entry in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError):
                if os.stat(f"/proc/{entry}").st_uid == user:
                    total += len(os.listdir(f"/proc/{entry}/task"))
    return total


def say(**facts: Any) -> None:
    """Tell the agent, if it is still there."""
    with contextlib.suppress(OSError):
        os.write(1, json.dumps(facts).encode() + b"\n")


def read(size: int) -> bytes:
    """So many bytes of standard input; fewer if it ends."""
    data = b""
    while len(data) < size and (more := os.read(0, size - len(data))):
        data += more
    return data


def main() -> None:
    """Run what standard input asks for."""
    for number in IGNORED:
        signal.signal(number, signal.SIG_IGN)
    supervisor = Supervisor(json.loads(read(int.from_bytes(read(4), "big"))))
    confine(supervisor.spec["most"])
    try:
        supervisor.start()
    except OSError as error:
        say(failed=str(error))
        return
    say(started=supervisor.pid)
    reason = supervisor.wait()
    forced = supervisor.end(0.5 if reason == "exit" else supervisor.spec["grace"])
    say(ended=reason, code=supervisor.status, forced=forced)


if __name__ == "__main__":
    main()
