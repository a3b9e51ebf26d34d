"""The file of a control database without rows: copying it is cheaper than making one for each test.

Comes in: the place where a test wants one. Goes out: the file there, at the newest schema. Invariant: it holds what a
database holds that was just made; how one is made is tested by those who make their own.
"""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from storage.control.database import Database


@cache
def schema() -> bytes:
    """The content of the file."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "control.db"
        Database(f"sqlite:///{path}").close()
        return path.read_bytes()


def place(path: Path) -> Path:
    """Write the file of an empty control database, with its folder as the portal makes it."""
    path.parent.mkdir(parents=True, mode=0o700)
    path.write_bytes(schema())
    return path
