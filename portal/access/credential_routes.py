"""The routes of credentials: decode, call, encode.

In: requests of people. Out: messages. Invariant: a secret is in exactly one answer.
"""

from __future__ import annotations

import msgspec

from engine.formats import instant_text
from portal.access import credential_messages as m
from portal.access.credentials import CredentialBook
from portal.access.routes import shown
from portal.caller import Permission
from portal.endpoints import Asked, Endpoint
from storage.control.api_credentials import ApiCredential
from storage.control.credentials import Credential

ALL, ONE = "/credentials", "/credentials/{name}"


def endpoints(book: CredentialBook) -> list[Endpoint]:
    """The credentials' part of the route list."""
    routes = _Routes(book)
    return [
        Endpoint("GET", ALL, routes.everything, "How programs come in; one's own.", answer=m.CredentialList),
        Endpoint("POST", ALL, routes.create, "Make a credential for a program.",
                 body=m.NewCredential, answer=m.CredentialMade, status=201),
        Endpoint("PATCH", ONE, routes.set_limits, "Say how often a credential may ask.", Permission.ADMINISTER,
                 body=m.ChangeLimits, answer=m.CredentialOne),
        Endpoint("POST", f"{ONE}/rotate", routes.rotate, "Give a credential a new secret.",
                 body=m.Rotate, answer=m.CredentialMade),
        Endpoint("DELETE", ONE, routes.revoke, "Revoke a credential."),
    ]  # fmt: skip


class _Routes:
    def __init__(self, book: CredentialBook) -> None:
        self._book = book

    async def everything(self, asked: Asked) -> m.CredentialList:
        return m.CredentialList([_shown(one) for one in await self._book.everything(asked.caller)])

    async def create(self, asked: Asked) -> m.CredentialMade:
        credential, secret = await self._book.create(asked.caller, asked.body)
        return m.CredentialMade(_shown(credential), secret)

    async def set_limits(self, asked: Asked) -> m.CredentialOne:
        return m.CredentialOne(_shown(await self._book.set_limits(asked.caller, asked.path("name"), asked.body.limits)))

    async def rotate(self, asked: Asked) -> m.CredentialMade:
        credential, secret = await self._book.rotate(asked.caller, asked.path("name"), asked.body.keep)
        return m.CredentialMade(_shown(credential), secret)

    async def revoke(self, asked: Asked) -> None:
        await self._book.revoke(asked.caller, asked.path("name"))


def _shown(one: Credential | ApiCredential) -> m.CredentialEntry:
    if isinstance(one, Credential):
        return m.CredentialEntry(
            name=one.account.name,
            role=one.account.role,
            permissions=sorted(one.account.permissions),
            created_at=instant_text(one.account.created_at),
            expires_at=shown(one.token.expires_at),
            used_at=shown(one.token.used_at),
            revoked_at=shown(one.token.revoked_at or one.account.disabled_at),
        )
    return m.CredentialEntry(
        name=one.name,
        role=None,
        permissions=[],
        created_at=instant_text(one.created_at),
        expires_at=shown(one.expires_at),
        used_at=shown(one.used_at),
        revoked_at=shown(one.revoked_at),
        id=one.id,
        allow=sorted(one.apis),
        account=one.account,
        description=one.description,
        limits=msgspec.convert(dict(one.limits), m.Limits),
        rotated_at=shown(one.rotated_at),
        old_until=shown(one.old_until),
    )
