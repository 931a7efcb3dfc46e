"""RC4 in groups of every shape, against pycryptodome, octet by octet."""

from __future__ import annotations

import numpy as np
import pytest
from Crypto.Cipher import ARC4

from .conftest import core, shapes
from .reference import references, start_keys

MODES = [pytest.param(True, id="stateless"), pytest.param(False, id="stateful")]


@pytest.mark.parametrize("key_length", [8, 16])
def test_one_stream_at_all_lengths(key_length: int) -> None:
    rng = np.random.default_rng(1)
    key, data = rng.bytes(key_length), rng.bytes(2000)
    stream = ARC4.new(key).encrypt(data)
    for length in range(2001):
        assert core.rc4_crypt_octets(key, data[:length]) == stream[:length]


@pytest.mark.parametrize("shape", shapes())
@pytest.mark.parametrize("stateless", MODES)
@pytest.mark.parametrize("bits", [40, 128])
def test_every_length_in_every_shape(shape: str, stateless: bool, bits: int) -> None:
    core.set_mppe_shape(shape)
    rng = np.random.default_rng(bits)
    keys = start_keys(rng, 32, bits)
    states = core.mppe_states(keys, bits, stateless)
    sessions = references(keys, bits, stateless)
    lengths = rng.permutation(2001).astype(np.uint32)
    index = (np.arange(2001) % 32).astype(np.uint32)
    packets = rng.integers(0, 256, (2001, 2002), np.uint8)
    out = np.zeros_like(packets)
    changes = np.full(2001, stateless, np.uint16)
    core.Mppe().crypt_batch(states, index, packets, lengths, out, changes)
    for k, length in enumerate(lengths):
        want = sessions[index[k]].crypt(packets[k, 2 : 2 + length].tobytes(), int(changes[k]))
        assert out[k, 2 : 2 + length].tobytes() == want, f"packet {k} of {length} octets"
        assert not out[k, 2 + length :].any(), f"packet {k} wrote past its end"
        assert not out[k, :2].any()


@pytest.mark.parametrize("shape", shapes())
def test_tables_at_rest_stand_at_any_i(shape: str) -> None:
    """Stateful streams that have come differently far go on side by side."""
    core.set_mppe_shape(shape)
    rng = np.random.default_rng(3)
    keys = start_keys(rng, 256, 128)
    states = core.mppe_states(keys, 128, False)
    sessions = references(keys, 128, False)
    engine = core.Mppe()
    index = np.arange(256, dtype=np.uint32)
    for lengths in (index, np.full(256, 300, np.uint32)):
        packets = rng.integers(0, 256, (256, 302), np.uint8)
        want = [
            s.crypt(p[2 : 2 + n].tobytes(), 0)
            for s, p, n in zip(sessions, packets, lengths, strict=True)
        ]
        engine.crypt_batch(states, index, packets, lengths)
        assert [p[2 : 2 + n].tobytes() for p, n in zip(packets, lengths, strict=True)] == want
    assert np.array_equal(states["i"], (index + 300).astype(np.uint8))


@pytest.mark.parametrize("shape", shapes())
@pytest.mark.parametrize("stateless", MODES)
def test_buffers_at_odd_addresses(shape: str, stateless: bool) -> None:
    core.set_mppe_shape(shape)
    rng = np.random.default_rng(4)
    keys = start_keys(rng, 40, 128)
    index = np.arange(40, dtype=np.uint32)
    lengths = rng.integers(0, 300, 40).astype(np.uint32)
    changes = np.full(40, stateless, np.uint16)
    packets = rng.integers(0, 256, (40, 305), np.uint8)
    want = [
        s.crypt(p[2 : 2 + n].tobytes(), int(stateless))
        for s, p, n in zip(references(keys, 128, stateless), packets, lengths, strict=True)
    ]
    for offset in range(1, 8):
        memory = np.zeros(40 * 305 + 8, np.uint8)
        rows = memory[offset : offset + 40 * 305].reshape(40, 305)
        rows[:] = packets
        core.Mppe().crypt_batch(
            core.mppe_states(keys, 128, stateless), index, rows, lengths, None, changes
        )
        assert [r[2 : 2 + n].tobytes() for r, n in zip(rows, lengths, strict=True)] == want
        assert not memory[:offset].any()
        assert not memory[offset + 40 * 305 :].any()
