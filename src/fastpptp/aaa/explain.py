"""AUTHDBG: how a login is decided, for who wants to hear it."""

from __future__ import annotations

from collections.abc import Iterator

from fastpptp.aaa.claims import LoginClaims
from fastpptp.aaa.policy import AuthRequest, Policy
from fastpptp.aaa.throttle import Throttle
from fastpptp.events.catalogue import BASE_GROUP, DEBUG, DEBUG_HIGH, DEBUG_LOW, Occurrence, occur
from fastpptp.settings.resolve import UserRecord


def explained(
    request: AuthRequest,
    user: UserRecord | None,
    policy: Policy,
    throttle: Throttle,
    claims: LoginClaims,
) -> Iterator[Occurrence]:
    """What is known of a login before it is decided; only what is wanted is put in words."""
    name, peer, wanted = request.name, request.peer, request.wanted
    if DEBUG_HIGH in wanted:
        yield occur("AUTHDBG", 100, peer=peer, user=name, text=_stands_for(request, user))
    if DEBUG in wanted:
        text = _state(request, user, throttle, claims)
        yield occur("AUTHDBG", 101, peer=peer, user=name, text=text)
    if DEBUG_LOW in wanted:
        text = _attributes(user, policy)
        yield occur("AUTHDBG", 102, peer=peer, user=name, text=text)


def _stands_for(request: AuthRequest, user: UserRecord | None) -> str:
    says = f"Name [{request.name}] with {request.method.value}"
    if user is None:
        return f"{says}: there is no such user; judged by the base group"
    rule = "by exactly this name" if user.name == request.name else "by Strip Realm"
    return f"{says}: user [{user.name}] of group [{user.group or BASE_GROUP}], found {rule}"


def _state(
    request: AuthRequest, user: UserRecord | None, throttle: Throttle, claims: LoginClaims
) -> str:
    subject = request.name if user is None else user.name
    failed = f"Failed logins {throttle.describe(request.peer, subject, request.now)}"
    if user is None:
        return failed
    limit = user.effective.simultaneous_logins
    return f"{failed}. Logins of [{user.name}]: {claims.held(user.name)} of {limit}"


def _attributes(user: UserRecord | None, policy: Policy) -> str:
    whose = "the base group" if user is None else f"[{user.name}]"
    held = policy.origins(None if user is None else user.name)
    shown = "; ".join(f"{label} = {value or 'none'} ({source})" for label, value, source in held)
    return f"Attributes of {whose}: {shown}"
