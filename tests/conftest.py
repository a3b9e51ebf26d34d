"""What holds for every test: where the browser is, and what happens to browser tests without one.

Comes in: the collected tests. Goes out: without a Chromium on PATH the tests marked `browser` are left
out, their number stands at the end of the run, and where CI=true the run fails. Invariant: no browser
test is ever skipped in silence. Fixtures of one subject belong to that subject's own conftest.
"""

import os
import shutil

import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
LEFT_OUT = pytest.StashKey[int]()


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of the browser's executable."""
    assert CHROMIUM is not None, "only a test marked `browser` may ask for the browser"
    return CHROMIUM


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the browser tests out where there is no browser."""
    missing = [item for item in items if CHROMIUM is None and item.get_closest_marker("browser")]
    config.stash[LEFT_OUT] = len(missing)
    if missing:
        config.hook.pytest_deselected(items=missing)
        items[:] = [item for item in items if item not in missing]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say how many browser tests were left out."""
    if count := config.stash.get(LEFT_OUT, 0):
        terminalreporter.write_line(f"{count} browser tests left out: no Chromium on PATH", yellow=True)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a run for CI that left browser tests out."""
    if session.config.stash.get(LEFT_OUT, 0) and os.environ.get("CI") == "true":
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
