"""The words that authentication protocols, the Link and the policy in aaa/ share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from fastpptp.methods import AuthMethod as AuthMethod


@dataclass(frozen=True, slots=True)
class PapCredential:
    """RFC 1334 2.2.1: the password as sent."""

    password: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class ChapCredential:
    """RFC 1994 4.1, algorithm 5 (MD5)."""

    identifier: int
    challenge: bytes
    response: bytes


@dataclass(frozen=True, slots=True)
class MsChapV1Credential:
    """RFC 2433 section 6: 8-octet challenge, two 24-octet responses."""

    challenge: bytes
    lm_response: bytes
    nt_response: bytes
    use_nt: bool


@dataclass(frozen=True, slots=True)
class MsChapV2Credential:
    """RFC 2759 section 4: two 16-octet challenges and the 24-octet response."""

    authenticator_challenge: bytes
    peer_challenge: bytes
    nt_response: bytes


@dataclass(frozen=True, slots=True)
class ChangePasswordV1Credential:
    """RFC 2433 section 9.1 and 9.2 (codes 5 and 6), fields as sent."""

    challenge: bytes
    version: int
    lm_response: bytes
    nt_response: bytes
    encrypted_password_nt: bytes
    encrypted_password_lm: bytes
    encrypted_hash_nt: bytes
    encrypted_hash_lm: bytes
    use_nt: bool


@dataclass(frozen=True, slots=True)
class ChangePasswordV2Credential:
    """RFC 2759 section 7 (code 7), fields as sent."""

    authenticator_challenge: bytes
    peer_challenge: bytes
    nt_response: bytes
    encrypted_password: bytes
    encrypted_hash: bytes


Credential: TypeAlias = (
    PapCredential
    | ChapCredential
    | MsChapV1Credential
    | MsChapV2Credential
    | ChangePasswordV1Credential
    | ChangePasswordV2Credential
)


class KeySource(Protocol):
    """Where MPPE start keys come from, once the key length is negotiated (RFC 3079)."""

    def start_keys(self, bits: int) -> tuple[bytes, bytes]:
        """(send, receive) start keys for 40, 56 or 128 bits: 8, 8 or 16 octets, as seen from us."""
        ...

    def allows(self, bits: int) -> bool:
        """Whether keys of this length can be derived."""
        ...


@dataclass(frozen=True, slots=True)
class Accept:
    """Let the peer in. `message` goes to the peer: for MS-CHAPv2 it is the whole `S=... M=...`.

    `identity` is opaque to the Link: the policy's record of who this is.
    """

    message: bytes = b""
    keys: KeySource | None = field(default=None, repr=False)
    identity: object = None


@dataclass(frozen=True, slots=True)
class Reject:
    """Keep the peer out. `error` is the MS-CHAP error code (691, 646, 647, 648, 649, 709).

    `retries` is how often this peer may try again in all: while it has tried less often, a new
    challenge follows (MS-CHAP). `not_allowed` makes the end AUTHENTICATION_NOT_ALLOWED: the
    method lies outside the user's set. `cause` is opaque to the Link: the policy's record of why.
    """

    error: int = 691
    message: bytes = b""
    retries: int = 0
    not_allowed: bool = False
    cause: object = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Challenge:
    """Another round: these octets go to the peer (EAP, RADIUS Access-Challenge)."""

    data: bytes


AuthResult: TypeAlias = Accept | Reject | Challenge
