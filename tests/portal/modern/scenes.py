"""Other people's clients in a portal of a test: credentials, tokens, and clients that carry them.

Comes in: a house. Goes out: clients with a token. Invariant: everything goes the way that a client goes: a credential
made over our API, a token from the token endpoint.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import uvicorn

from tests.certificates import Files
from tests.portal.conftest import API, House

APIS = ["act", "campaigns", "data_management", "enrichment", "nql", "spark", "workflows"]
TOKEN = "/oauth2/default/v1/token"
GRANT = {"grant_type": "client_credentials", "scope": "service:integration"}


async def credential(house: House, maker: httpx.AsyncClient | None = None, **more: Any) -> tuple[str, str]:
    """The id and secret of a new credential; by default it acts for ann, who may do everything."""
    maker = maker or await house.program()
    known = len((await maker.get(f"{API}/credentials")).json()["credentials"])
    body = {"name": f"c{known}", "allow": APIS, **more}
    made = await maker.post(f"{API}/credentials", json=body)
    assert made.status_code == 201, made.text
    return made.json()["credential"]["id"], made.json()["secret"]


async def token(house: House, pair: tuple[str, str]) -> str:
    """A token for a credential."""
    answer = await (await house.client()).post(TOKEN, data=GRANT, auth=pair)
    assert answer.status_code == 200, answer.text
    given: str = answer.json()["access_token"]
    return given


async def client(house: House, maker: httpx.AsyncClient | None = None, **more: Any) -> httpx.AsyncClient:
    """A client with a token of a new credential."""
    held = await token(house, await credential(house, maker, **more))
    return await house.client(Authorization=f"Bearer {held}")


@asynccontextmanager
async def served(house: House, own: Files | None = None) -> AsyncIterator[str]:
    """The portal behind a socket of its own, with TLS if a certificate is given; the address."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        config = uvicorn.Config(
            house.app,
            lifespan="off",
            log_config=None,
            proxy_headers=False,
            ssl_certfile=None if own is None else own.certificate,
            ssl_keyfile=None if own is None else own.key,
        )
        server = uvicorn.Server(config)
        task = asyncio.create_task(server.serve([listening]))
        try:
            yield f"{'http' if own is None else 'https'}://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            await task
