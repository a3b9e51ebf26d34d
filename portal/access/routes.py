"""The access routes: decode, call, encode.

In: requests of one's own sign-in and tokens, and of administrators. Out: messages, and the session's cookie.
Invariant: a secret is in exactly one answer; the cookie is HttpOnly and SameSite=Strict, and Secure over TLS.
"""

from __future__ import annotations

from starlette.responses import Response

from engine.formats import instant_text
from portal.access import messages as m
from portal.access.guard import HeaderGuard
from portal.access.service import Access
from portal.caller import Caller, Permission
from portal.endpoints import Asked, Endpoint, encode
from portal.errors import ApiError
from storage.control.accounts import Account
from storage.control.audit import Entry
from storage.control.sessions import LONGEST, Session
from storage.control.tokens import Token

ADMINISTER = Permission.ADMINISTER


def endpoints(access: Access, guard: HeaderGuard, *, secure: bool) -> list[Endpoint]:
    """The slice's part of the route list."""
    routes = _Routes(access, guard, secure)
    return [
        Endpoint("GET", "/session", routes.session, "Who is signed in.", answer=m.SessionInfo),
        Endpoint(
            "POST",
            "/session",
            routes.sign_in,
            "Sign in with a local account.",
            open=True,
            body=m.SignIn,
            answer=m.SessionInfo,
            most_bytes=4096,
        ),
        Endpoint("DELETE", "/session", routes.sign_out, "Sign out."),
        Endpoint(
            "POST",
            "/session/password",
            routes.change_password,
            "Change one's own password; all one's sessions end.",
            body=m.OwnPassword,
            most_bytes=4096,
        ),
        Endpoint("GET", "/tokens", routes.tokens, "One's own API tokens.", answer=m.TokenList),
        Endpoint(
            "POST",
            "/tokens",
            routes.create_token,
            "Make an API token.",
            body=m.NewToken,
            answer=m.TokenMade,
            status=201,
        ),
        Endpoint("DELETE", "/tokens/{id}", routes.revoke_token, "Revoke one of one's own API tokens."),
        Endpoint("GET", "/accounts", routes.accounts, "All accounts.", ADMINISTER, answer=m.AccountList),
        Endpoint(
            "POST",
            "/accounts",
            routes.create_account,
            "Make a local account.",
            ADMINISTER,
            body=m.NewAccount,
            answer=m.AccountInfo,
            status=201,
        ),
        Endpoint(
            "PATCH",
            "/accounts/{name}",
            routes.change_account,
            "Give an account a role, or other permissions.",
            ADMINISTER,
            body=m.AccountChange,
            answer=m.AccountInfo,
        ),
        Endpoint(
            "POST",
            "/accounts/{name}/password",
            routes.set_password,
            "Give an account a new password; its sessions end.",
            ADMINISTER,
            body=m.NewPassword,
            most_bytes=4096,
        ),
        Endpoint("DELETE", "/accounts/{name}", routes.disable_account, "Disable an account.", ADMINISTER),
        Endpoint(
            "GET", "/enrol-keys", routes.enrol_keys, "The newest enrolment keys.", ADMINISTER, answer=m.EnrolKeyList
        ),
        Endpoint(
            "POST",
            "/enrol-keys",
            routes.create_enrol_keys,
            "Make one-time enrolment keys.",
            ADMINISTER,
            body=m.NewEnrolKeys,
            answer=m.EnrolKeysMade,
            status=201,
            most_bytes=1 << 20,
        ),
        Endpoint(
            "GET",
            "/audit",
            routes.audit,
            "The audit log, newest first.",
            ADMINISTER,
            answer=m.AuditList,
            query=("limit", "before", "subject"),
        ),
        Endpoint(
            "GET",
            "/audit/verify",
            routes.verify_audit,
            "Whether the audit log is as it was written.",
            ADMINISTER,
            answer=m.AuditVerified,
        ),
    ]


def account_info(account: Account) -> m.AccountInfo:
    """An account as it is shown."""
    actions = None if account.actions is None else sorted(account.actions)
    bounded = account.domain is not None or account.sites is not None
    return m.AccountInfo(account.name, account.zone, sorted(account.permissions), account.role, bounded, actions)


def session_info(caller: Caller) -> m.SessionInfo:
    """Who is signed in. A token has no CSRF token, and needs none."""
    return m.SessionInfo(account_info(caller.account), caller.session.csrf if caller.session else "")


def shown(micros: int | None) -> str | None:
    """An instant as text, None for none."""
    return None if micros is None else instant_text(micros)


