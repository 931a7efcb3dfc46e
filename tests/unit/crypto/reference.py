"""MPPE by the letter of RFC 3078 and 3079, on pycryptodome and hashlib: slow and plain."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from Crypto.Cipher import ARC4

SALT = {40: b"\xd1\x26\x9e", 56: b"\xd1", 128: b""}


def new_key_from_sha(start_key: bytes, session_key: bytes) -> bytes:
    """GetNewKeyFromSHA() of RFC 3079 3.4."""
    message = start_key + bytes(40) + session_key + b"\xf2" * 40
    return hashlib.sha1(message).digest()[: len(start_key)]


@dataclass
class Reference:
    """One direction of one session."""

    start_key: bytes
    bits: int
    stateless: bool
    key: bytes = field(init=False)
    rc4: Any = field(init=False)

    def __post_init__(self) -> None:
        self.key = self.salted(new_key_from_sha(self.start_key, self.start_key))
        self.rc4 = ARC4.new(self.key)

    def salted(self, key: bytes) -> bytes:
        salt = SALT[self.bits]
        return salt + key[len(salt) :]

    def change_key(self) -> None:
        """RFC 3078 7.3."""
        interim = new_key_from_sha(self.start_key, self.key)
        self.key = self.salted(ARC4.new(interim).encrypt(interim))

    def crypt(self, text: bytes, changes: int, initialize: bool = False) -> bytes:
        for _ in range(changes):
            self.change_key()
        if self.stateless or changes or initialize:
            self.rc4 = ARC4.new(self.key)
        return bytes(self.rc4.encrypt(text)) if text else b""


def start_keys(rng: np.random.Generator, count: int, bits: int) -> np.ndarray[Any, Any]:
    return rng.integers(0, 256, (count, 16 if bits == 128 else 8), np.uint8)


def references(keys: np.ndarray[Any, Any], bits: int, stateless: bool) -> list[Reference]:
    return [Reference(key.tobytes(), bits, stateless) for key in keys]
