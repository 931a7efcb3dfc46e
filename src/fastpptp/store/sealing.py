"""Passwords at rest: AES-256-GCM, bound to whose password it is.

CHAP and MS-CHAP need the password itself, so a hash will not do (RFC 1994 2.2, RFC 2433 A.3).
"""

from __future__ import annotations

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

NONCE_OCTETS = 12


class Sealer:
    """Seals and unseals texts under one key.

    `whose` goes in as associated data: a sealed password moved to another row does not open.
    """

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    def seal(self, text: str, whose: str) -> bytes:
        nonce = os.urandom(NONCE_OCTETS)
        return nonce + self._cipher.encrypt(nonce, text.encode(), whose.encode())

    def unseal(self, sealed: bytes, whose: str) -> str:
        """The text; ValueError when it was sealed with another key, for another, or is damaged."""
        nonce, body = sealed[:NONCE_OCTETS], sealed[NONCE_OCTETS:]
        try:
            return self._cipher.decrypt(nonce, body, whose.encode()).decode()
        except (InvalidTag, ValueError):
            raise ValueError(f"the sealed password of {whose} does not open") from None
