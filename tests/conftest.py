"""What holds for every test: where the browser is, what happens without one, how many examples are generated.

Comes in: the collected tests. Goes out: without a Chromium on PATH the tests marked `browser` are left out, their
number stands at the end of the run, and where CI=true the run fails. Generated examples are the same in every run, few
with `--hypothesis-profile=quick`. Invariant: no browser test is ever skipped in silence. Fixtures of one subject belong
to that subject's own conftest.
"""

import gc
import os
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
LEFT_OUT = pytest.StashKey[int]()
MEMORY = Path("/dev/shm")
ROOM = 4 << 30  # bytes; what the whole suite leaves there is a small part of it

settings.register_profile(
    "full",
    max_examples=200,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("quick", settings.get_profile("full"), max_examples=15)
settings.load_profile("full")


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of the browser's executable."""
    assert CHROMIUM is not None, "only a test marked `browser` may ask for the browser"
    return CHROMIUM


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the browser tests out where there is no browser; else they come last: while the browser is driven, its
    driver's event loop runs in this thread, and no other test could run one of its own."""
    missing = [item for item in items if CHROMIUM is None and item.get_closest_marker("browser")]
    config.stash[LEFT_OUT] = len(missing)
    if missing:
        config.hook.pytest_deselected(items=missing)
        items[:] = [item for item in items if item not in missing]
    items.sort(key=lambda item: item.get_closest_marker("browser") is not None)


def pytest_configure(config: pytest.Config) -> None:
    """Put the folders of the tests into memory where there is room: durable writes wait for a disk far longer than the
    tests compute. And undo the freezing below after pytest has looked for what nobody closed, else DuckDB's types
    outlive the interpreter, which complains about each of them."""
    if MEMORY.is_dir() and not os.statvfs(MEMORY).f_flag & os.ST_NOEXEC and shutil.disk_usage(MEMORY).free > ROOM:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))
    config.add_cleanup(gc.unfreeze)


def pytest_collection_finish() -> None:
    """What is loaded by now stays to the end: no collection of garbage needs to look through it again. What tests leave
    is little, so it is looked for less often; pytest does so once more at the end, for resources nobody closed."""
    gc.freeze()
    gc.set_threshold(10_000, 10, 50)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say how many browser tests were left out."""
    if count := config.stash.get(LEFT_OUT, 0):
        terminalreporter.write_line(f"{count} browser tests left out: no Chromium on PATH", yellow=True)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a run for CI that left browser tests out."""
    if session.config.stash.get(LEFT_OUT, 0) and os.environ.get("CI") == "true":
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
