"""What an authentication protocol tells the Link, in order."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from fastpptp.ppp.auth.types import AuthMethod, Credential, KeySource


@dataclass(frozen=True, slots=True)
class SendPacket:
    """Send this packet (from its code octet on) with the protocol's number before it."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Ask:
    """Hold the credential against the users; answer with complete(token, result, now)."""

    token: int
    name: str
    credential: Credential = field(repr=False)


@dataclass(frozen=True, slots=True)
class Succeeded:
    """Authentication is over, and well. Told once, whatever is repeated on the wire."""

    method: AuthMethod
    name: str
    keys: KeySource | None = field(default=None, repr=False)
    identity: object = None


@dataclass(frozen=True, slots=True)
class Failed:
    """Authentication is over: end the link. Told once.

    `error` is the MS-CHAP code that a peer was told, 0 if that is 691, which says no more.
    """

    method: AuthMethod
    name: str
    not_allowed: bool = False
    error: int = 0


AuthStep: TypeAlias = SendPacket | Ask | Succeeded | Failed
