"""Every operation the store does on an object store, one thin method each, so that tests can make any of them fail.

In: names below one address, bytes. Out: the same. Invariants: a method did its whole work or raised OSError (then the
work may or may not have been done, or half of it); each call ends within bounded time. Credentials, region and endpoint
are those of the AWS environment, never part of an address. The fake that fails is `storage.tables.fakes.FaultyBucket`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

PIECE = 8 << 20  # bytes of one request
CONNECT_SECONDS, STALL_SECONDS, TRIES = 5.0, 10.0, 2
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_PREFIX = re.compile(r"[A-Za-z0-9._=-]+(/[A-Za-z0-9._=-]+)*")
_MOST_PREFIX = 500


class Bucket:
    """Objects below one address."""

    def __init__(self, url: str) -> None:
        self.url = url

    def sizes(self, under: str = "") -> dict[str, int]:
        """All names that begin with a folder's (all, without one), and their sizes in bytes. Raises OSError."""
        raise NotImplementedError

    def put(self, name: str, pieces: Iterable[bytes]) -> None:
        """Make an object of these bytes, in place of what has the name. Raises OSError, and what `pieces` raises: then
        there may be an object of fewer bytes."""
        raise NotImplementedError

    def get(self, name: str) -> Iterator[bytes]:
        """The bytes of an object, in pieces. Raises FileNotFoundError, OSError."""
        raise NotImplementedError

    def remove(self, name: str) -> None:
        """Remove an object; no error if it is gone. Raises OSError."""
        raise NotImplementedError

    def remove_folder(self, name: str) -> None:
        """Remove all objects whose names begin with a folder's; no error if there are none. Raises OSError."""
        raise NotImplementedError


class S3Bucket(Bucket):
    """Objects in a store that speaks S3."""

    def __init__(self, url: str) -> None:
        """Raises ValueError for an address that is none."""
        super().__init__(url)
        self._root = root_of(url)
        self._made: Any = None

    def sizes(self, under: str = "") -> dict[str, int]:
        from pyarrow.fs import FileSelector, FileType

        start = f"{self._root}/{under}".rstrip("/")
        found = self._system.get_file_info(FileSelector(start, recursive=True, allow_not_found=True))
        return {item.path[len(self._root) + 1 :]: item.size for item in found if item.type == FileType.File}

    def put(self, name: str, pieces: Iterable[bytes]) -> None:
        with self._system.open_output_stream(f"{self._root}/{name}") as stream:
            for piece in pieces:
                stream.write(piece)

    def get(self, name: str) -> Iterator[bytes]:
        with self._system.open_input_file(f"{self._root}/{name}") as stream:
            while piece := stream.read(PIECE):
                yield piece

    def remove(self, name: str) -> None:
        with suppress(FileNotFoundError):
            self._system.delete_file(f"{self._root}/{name}")

    def remove_folder(self, name: str) -> None:
        with suppress(FileNotFoundError):
            self._system.delete_dir(f"{self._root}/{name}")

    @property
    def _system(self) -> Any:
        if self._made is None:
            from pyarrow.fs import AwsStandardS3RetryStrategy, S3FileSystem

            self._made = S3FileSystem(
                **endpoint(os.environ), allow_delayed_open=True, background_writes=False,
                connect_timeout=CONNECT_SECONDS, request_timeout=STALL_SECONDS,
                retry_strategy=AwsStandardS3RetryStrategy(max_attempts=TRIES),
            )  # fmt: skip
        return self._made


def root_of(url: str) -> str:
    """Bucket and prefix of an address, `bucket/prefix`. Raises ValueError."""
    parts = urlsplit(url)
    if parts.scheme != "s3":
        raise ValueError(f"{url!r} is no address of a lake: it is s3://BUCKET/PREFIX")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ValueError("an address of a lake has a bucket and a prefix only; credentials stand in the environment")
    prefix = parts.path.strip("/")
    if not _BUCKET.fullmatch(parts.netloc) or len(prefix) > _MOST_PREFIX:
        raise ValueError(f"{url!r} names no bucket: it is s3://BUCKET/PREFIX")
    if not _PREFIX.fullmatch(prefix) or {".", ".."} & set(prefix.split("/")):
        raise ValueError(f"{url!r} needs a prefix of letters, digits and ._=- between slashes: s3://BUCKET/PREFIX")
    return f"{parts.netloc}/{prefix}"


def endpoint(environment: Mapping[str, str]) -> dict[str, str]:
    """Where the object store is, where that is not Amazon's own. Raises OSError for an address that is none."""
    said = environment.get("AWS_ENDPOINT_URL_S3") or environment.get("AWS_ENDPOINT_URL")
    if not said:
        return {}
    parts = urlsplit(said)
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        raise OSError("AWS_ENDPOINT_URL is no address: it is http://HOST:PORT or https://HOST:PORT")
    return {"endpoint_override": parts.netloc, "scheme": parts.scheme}
