"""encrypt_batch() and decrypt_batch(): headers, coherency, loss, reorder, wrong arguments."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from .conftest import core
from .reference import start_keys

Array = np.ndarray[Any, Any]
KINDS = [(bits, stateless) for bits in (40, 56, 128) for stateless in (True, False)]


class Pair:
    """Both ends of some sessions of one kind."""

    def __init__(self, bits: int, stateless: bool, sessions: int = 20) -> None:
        self.rng = np.random.default_rng(11)
        keys = start_keys(self.rng, sessions, bits)
        self.sender = core.mppe_states(keys, bits, stateless)
        self.receiver = core.mppe_states(keys, bits, stateless)
        self.engine = core.Mppe()

    def send(self, index: Array, longest: int = 200) -> tuple[Array, Array, Array]:
        lengths = self.rng.integers(1, longest, len(index)).astype(np.uint32)
        plain = self.rng.integers(0, 256, (len(index), longest + 2), np.uint8)
        wire = np.zeros_like(plain)
        self.engine.encrypt_batch(self.sender, index, plain, lengths, wire)
        return plain, wire, lengths

    def receive(
        self, index: Array, wire: Array, lengths: Array, **options: Any
    ) -> tuple[Array, Array]:
        out = np.zeros_like(wire)
        status = self.engine.decrypt_batch(self.receiver, index, wire, lengths, out, **options)
        return out, status

    def same(self, plain: Array, out: Array, lengths: Array, which: Array) -> bool:
        return all(
            np.array_equal(plain[k, 2 : 2 + lengths[k]], out[k, 2 : 2 + lengths[k]]) for k in which
        )


def headers(wire: Array) -> Array:
    return wire[:, 0].astype(np.uint32) << 8 | wire[:, 1]


@pytest.mark.parametrize(("bits", "stateless"), KINDS)
def test_round_trip_past_the_wrap_of_the_count(bits: int, stateless: bool) -> None:
    pair = Pair(bits, stateless, sessions=3)
    index = np.repeat(np.arange(3, dtype=np.uint32), 4400)
    plain, wire, lengths = pair.send(index, 20)
    out, status = pair.receive(index, wire, lengths)
    assert not status.any()
    assert pair.same(plain, out, lengths, np.arange(len(index)))
    assert np.array_equal(pair.sender, pair.receiver)


@pytest.mark.parametrize("stateless", [True, False])
def test_header_of_each_packet(stateless: bool) -> None:
    """RFC 3078 3.1: D always; A if stateless, and in flag packets (7.2); counts from 0."""
    pair = Pair(128, stateless, sessions=1)
    _, wire, _ = pair.send(np.zeros(600, np.uint32), 4)
    counts = np.arange(600)
    flushed = stateless | (counts & 0xFF == 0xFF)
    assert np.array_equal(headers(wire), counts | 0x1000 | np.where(flushed, 0x8000, 0))


@pytest.mark.parametrize("bits", [40, 56, 128])
def test_stateless_loss_and_reorder(bits: int) -> None:
    pair = Pair(bits, True)
    index = pair.rng.integers(0, 20, 2000).astype(np.uint32)
    plain, wire, lengths = pair.send(index)
    kept = np.flatnonzero(pair.rng.random(2000) > 0.3)
    late = kept[5::50]
    order = np.concatenate([np.setdiff1d(kept, late), late])
    out, status = pair.receive(index[order], wire[order], lengths[order])
    taken = np.flatnonzero(status == core.MPPE_OK)
    assert pair.same(plain[order], out, lengths[order], taken)
    on_time = status[: len(kept) - len(late)]
    assert not on_time.any()
    assert set(status[len(on_time) :]) <= {core.MPPE_OK, core.MPPE_LATE}
    assert (status[len(on_time) :] == core.MPPE_LATE).sum() > 10


def test_stateless_outage_of_thousands() -> None:
    pair = Pair(128, True, sessions=1)
    plain, wire, lengths = pair.send(np.zeros(3000, np.uint32), 8)
    last = np.array([2999])
    one = np.zeros(1, np.uint32)
    _, status = pair.receive(one, wire[last], lengths[last])
    assert status[0] == core.MPPE_LATE
    out, status = pair.receive(one, wire[last], lengths[last], catch_up=4095)
    assert status[0] == core.MPPE_OK
    assert pair.same(plain[last], out, lengths[last], np.zeros(1, np.int64))


def test_stateful_loss_waits_for_a_flushed_packet() -> None:
    pair = Pair(128, False, sessions=1)
    plain, wire, lengths = pair.send(np.zeros(600, np.uint32), 50)
    kept = np.delete(np.arange(600), [100, 300])
    out, status = pair.receive(np.zeros(598, np.uint32), wire[kept], lengths[kept])
    broken = ((kept > 100) & (kept < 255)) | ((kept > 300) & (kept < 511))
    assert np.array_equal(status, np.where(broken, core.MPPE_OUT_OF_STEP, core.MPPE_OK))
    assert pair.same(plain[kept], out, lengths[kept], np.flatnonzero(~broken))


def test_headers_that_are_not_mppe() -> None:
    pair = Pair(128, True, sessions=1)
    _, wire, lengths = pair.send(np.zeros(4, np.uint32))
    wire[0, 0] &= ~0x10 & 0xFF
    wire[1, 0] |= 0x40
    wire[2, 0] |= 0x20
    before = pair.receiver.copy()
    _, status = pair.receive(np.zeros(3, np.uint32), wire[:3], lengths[:3])
    assert (status == core.MPPE_MALFORMED).all()
    assert np.array_equal(pair.receiver, before)


def test_in_place_is_the_same_as_out_of_place() -> None:
    for bits, stateless in KINDS:
        one, two = Pair(bits, stateless), Pair(bits, stateless)
        index = np.arange(100, dtype=np.uint32) % 20
        plain, wire, lengths = one.send(index)
        two.engine.encrypt_batch(two.sender, index, plain, lengths)
        for k, length in enumerate(lengths):
            assert np.array_equal(plain[k, : 2 + length], wire[k, : 2 + length])


def test_status_may_be_the_callers() -> None:
    pair = Pair(128, True, sessions=1)
    index = np.zeros(5, np.uint32)
    _, wire, lengths = pair.send(index)
    status = np.full(5, 9, np.uint8)
    assert pair.receive(index, wire, lengths, status=status)[1] is not None
    assert not status.any()


def call(**changed: Any) -> None:
    arguments = {
        "states": core.mppe_states(np.zeros((2, 16), np.uint8), 128, True),
        "index": np.zeros(3, np.uint32),
        "packets": np.zeros((3, 20), np.uint8),
        "lengths": np.full(3, 18, np.uint32),
    }
    core.Mppe().encrypt_batch(*(arguments | changed).values())


@pytest.mark.parametrize(
    "wrong",
    [
        {"index": np.array([0, 2, 0], np.uint32)},
        {"lengths": np.full(3, 19, np.uint32)},
        {"lengths": np.full(3, 0xFFFFFFFF, np.uint32)},
        {"lengths": np.zeros(2, np.uint32)},
        {"packets": np.zeros((2, 20), np.uint8)},
        {"packets": np.zeros((3, 40), np.uint8)[:, ::2]},
        {"states": np.zeros(2, core.MPPE_STATE)},
        {"states": core.mppe_states(np.zeros((4, 16), np.uint8), 128, True)[::2]},
    ],
)
def test_arguments_that_do_not_fit(wrong: dict[str, Array]) -> None:
    call()
    with pytest.raises(ValueError):
        call(**wrong)


def test_states_of_another_kind() -> None:
    with pytest.raises(TypeError, match="MPPE_STATE"):
        call(states=np.zeros((2, 304), np.uint8))
    with pytest.raises(ValueError, match="64"):
        core.mppe_states(np.zeros((1, 8), np.uint8), 64, True)
    with pytest.raises(ValueError, match="octets"):
        core.mppe_states(np.zeros((1, 8), np.uint8), 128, True)


def test_options_that_do_not_fit() -> None:
    pair = Pair(128, True, sessions=1)
    index = np.zeros(5, np.uint32)
    _, wire, lengths = pair.send(index)
    for options in ({"catch_up": 0}, {"catch_up": 4096}, {"status": np.zeros(4, np.uint8)}):
        with pytest.raises(ValueError):
            pair.receive(index, wire, lengths, **options)
    with pytest.raises(ValueError, match="row for each packet"):
        pair.engine.crypt_batch(pair.sender, index, wire, lengths, None, np.zeros(4, np.uint16))
