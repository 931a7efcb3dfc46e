"""The key change's digest, at every level and in every lane, against hashlib."""

from __future__ import annotations

import numpy as np
import pytest

from .conftest import core, levels
from .reference import new_key_from_sha


@pytest.mark.parametrize("level", levels())
@pytest.mark.parametrize("key_length", [8, 16])
def test_digest_in_every_lane(level: str, key_length: int) -> None:
    core.set_cpu_level(level)
    rng = np.random.default_rng(key_length)
    for lane in range(-1, 16):
        start, session = rng.bytes(key_length), rng.bytes(key_length)
        assert core.sha1_key(start, session, lane) == new_key_from_sha(start, session)


@pytest.mark.parametrize("level", levels())
def test_initial_session_keys_of_rfc_3079(level: str) -> None:
    """RFC 3079 3.5.1 to 3.5.3: from the start key to the session key and its key stream.

    The last octet that 3.5.2 prints, 58, is not RC4's of that key and text: that is B8.
    """
    core.set_cpu_level(level)
    start = bytes.fromhex("8b7cdc149b993a1b a118cb153f56dccb")
    samples = {
        40: ("d1269ec49fa62e3e", "92913791 7e5803d6 68d75898"),
        56: ("d15c00c49fa62e3e", "3f106833 fa448da8 42bc57b8"),
        128: ("405cb2247a7956e6e211007ae27b22d4", "81848317 df688462 72fb5abe"),
    }
    for bits, (session_key, sealed) in samples.items():
        octets = 16 if bits == 128 else 8
        keys = np.frombuffer(start[:octets], np.uint8).reshape(1, -1)
        state = core.mppe_states(keys, bits, False)
        assert state["session_key"][0, :octets].tobytes() == bytes.fromhex(session_key)
        packet = np.frombuffer(b"\0\0test message", np.uint8).reshape(1, -1).copy()
        one = np.zeros(1, np.uint32)
        core.Mppe().crypt_batch(state, one, packet, one + 12)
        assert packet[0, 2:].tobytes() == bytes.fromhex(sealed)


def test_keys_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match="octets"):
        core.sha1_key(bytes(8), bytes(16))
    with pytest.raises(ValueError, match="octets"):
        core.sha1_key(bytes(7), bytes(7))
