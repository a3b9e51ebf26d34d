"""An object store for tests: moto's, over HTTP, with an empty bucket.

In: nothing. Out: what the environment of a portal says of it. Invariant: it answers on this machine only, and ends with
the test or when it is stopped.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import httpx
import pytest
from moto.server import ThreadedMotoServer

from storage.tables.bucket import endpoint

URL = "s3://muster/estate/north"


class ObjectStore:
    """One that answers until it is stopped."""

    def __init__(self) -> None:
        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        self._server.start()
        host, port = self._server.get_host_and_port()
        self.url = f"http://{host}:{port}"

    def stop(self) -> None:
        """Answer no more."""
        with suppress(AttributeError):  # it has ended
            self._server.stop()


@contextmanager
def object_store(monkeypatch: pytest.MonkeyPatch) -> Iterator[ObjectStore]:
    """A store with the bucket of URL; the environment tells where, and who asks."""
    from pyarrow.fs import S3FileSystem

    store = ObjectStore()
    httpx.post(f"{store.url}/moto-api/reset").raise_for_status()  # what it holds outlives it in its process
    said = {"ENDPOINT_URL": store.url, "ACCESS_KEY_ID": "key", "SECRET_ACCESS_KEY": "secret", "REGION": "us-east-1"}
    for name, value in said.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    S3FileSystem(**endpoint(os.environ), allow_bucket_creation=True).create_dir("muster")
    try:
        yield store
    finally:
        store.stop()
