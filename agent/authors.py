"""The public key of an author as a line of a file, which people can send, print and put under version control.

In: a key and the author's name, or the text of a file. Out: the line `muster-author BASE64 name`, or what it says.
Invariant: only the public half is ever in it, so that nothing is lost when others read it; the same line gives the same
key on every machine.
"""

from __future__ import annotations

import base64
import binascii
from pathlib import Path

KIND = "muster-author"
MOST_BYTES = 4096


class AuthorFileError(Exception):
    """The file names no author; the text says why."""


def line_of(key: bytes, name: str) -> str:
    """The line of a raw public key."""
    return f"{KIND} {base64.b64encode(key).decode()} {name}"


def parse(text: str) -> tuple[bytes, str]:
    """The raw public key and the name of a line. Raises AuthorFileError."""
    words = text.strip().split(maxsplit=2)
    if len(words) < 2 or words[0] != KIND or "\n" in text.strip():
        raise AuthorFileError(f"it does not hold one line that begins with {KIND}; `muster authors create` makes one")
    try:
        key = base64.b64decode(words[1], validate=True)
    except (binascii.Error, ValueError):
        raise AuthorFileError("the key in it is no base64") from None
    if len(key) != 32:
        raise AuthorFileError("the key in it is not one of 32 bytes")
    return key, words[2] if len(words) > 2 else ""


def read(path: Path) -> tuple[bytes, str]:
    """The raw public key and the name of a file. Raises AuthorFileError."""
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
        if len(data) > MOST_BYTES:
            raise AuthorFileError(f"{path} is too large for an author's public key")
        return parse(data.decode("utf-8"))
    except OSError as error:
        raise AuthorFileError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        raise AuthorFileError(f"{path} is no text: give the .pub file, not the private one") from None
    except AuthorFileError as error:
        raise AuthorFileError(f"{path} names no author: {error}") from None
