"""Collects `.nqltest` files: every record is a test.

In: files beside this one. Out: one item a record, named by the record's title; a failure shows the query and a diff
instead of a traceback. What a file may say is in `records`, how a record is checked in `check`: in every way, but where
slow tests are left out (`make quick`) as in production alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.logic.check import MismatchError, check
from tests.logic.records import Record, parse


def pytest_collect_file(parent: pytest.Collector, file_path: Path) -> pytest.Collector | None:
    """Take the logic files."""
    return LogicFile.from_parent(parent, path=file_path) if file_path.suffix == ".nqltest" else None


class LogicFile(pytest.File):
    """A file of records."""

    def collect(self) -> Iterator[pytest.Item]:
        """One item a record."""
        for record in parse(self.path.read_text(encoding="utf-8")):
            yield LogicItem.from_parent(self, name=record.name, record=record)


class LogicItem(pytest.Item):
    """A record to be checked."""

    def __init__(self, *, record: Record, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.record = record

    def runtest(self) -> None:
        """Check the record."""
        check(self.record, every_way="not slow" not in self.config.getoption("markexpr"))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """The query and what differs."""
        if isinstance(excinfo.value, MismatchError):
            return f"{self.path.name}:{self.record.line} {self.record.name}\n\n{self.record.query}\n\n{excinfo.value}"
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        """File, line and title."""
        return self.path, self.record.line - 1, self.record.name
