"""Authentication protocols, sans-IO, both roles: PAP, CHAP, MS-CHAPv1 and MS-CHAPv2.

    authenticator = make_authenticator(method, name="headend", rng=rng, now=now,
                                       tokens=tokens)
    steps = authenticator.start(now)

An endpoint has `protocol`, `start(now)`, `receive(packet, now)`, `complete(token, result, now)`
and `handle_timer(now)`, which return lists of steps (steps.py); `get_timer()`; `snapshot()`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeAlias

from fastpptp.errors import LocalProtocolError
from fastpptp.ppp.auth.chap import ChapAuthenticator, ChapPeer
from fastpptp.ppp.auth.endpoint import VERSION
from fastpptp.ppp.auth.mppe_keys import MsChapV1Keys, MsChapV2Keys, restore_keys
from fastpptp.ppp.auth.pap import PapAuthenticator, PapPeer
from fastpptp.ppp.auth.schemes import SCHEMES, scheme_of
from fastpptp.ppp.auth.steps import Ask, AuthStep, Failed, SendPacket, Succeeded
from fastpptp.ppp.auth.types import AuthMethod

__all__ = [
    "Ask",
    "AuthEndpoint",
    "AuthStep",
    "Failed",
    "MsChapV1Keys",
    "MsChapV2Keys",
    "SendPacket",
    "Succeeded",
    "lcp_value",
    "make_authenticator",
    "make_peer",
    "method_of",
    "restore_auth",
    "restore_keys",
]

AuthEndpoint: TypeAlias = PapAuthenticator | ChapAuthenticator | PapPeer | ChapPeer
Random: TypeAlias = Callable[[int], bytes]

# The data of LCP's Authentication-Protocol option (RFC 1661 section 6.2).
_LCP_VALUES: Mapping[AuthMethod, bytes] = MappingProxyType(
    {
        AuthMethod.PAP: b"\xc0\x23",
        AuthMethod.EAP: b"\xc2\x27",
        **{m: b"\xc2\x23" + bytes((s.algorithm,)) for m, s in SCHEMES.items()},
    }
)
_METHODS = {value: method for method, value in _LCP_VALUES.items()}


def lcp_value(method: AuthMethod) -> bytes:
    """The data of LCP option 3 for this method: 2 or 3 octets."""
    return _LCP_VALUES[method]


def method_of(value: bytes) -> AuthMethod | None:
    """The method that LCP option 3's data names, or None."""
    return _METHODS.get(value)


def make_authenticator(
    method: AuthMethod,
    *,
    name: str,
    rng: Random,
    now: float,
    tokens: Iterator[int],
) -> PapAuthenticator | ChapAuthenticator:
    """The authenticator's end.

    The time that the policy takes to answer an Ask is the caller's to bound.
    """
    if method is AuthMethod.PAP:
        return PapAuthenticator(name, rng, tokens)
    return ChapAuthenticator(scheme_of(method), name, rng, tokens)


def make_peer(
    method: AuthMethod,
    *,
    name: str,
    password: str,
    rng: Random,
    now: float,
    tokens: Iterator[int] | None = None,
    retry_passwords: Sequence[str] = (),
    new_password: str | None = None,
) -> PapPeer | ChapPeer:
    """The peer's end. With MS-CHAP, `retry_passwords` are used when a retry is allowed and
    `new_password` when the password has expired.
    """
    if method is AuthMethod.PAP:
        return PapPeer(name, password, rng)
    return ChapPeer(
        scheme_of(method),
        name,
        password,
        rng,
        retry_passwords=retry_passwords,
        new_password=new_password,
    )


def restore_auth(
    snapshot: Mapping[str, Any],
    *,
    rng: Random,
    tokens: Iterator[int],
    password: str = "",
    retry_passwords: Sequence[str] = (),
    new_password: str | None = None,
) -> AuthEndpoint:
    """The endpoint that made `snapshot`. Passwords are not in it: a peer is given its own again."""
    if snapshot["version"] != VERSION:
        raise LocalProtocolError(f"an authentication snapshot of version {snapshot['version']}")
    method, name = AuthMethod(snapshot["method"]), snapshot["name"]
    endpoint: AuthEndpoint
    if snapshot["authenticator"]:
        endpoint = make_authenticator(method, name=name, rng=rng, now=0.0, tokens=tokens)
    else:
        endpoint = make_peer(
            method,
            name=name,
            password=password,
            rng=rng,
            now=0.0,
            retry_passwords=retry_passwords,
            new_password=new_password,
        )
    endpoint.restore(dict(snapshot))
    return endpoint
