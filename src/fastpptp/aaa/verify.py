"""Holds a credential against a password: the cryptography of each method, without policy.

The work does not depend on whether the password is right. Comparisons take constant time.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import md5, sha256
from types import MappingProxyType
from typing import Any

from fastpptp.errors import RemoteProtocolError
from fastpptp.ppp.auth import mschap
from fastpptp.ppp.auth.mppe_keys import MsChapV1Keys, MsChapV2Keys
from fastpptp.ppp.auth.packets import octets_of
from fastpptp.ppp.auth.types import (
    ChangePasswordV1Credential,
    ChangePasswordV2Credential,
    ChapCredential,
    Credential,
    KeySource,
    MsChapV1Credential,
    MsChapV2Credential,
    PapCredential,
)

_GRANTED = b" M=Access granted"


@dataclass(frozen=True, slots=True)
class Verified:
    """A right credential: what the peer is told, MPPE's keys, and a new password if it sent one."""

    message: bytes = b""
    keys: KeySource | None = field(default=None, repr=False)
    new_password: str | None = field(default=None, repr=False)


def verify(credential: Credential, name: str, password: str) -> Verified | None:
    """None when `credential` does not prove `password`. `name` as the peer sent it."""
    return _VERIFIERS[type(credential)](credential, name, password)


def is_change(credential: Credential) -> bool:
    """Whether the credential carries a new password."""
    return isinstance(credential, ChangePasswordV1Credential | ChangePasswordV2Credential)


def _pap(credential: PapCredential, name: str, password: str) -> Verified | None:
    # Digests are compared, so that the time does not tell the password's length.
    sent = sha256(credential.password).digest()
    kept = [sha256(octets).digest() for octets in octets_of(password)]
    return Verified() if _any_equal(sent, kept) else None


def _chap(credential: ChapCredential, name: str, password: str) -> Verified | None:
    identifier = bytes((credential.identifier,))
    expected = [
        md5(identifier + octets + credential.challenge).digest() for octets in octets_of(password)
    ]
    return Verified() if _any_equal(credential.response, expected) else None


def _mschap_v1(credential: MsChapV1Credential, name: str, password: str) -> Verified | None:
    """The LAN Manager response alone is refused: it is deprecated (RFC 2433 section 6), it
    knows no case, and no key of 128 bits goes with it.
    """
    expected = mschap.challenge_response(credential.challenge, mschap.nt_password_hash(password))
    if not hmac.compare_digest(credential.nt_response, expected) or not credential.use_nt:
        return None
    return Verified(keys=MsChapV1Keys.derive(password, credential.challenge))


def _mschap_v2(
    credential: MsChapV2Credential | ChangePasswordV2Credential, name: str, password: str
) -> Verified | None:
    challenges = credential.authenticator_challenge, credential.peer_challenge
    right = None
    for octets in octets_of(name):
        expected = mschap.generate_nt_response(*challenges, octets, password)
        if hmac.compare_digest(credential.nt_response, expected):
            right = octets
    if right is None:
        return None
    response, (authenticator, peer) = credential.nt_response, challenges
    proof = mschap.generate_authenticator_response(password, response, peer, authenticator, right)
    keys = MsChapV2Keys.derive(password, response, is_server=True)
    return Verified(proof + _GRANTED, keys)


def _change_v1(credential: ChangePasswordV1Credential, name: str, password: str) -> Verified | None:
    """Version 1 (code 5) brings hashes, from which no password can be kept: always refused."""
    new = _new_password(credential.encrypted_password_nt, credential.encrypted_hash_nt, password)
    if new is None or not credential.use_nt:
        return None
    expected = mschap.challenge_response(credential.challenge, mschap.nt_password_hash(new))
    if not hmac.compare_digest(credential.nt_response, expected):
        return None
    return Verified(keys=MsChapV1Keys.derive(new, credential.challenge), new_password=new)


def _change_v2(credential: ChangePasswordV2Credential, name: str, password: str) -> Verified | None:
    new = _new_password(credential.encrypted_password, credential.encrypted_hash, password)
    proven = None if new is None else _mschap_v2(credential, name, new)
    return proven and Verified(proven.message, proven.keys, new)


def _new_password(block: bytes, encrypted_hash: bytes, old: str) -> str | None:
    """The password in a PwBlock, if its sender knew the old one (RFC 2759 sections 8.9, 8.12)."""
    if len(block) != mschap.PW_BLOCK:
        return None
    old_hash = mschap.nt_password_hash(old)
    try:
        new = mschap.decrypt_pw_block(block, old_hash)
    except RemoteProtocolError:
        return None
    new_hash = mschap.nt_password_hash(new)
    expected = mschap.nt_password_hash_encrypted_with_block(old_hash, new_hash)
    return new if hmac.compare_digest(encrypted_hash, expected) else None


def _any_equal(sent: bytes, expected: list[bytes]) -> bool:
    return any(hmac.compare_digest(sent, one) for one in expected)


_VERIFIERS: Mapping[type, Callable[[Any, str, str], Verified | None]] = MappingProxyType(
    {
        PapCredential: _pap,
        ChapCredential: _chap,
        MsChapV1Credential: _mschap_v1,
        MsChapV2Credential: _mschap_v2,
        ChangePasswordV1Credential: _change_v1,
        ChangePasswordV2Credential: _change_v2,
    }
)
