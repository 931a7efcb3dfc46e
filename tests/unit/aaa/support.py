"""A policy that tests can shape, and requests from peers that know a password or do not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from hashlib import md5
from ipaddress import IPv4Address
from typing import Any

from fastpptp.aaa import AuthRequest, LocalAuthenticator
from fastpptp.ppp.auth.packets import octets_of
from fastpptp.ppp.auth.schemes import scheme_of
from fastpptp.ppp.auth.types import AuthMethod, ChapCredential, Credential, PapCredential
from fastpptp.settings import profiles
from fastpptp.settings.resolve import Effective, PolicySnapshot, UserRecord

METHODS = (AuthMethod.PAP, AuthMethod.CHAP, AuthMethod.MSCHAP_V1, AuthMethod.MSCHAP_V2)
PASSWORD = "cisco123"
PEER = IPv4Address("192.0.2.1")
MONDAY = datetime(2026, 1, 5, 10, 0)
BASE = replace(PolicySnapshot(profiles.default()).base, authentication_protocols=frozenset(METHODS))


def rng(size: int) -> bytes:
    return bytes(range(size % 256)).ljust(size, b"\7")


class Users:
    """A Policy. `add` makes a user with attributes that differ from the base group's."""

    def __init__(self, **base: Any) -> None:
        self.base: Effective = replace(BASE, **base)
        self.users: dict[str, UserRecord] = {}

    def add(self, name: str, password: str = PASSWORD, **attributes: Any) -> Users:
        effective = replace(self.base, **attributes)
        self.users[name] = UserRecord(name, "pptpgroup", password, effective)
        return self

    def user(self, name: str) -> UserRecord | None:
        return self.users.get(name)

    def origins(self, name: str | None) -> Iterator[tuple[str, str, str]]:
        yield "Strip Realm", "no", "default" if name is None else f"user {name}"


def authenticator(users: Users) -> Any:
    return LocalAuthenticator(users)


def credential(method: AuthMethod, name: str, password: str) -> Credential:
    if method is AuthMethod.PAP:
        return PapCredential(octets_of(password)[0])
    if method is AuthMethod.CHAP:
        secret = octets_of(password)[0]
        return ChapCredential(5, b"challenge", md5(b"\5" + secret + b"challenge").digest())
    scheme = scheme_of(method)
    challenge = rng(scheme.challenge_octets)
    data = scheme.answer(5, challenge, octets_of(name)[0], password, rng).data
    return scheme.credential(5, challenge, data[1:50])


def request(
    name: str = "pptpuser",
    password: str = PASSWORD,
    *,
    method: AuthMethod = AuthMethod.MSCHAP_V2,
    now: float = 0.0,
    **more: Any,
) -> AuthRequest:
    given = more.pop("credential", None) or credential(method, name, password)
    fields = {"peer": PEER, "wall": MONDAY, **more}
    return AuthRequest(method, name, given, now=now, **fields)
