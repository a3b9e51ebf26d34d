"""The routes of roles: decode, call, encode.

In: requests of administrators. Out: messages. Invariant: all of them need the permission to administer.
"""

from __future__ import annotations

from engine.formats import instant_text
from portal.access import role_messages as m
from portal.access.roles import RoleBook
from portal.caller import Permission
from portal.endpoints import Asked, Endpoint
from storage.control.roles import Role

ADMINISTER = Permission.ADMINISTER


def endpoints(book: RoleBook) -> list[Endpoint]:
    """The roles' part of the route list."""
    routes = _Routes(book)
    return [
        Endpoint("GET", "/roles", routes.roles, "All roles.", ADMINISTER, answer=m.RoleList),
        Endpoint("GET", "/roles/{name}", routes.role, "One role.", ADMINISTER, answer=m.RoleOne),
        Endpoint(
            "PUT",
            "/roles/{name}",
            routes.put_role,
            "Make a role, or change it for all who hold it.",
            ADMINISTER,
            body=m.RolePut,
            answer=m.RoleOne,
        ),
        Endpoint("DELETE", "/roles/{name}", routes.delete_role, "Remove a role that no account holds.", ADMINISTER),
    ]


class _Routes:
    def __init__(self, book: RoleBook) -> None:
        self._book = book

    async def roles(self, asked: Asked) -> m.RoleList:
        return m.RoleList([_role(role) for role in await self._book.roles()])

    async def role(self, asked: Asked) -> m.RoleOne:
        return m.RoleOne(_role(await self._book.role(asked.path("name"))))

    async def put_role(self, asked: Asked) -> m.RoleOne:
        return m.RoleOne(_role(await self._book.put(asked.caller, asked.path("name"), asked.body)))

    async def delete_role(self, asked: Asked) -> None:
        await self._book.delete(asked.caller, asked.path("name"))


def _role(role: Role) -> m.RoleInfo:
    rights = role.rights
    return m.RoleInfo(
        name=role.name,
        permissions=sorted(rights.permissions),
        actions=None if rights.actions is None else sorted(rights.actions),
        domain=rights.domain,
        accounts=role.held_by,
        updated_at=instant_text(role.updated_at),
        updated_by=role.updated_by.removeprefix("account:"),
        sites=None if rights.sites is None else sorted(rights.sites),
    )
