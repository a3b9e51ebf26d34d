"""What lies in a data folder beside the tables and the control database: backups that are being made, the spool.

In: the data folder. Out: whether something there may still hold what was erased; what killed backups left is removed.
Invariant: nothing of a backup that is being made is touched.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from pathlib import Path

STAGING = ".backup-"  # how folders of backups under way begin: second names of files of the tables
LOCK = "backup.lock"  # held while one is made


def is_backed_up(data: Path) -> bool:
    """Whether a backup holds files now; what killed ones held is removed. Blocks. Raises OSError."""
    if not any(data.glob(f"{STAGING}*")):
        return False
    handle = os.open(data / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for left in data.glob(f"{STAGING}*"):
            shutil.rmtree(left)
        return False
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