class _Routes:
    def __init__(self, access: Access, guard: HeaderGuard, secure: bool) -> None:
        self._access = access
        self._guard = guard
        self._secure = secure

    async def session(self, asked: Asked) -> m.SessionInfo:
        return session_info(asked.caller)

    async def sign_in(self, asked: Asked) -> Response:
        address = asked.request.client.host if asked.request.client else "unknown"
        signed_in = await self._access.sign_in(asked.body.name, asked.body.password, address)
        info = session_info(_caller(signed_in.session))
        response = Response(encode(info), media_type="application/json")
        response.set_cookie(
            self._guard.cookie,
            signed_in.token,
            max_age=LONGEST // 1_000_000,
            path="/",
            secure=self._secure,
            httponly=True,
            samesite="strict",
        )
        return response

    async def sign_out(self, asked: Asked) -> Response:
        if asked.caller.session is None:
            raise ApiError(422, "no_session", "A token has no session to end; revoke it instead.")
        await self._access.sign_out(asked.request.cookies[self._guard.cookie])
        response = Response(status_code=204)
        response.delete_cookie(self._guard.cookie, path="/", secure=self._secure, httponly=True, samesite="strict")
        return response

    async def tokens(self, asked: Asked) -> m.TokenList:
        return m.TokenList([_token(token) for token in await self._access.tokens(asked.caller)])

    async def create_token(self, asked: Asked) -> m.TokenMade:
        token, secret = await self._access.create_token(asked.caller, asked.body.name)
        return m.TokenMade(_token(token), secret)

    async def revoke_token(self, asked: Asked) -> None:
        await self._access.revoke_token(asked.caller, asked.path("id"))

    async def accounts(self, asked: Asked) -> m.AccountList:
        everyone = await self._access.accounts()
        return m.AccountList([_entry(account) for account in everyone])

    async def create_account(self, asked: Asked) -> m.AccountInfo:
        return account_info(await self._access.create_account(asked.caller, asked.body))

    async def change_account(self, asked: Asked) -> m.AccountInfo:
        return account_info(await self._access.change_account(asked.caller, asked.path("name"), asked.body))

    async def set_password(self, asked: Asked) -> None:
        await self._access.set_password(asked.caller, asked.path("name"), asked.body.password)

    async def change_password(self, asked: Asked) -> None:
        await self._access.change_password(asked.caller, asked.body.current, asked.body.password)

    async def disable_account(self, asked: Asked) -> None:
        await self._access.disable_account(asked.caller, asked.path("name"))

    async def enrol_keys(self, asked: Asked) -> m.EnrolKeyList:
        keys = await self._access.enrol_keys()
        return m.EnrolKeyList(
            [
                m.EnrolKeyEntry(
                    key.id,
                    key.simulated,
                    key.created_by,
                    instant_text(key.created_at),
                    instant_text(key.expires_at),
                    shown(key.used_at),
                    key.used_by,
                )
                for key in keys
            ]
        )

    async def create_enrol_keys(self, asked: Asked) -> m.EnrolKeysMade:
        new: m.NewEnrolKeys = asked.body
        keys, expires_at = await self._access.create_enrol_keys(
            asked.caller,
            new.count,
            simulated=new.simulated,
            expires_in=new.expires_in,
            devices=new.devices,
            site=new.site,
        )
        return m.EnrolKeysMade(keys, instant_text(expires_at))

    async def verify_audit(self, asked: Asked) -> m.AuditVerified:
        found = await self._access.verify_audit()
        return m.AuditVerified(
            whole=found.broken is None,
            entries=found.entries,
            unhashed=found.unhashed,
            last=found.last,
            head=found.head,
            broken=found.broken,
            reason=found.reason,
            blanked=found.blanked,
        )

    async def audit(self, asked: Asked) -> m.AuditList:
        before = asked.number("before", 0, most=10**12) or None
        entries = await self._access.audit(
            asked.number("limit", 100, least=1, most=1000), before, asked.text("subject")
        )
        return m.AuditList([_logged(entry) for entry in entries])


def _logged(entry: Entry) -> m.AuditEntry:
    by = (entry.request or None, entry.credential or None)
    about = (entry.actor, entry.action, entry.subject, dict(entry.detail))
    return m.AuditEntry(entry.sequence, instant_text(entry.time), *about, *by)


def _caller(session: Session) -> Caller:
    return Caller(session.account, session)


def _token(token: Token) -> m.TokenEntry:
    return m.TokenEntry(
        token.id, token.name, instant_text(token.created_at), shown(token.used_at), shown(token.revoked_at)
    )


def _entry(account: Account) -> m.AccountEntry:
    info = account_info(account)
    return m.AccountEntry(
        info.name,
        info.zone,
        info.permissions,
        instant_text(account.created_at),
        shown(account.disabled_at),
        account.role,
        account.kind,
    )
