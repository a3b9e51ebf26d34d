"""What a file is: whether it is there, its size, owner, rights, age, and the digest of its content."""

import grp
import hashlib
import os
import pwd
import stat
import sys
from pathlib import Path

from muster_output import write_bool, write_date_time, write_size, write_string

KINDS = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "folder",
    stat.S_IFLNK: "link",
    stat.S_IFIFO: "pipe",
    stat.S_IFSOCK: "socket",
}
MOST_BYTES = 1 << 30


def owner(state: os.stat_result) -> str:
    """The names of its account and group, or their numbers."""
    try:
        user = pwd.getpwuid(state.st_uid).pw_name
    except KeyError:
        user = str(state.st_uid)
    try:
        return f"{user}:{grp.getgrgid(state.st_gid).gr_name}"
    except KeyError:
        return f"{user}:{state.st_gid}"


def digest(path: Path, state: os.stat_result) -> str:
    """The SHA-256 of a plain file of a bearable size, or -."""
    if not stat.S_ISREG(state.st_mode) or state.st_size > MOST_BYTES:
        return "-"
    try:
        found = hashlib.sha256()
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
            while piece := file.read(1 << 20):
                found.update(piece)
        return found.hexdigest()
    except OSError as error:
        print(f"{path} cannot be read: {error.strerror}", file=sys.stderr)
        return "-"


def main() -> None:
    path = Path(os.environ.get("MUSTER_INPUT_PATH", ""))
    if not path.is_absolute():
        sys.exit(f"give the whole path, beginning with /, not {str(path)!r}")
    try:
        state = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        write_bool("exists", False)
        return
    except OSError as error:
        sys.exit(f"{path} cannot be looked at: {error.strerror}")
    write_bool("exists", True)
    write_string("kind", KINDS.get(stat.S_IFMT(state.st_mode), "device"))
    write_size("size", state.st_size)
    write_date_time("modified", int(state.st_mtime))
    write_string("owner", owner(state))
    write_string("rights", stat.filemode(state.st_mode))
    write_string("sha256", digest(path, state))


main()
