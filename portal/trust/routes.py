"""The trust routes: decode, call, encode.

In: requests about authors, signatures, secrets and the portal's keys. Out: messages. Invariant: who may run actions may
not decide who writes them: authors, secrets and keys need the permission to administer, signatures that to manage.
"""

from __future__ import annotations

from engine.formats import instant_text
from portal.caller import Permission
from portal.endpoints import Asked, Endpoint
from portal.trust import messages as m
from portal.trust.secrets import Secrets
from portal.trust.service import Trust
from storage.control.authors import Author, Signed
from storage.control.key_ring import fingerprint
from storage.control.vault import Secret

ADMINISTER, MANAGE, QUERY = Permission.ADMINISTER, Permission.MANAGE, Permission.QUERY


def endpoints(trust: Trust, secrets: Secrets) -> list[Endpoint]:
    """The slice's part of the route list."""
    routes = _Routes(trust)
    return [
        *_secret_endpoints(_SecretRoutes(secrets)),
        Endpoint("GET", "/authors", routes.authors, "All authors.", QUERY, answer=m.AuthorList),
        Endpoint(
            "POST",
            "/authors",
            routes.add_author,
            "Trust an author.",
            ADMINISTER,
            body=m.NewAuthor,
            answer=m.AuthorOne,
            status=201,
        ),
        Endpoint("DELETE", "/authors/{id}", routes.remove_author, "Trust an author no more, for good.", ADMINISTER),
        Endpoint(
            "POST",
            "/authors/{id}/endorsement",
            routes.endorse,
            "An author vouches for this one, so that devices that are enrolled already trust it.",
            ADMINISTER,
            body=m.NewEndorsement,
            answer=m.AuthorOne,
        ),
        Endpoint("GET", "/keys", routes.keys, "The portal's own keys, oldest first.", QUERY, answer=m.KeyList),
        Endpoint(
            "POST", "/keys/rotate", routes.rotate, "Sign with a new key from now on.", ADMINISTER, answer=m.KeyList
        ),
        Endpoint(
            "GET",
            "/actions/{nql_id}/signatures",
            routes.signatures,
            "Who signed the newest version of an action.",
            QUERY,
            answer=m.SignatureList,
        ),
        Endpoint(
            "POST",
            "/actions/{nql_id}/signatures",
            routes.sign,
            "Hand in an author's signature of a version.",
            MANAGE,
            body=m.NewSignature,
            answer=m.SignatureInfo,
            status=201,
        ),
    ]


def _secret_endpoints(routes: _SecretRoutes) -> list[Endpoint]:
    grant, revoke = "Let an action's scripts read a secret.", "Let an action read a secret no more."
    return [
        Endpoint("GET", "/secrets", routes.everything, "All secrets, without values.", ADMINISTER, answer=m.SecretList),
        Endpoint(
            "POST",
            "/secrets",
            routes.put,
            "Keep a value under a name.",
            ADMINISTER,
            body=m.NewSecret,
            answer=m.SecretInfo,
            status=201,
        ),
        Endpoint("DELETE", "/secrets/{name}", routes.delete, "Forget a secret and its grants.", ADMINISTER),
        Endpoint(
            "POST", "/secrets/{name}/grants", routes.grant, grant, ADMINISTER, body=m.NewGrant, answer=m.SecretInfo
        ),
        Endpoint("DELETE", "/secrets/{name}/grants/{nql_id}", routes.revoke, revoke, ADMINISTER),
    ]


class _SecretRoutes:
    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets

    async def everything(self, asked: Asked) -> m.SecretList:
        return m.SecretList([secret_info(one) for one in await self._secrets.everything()])

    async def put(self, asked: Asked) -> m.SecretInfo:
        return secret_info(await self._secrets.put(asked.caller, asked.body.name, asked.body.value))

    async def delete(self, asked: Asked) -> None:
        await self._secrets.delete(asked.caller, asked.path("name"))

    async def grant(self, asked: Asked) -> m.SecretInfo:
        return secret_info(await self._secrets.grant(asked.caller, asked.path("name"), asked.body.action))

    async def revoke(self, asked: Asked) -> None:
        await self._secrets.revoke(asked.caller, asked.path("name"), asked.path("nql_id"))


class _Routes:
    def __init__(self, trust: Trust) -> None:
        self._trust = trust

    async def authors(self, asked: Asked) -> m.AuthorList:
        return m.AuthorList([author_info(author) for author in await self._trust.authors()])

    async def add_author(self, asked: Asked) -> m.AuthorOne:
        return m.AuthorOne(author_info(await self._trust.add_author(asked.caller, asked.body)))

    async def remove_author(self, asked: Asked) -> None:
        await self._trust.remove_author(asked.caller, asked.path("id"))

    async def endorse(self, asked: Asked) -> m.AuthorOne:
        return m.AuthorOne(author_info(await self._trust.endorse(asked.caller, asked.path("id"), asked.body)))

    async def keys(self, asked: Asked) -> m.KeyList:
        return key_list(self._trust.keys())

    async def rotate(self, asked: Asked) -> m.KeyList:
        return key_list(await self._trust.rotate(asked.caller))

    async def signatures(self, asked: Asked) -> m.SignatureList:
        action, found = await self._trust.signatures(asked.path("nql_id"))
        return m.SignatureList(action.version, not found, [signature_info(one) for one in found])

    async def sign(self, asked: Asked) -> m.SignatureInfo:
        return signature_info(await self._trust.sign(asked.caller, asked.path("nql_id"), asked.body))


def author_info(author: Author) -> m.AuthorInfo:
    """An author as it is shown."""
    return m.AuthorInfo(
        id=author.id,
        name=author.name,
        fingerprint=author.id[:16],
        key=author.key,
        endorsed_by=author.endorsed_by and author.endorsed_by[:16],
        added_at=instant_text(author.added_at),
        added_by=author.added_by.removeprefix("account:"),
        removed_at=None if author.removed_at is None else instant_text(author.removed_at),
    )


def secret_info(secret: Secret) -> m.SecretInfo:
    """A secret as it is shown."""
    times = (instant_text(secret.created_at), instant_text(secret.updated_at))
    return m.SecretInfo(secret.name, list(secret.actions), *times, secret.updated_by.removeprefix("account:"))


def key_list(keys: list[bytes]) -> m.KeyList:
    """Keys as they are shown."""
    return m.KeyList([m.KeyInfo(fingerprint(key), key, key == keys[-1]) for key in keys])


def signature_info(signed: Signed) -> m.SignatureInfo:
    """A signature as it is shown."""
    times = (instant_text(signed.serial), instant_text(signed.received_at))
    return m.SignatureInfo(signed.version, signed.name, signed.author[:16], signed.serial, *times)
