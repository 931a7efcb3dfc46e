"""Where MPPE's keys come from: RFC 3079.

A start key is what the dataplane's engine is armed with: it is both arguments of the first
GetNewKeyFromSHA, whose result, cut by `reduce_key`, is the first session key.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha1
from types import MappingProxyType
from typing import Any

from fastpptp.errors import LocalProtocolError
from fastpptp.ppp.auth import mschap
from fastpptp.ppp.auth.types import KeySource

SHS_PAD1 = bytes(40)
SHS_PAD2 = b"\xf2" * 40

_MASTER = b"This is the MPPE Master Key"
_CLIENT_SENDS = (
    b"On the client side, this is the send key; on the server side, it is the receive key."
)
_SERVER_SENDS = (
    b"On the client side, this is the receive key; on the server side, it is the send key."
)

KEY_OCTETS: Mapping[int, int] = MappingProxyType({40: 8, 56: 8, 128: 16})
# Sections 3.1 and 3.2: known octets bring a key of 8 octets down to its strength.
SALTS: Mapping[int, bytes] = MappingProxyType({40: b"\xd1\x26\x9e", 56: b"\xd1", 128: b""})


def key_octets(bits: int) -> int:
    """The length of a key; LocalProtocolError for a strength that MPPE does not have."""
    if bits not in KEY_OCTETS:
        raise LocalProtocolError(f"MPPE has no keys of {bits} bits")
    return KEY_OCTETS[bits]


def reduce_key(key: bytes, bits: int) -> bytes:
    """A session key at its effective strength."""
    salt = SALTS[bits]
    return salt + key[len(salt) :]


def get_new_key_from_sha(start_key: bytes, session_key: bytes, length: int) -> bytes:
    """GetNewKeyFromSHA (RFC 3078 section 7.3; Get_Key in RFC 3079 section 2.4)."""
    return sha1(start_key[:length] + SHS_PAD1 + session_key[:length] + SHS_PAD2).digest()[:length]


def get_start_key(challenge: bytes, password_hash_hash: bytes) -> bytes:
    """Get_Start_Key (section 2.4): 16 octets, from MS-CHAPv1's challenge of 8."""
    return sha1(password_hash_hash * 2 + challenge).digest()[:16]


def get_master_key(password_hash_hash: bytes, nt_response: bytes) -> bytes:
    """GetMasterKey (section 3.4): 16 octets."""
    return sha1(password_hash_hash + nt_response + _MASTER).digest()[:16]


def get_asymmetric_start_key(
    master_key: bytes, length: int, *, is_send: bool, is_server: bool
) -> bytes:
    """GetAsymmetricStartKey (section 3.4): `length` octets."""
    text = _SERVER_SENDS if is_send == is_server else _CLIENT_SENDS
    return sha1(master_key + SHS_PAD1 + text + SHS_PAD2).digest()[:length]


@dataclass(frozen=True, slots=True)
class MsChapV1Keys:
    """Section 2. Both directions have one and the same key.

    40 and 56 bits come from the LAN Manager hash, so a password without one has none. pppd
    holds no LAN Manager hash: after MS-CHAPv1 it drops 40 bits and offers 128 alone (its
    ccp.c, "Disabling 40-bit MPPE; MS-CHAP LM not supported"), so nothing else interoperates.
    """

    start_key: bytes = field(repr=False)
    lm_key: bytes | None = field(repr=False)

    @classmethod
    def derive(cls, password: str, challenge: bytes) -> MsChapV1Keys:
        password_hash = mschap.nt_password_hash(password)
        lm_hash = mschap.lm_password_hash(password)
        start = get_start_key(challenge, mschap.hash_nt_password_hash(password_hash))
        return cls(start, lm_hash and lm_hash[:8])

    def allows(self, bits: int) -> bool:
        return bits == 128 or (bits in KEY_OCTETS and self.lm_key is not None)

    def start_keys(self, bits: int) -> tuple[bytes, bytes]:
        key = self.start_key if key_octets(bits) == 16 else self.lm_key
        if key is None:
            raise LocalProtocolError("a password without a LAN Manager hash gives 128 bits alone")
        return key, key

    def snapshot(self) -> dict[str, Any]:
        return {"kind": "mschap-v1", "start_key": self.start_key, "lm_key": self.lm_key}


@dataclass(frozen=True, slots=True)
class MsChapV2Keys:
    """Section 3. The master key comes from the NT-Response, never from a challenge."""

    master_key: bytes = field(repr=False)
    is_server: bool

    @classmethod
    def derive(cls, password: str, nt_response: bytes, *, is_server: bool) -> MsChapV2Keys:
        password_hash_hash = mschap.hash_nt_password_hash(mschap.nt_password_hash(password))
        return cls(get_master_key(password_hash_hash, nt_response), is_server)

    def allows(self, bits: int) -> bool:
        return bits in KEY_OCTETS

    def start_keys(self, bits: int) -> tuple[bytes, bytes]:
        length = key_octets(bits)
        send, receive = (
            get_asymmetric_start_key(
                self.master_key, length, is_send=is_send, is_server=self.is_server
            )
            for is_send in (True, False)
        )
        return send, receive

    def snapshot(self) -> dict[str, Any]:
        return {"kind": "mschap-v2", "master_key": self.master_key, "is_server": self.is_server}


def restore_keys(snapshot: Mapping[str, Any]) -> KeySource:
    """The key source that made this snapshot()."""
    if snapshot["kind"] == "mschap-v1":
        return MsChapV1Keys(snapshot["start_key"], snapshot["lm_key"])
    return MsChapV2Keys(snapshot["master_key"], snapshot["is_server"])
