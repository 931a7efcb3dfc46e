"""What both ends of SNMPv3's User-based Security Model compute: keys and the cipher."""

from __future__ import annotations

import hashlib

from Crypto.Cipher import AES

MEGABYTE = 1 << 20
SALT = 8  # octets
KEY = 16  # of AES-128
BLOCK = 16


def localized_key(password: str, engine: bytes, algorithm: str) -> bytes:
    """A user's key at an engine (RFC 3414 A.2); `algorithm` is a name of hashlib's."""
    text = password.encode()
    repeated = (text * (MEGABYTE // len(text) + 1))[:MEGABYTE]
    key = hashlib.new(algorithm, repeated).digest()
    return hashlib.new(algorithm, key + engine + key).digest()


def crypt(
    key: bytes, boots: int, at: int, salt: bytes, data: bytes, *, decrypt: bool = False
) -> bytes:
    """RFC 3826 3.1: CFB over blocks of 128 bits, the last one cut."""
    vector = boots.to_bytes(4) + at.to_bytes(4) + salt
    cipher = AES.new(key, AES.MODE_CFB, iv=vector, segment_size=8 * BLOCK)
    padded = data + bytes(-len(data) % BLOCK)
    done: bytes = cipher.decrypt(padded) if decrypt else cipher.encrypt(padded)
    return done[: len(data)]
