"""The keys with which people may log in by SSH, and what is weak about them."""

import base64
import binascii
import os
import pwd
import re
import stat
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

from muster_output import write_string_list, write_uint32

KEY = re.compile(r"(?:^|\s)((?:ssh|ecdsa|sk-ssh|sk-ecdsa)-[a-z0-9@.-]+)\s+([A-Za-z0-9+/]+=*)(?:\s+(.*))?$")
FILES = ("authorized_keys", "authorized_keys2")
LEAST_BITS = 2048
MOST_BYTES = 1 << 20


def homes(who: str) -> list[tuple[str, Path]]:
    """The accounts with their homes: all that log in, or the agent's own."""
    if who == "me":
        return [(pwd.getpwuid(os.geteuid()).pw_name, Path(os.environ.get("HOME", "/nonexistent")))]
    shells = ("nologin", "false", "sync")
    people = [entry for entry in pwd.getpwall() if not entry.pw_shell.endswith(shells)]
    return [(entry.pw_name, Path(entry.pw_dir)) for entry in people]


def keys(text: str) -> Iterator[tuple[str, bytes, str]]:
    """Kind, data and comment of each key of a file."""
    for line in text.splitlines():
        found = None if line.lstrip().startswith("#") else KEY.search(line.strip())
        if found:
            try:
                yield found[1], base64.b64decode(found[2], validate=True), found[3] or ""
            except binascii.Error:
                continue


def weakness(kind: str, data: bytes) -> str:
    """Why a key is weak, or an empty text."""
    if kind == "ssh-dss":
        return "DSA"
    if kind != "ssh-rsa":
        return ""
    parts: list[bytes] = []
    place = 0
    while place + 4 <= len(data) and len(parts) < 3:
        (size,) = struct.unpack_from("!I", data, place)
        parts.append(data[place + 4 : place + 4 + size])
        place += 4 + size
    bits = int.from_bytes(parts[2], "big").bit_length() if len(parts) == 3 else 0
    return f"RSA of {bits} bits" if bits < LEAST_BITS else ""


def main() -> None:
    count, accounts, weak, loose = 0, [], [], []
    for name, home in homes(os.environ.get("MUSTER_INPUT_WHO", "everyone")):
        mine = 0
        for path in (home / ".ssh" / file for file in FILES):
            try:
                with path.open("rb") as file:
                    text, state = file.read(MOST_BYTES).decode("utf-8", "replace"), os.fstat(file.fileno())
            except FileNotFoundError:
                continue
            except OSError as error:
                print(f"{path}: {error.strerror}", file=sys.stderr)
                continue
            if state.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
                loose.append(str(path))
            for kind, data, comment in keys(text):
                mine += 1
                if why := weakness(kind, data):
                    weak.append(f"{name} {why} {comment}".strip())
        if mine:
            count += mine
            accounts.append(f"{name} {mine}")
    write_uint32("keys", count)
    write_string_list("accounts", accounts[:1000])
    write_string_list("weak", weak[:1000])
    write_string_list("open_files", loose[:1000])


main()
