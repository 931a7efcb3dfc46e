"""mppe_crypt(): any mix of sessions, modes, key changes and lengths, at every level."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from .conftest import core, levels, shapes
from .reference import Reference, references, start_keys

Array = np.ndarray[Any, Any]


class Mixed:
    """Sessions of every strength and both modes, with the reference beside each."""

    def __init__(self, seed: int, per_kind: int = 6) -> None:
        self.rng = np.random.default_rng(seed)
        self.engine = core.Mppe()
        self.sessions: list[Reference] = []
        arrays = []
        for bits in (40, 56, 128):
            for stateless in (True, False):
                keys = start_keys(self.rng, per_kind, bits)
                arrays.append(core.mppe_states(keys, bits, stateless))
                self.sessions += references(keys, bits, stateless)
        self.states = np.concatenate(arrays)

    def run(self, index: Array, lengths: Array, changes: Array, initialize: Array) -> None:
        """One batch, held against the references: octets, keys, and what lies around."""
        count, longest = len(index), int(lengths.max(initial=0))
        packets = self.rng.integers(0, 256, (count, longest + 5), np.uint8)
        out, keys = np.full_like(packets, 0xEE), np.zeros((count, 16), np.uint8)
        self.engine.crypt_batch(
            self.states, index.astype(np.uint32), packets, lengths.astype(np.uint32), out,
            changes.astype(np.uint16), initialize.astype(np.uint8), keys,
        )  # fmt: skip
        for k in range(count):
            session, end = self.sessions[index[k]], 2 + int(lengths[k])
            want = session.crypt(packets[k, 2:end].tobytes(), int(changes[k]), bool(initialize[k]))
            assert out[k, 2:end].tobytes() == want, f"packet {k}"
            assert keys[k].tobytes() == session.key.ljust(16, b"\0"), f"key of packet {k}"
            assert (out[k, end:] == 0xEE).all()
            assert (out[k, :2] == 0xEE).all()

    def random_batch(self, count: int, longest: int) -> None:
        rng = self.rng
        lengths = rng.integers(0, longest, count)
        lengths[rng.random(count) < 0.3] = 64
        changes = rng.choice([0, 1, 1, 1, 2, 7], count)
        self.run(
            rng.integers(0, len(self.sessions), count), lengths, changes, rng.random(count) < 0.2
        )


@pytest.mark.parametrize("level", levels())
def test_any_mix_at_every_level(level: str) -> None:
    core.set_cpu_level(level)
    mixed = Mixed(5)
    for count in (1, 2, 3, 5, 8, 9, 16, 17, 33, 64, 300):
        mixed.random_batch(count, 400)


@pytest.mark.parametrize("shape", shapes())
def test_any_mix_in_every_shape(shape: str) -> None:
    core.set_mppe_shape(shape)
    mixed = Mixed(6)
    for count in (1, 7, 40, 600):
        mixed.random_batch(count, 300)


@settings(max_examples=40)
@given(
    jobs=st.lists(
        st.tuples(st.integers(0, 11), st.integers(0, 80), st.integers(0, 3), st.booleans()),
        max_size=70,
    )
)
def test_jobs_of_one_state_act_in_order(jobs: list[tuple[int, int, int, bool]]) -> None:
    columns = np.array(jobs, np.int64).reshape(-1, 4).T
    Mixed(7, per_kind=2).run(*columns)


@pytest.mark.parametrize("level", levels())
def test_one_busy_session_and_many_idle_ones(level: str) -> None:
    core.set_cpu_level(level)
    mixed = Mixed(8, per_kind=1)
    busy = np.zeros(200, np.int64)
    busy[::20] = np.arange(10) % 6
    mixed.run(busy, np.full(200, 100), np.ones(200), np.zeros(200))


def test_a_receiver_catches_up_with_what_was_lost() -> None:
    """Up to 4,095 key changes before one packet (RFC 3078 8.1), beside packets that need one."""
    mixed = Mixed(9, per_kind=2)
    changes = np.ones(12, np.int64)
    changes[[0, 4, 9]] = (4095, 700, 64)
    mixed.run(np.arange(12), np.full(12, 50), changes, np.zeros(12))


def test_unused_parts_of_a_state_stay() -> None:
    states = core.mppe_states(np.zeros((4, 16), np.uint8), 128, True)
    states["rc4"] = 7
    states["coherency"] = 99
    one = np.zeros(4, np.uint32)
    core.Mppe().crypt_batch(
        states,
        np.arange(4, dtype=np.uint32),
        np.zeros((4, 66), np.uint8),
        one + 64,
        None,
        np.ones(4, np.uint16),
    )
    assert (states["rc4"] == 7).all()
    assert (states["coherency"] == 99).all()


def test_nothing_to_do() -> None:
    Mixed(10).run(*np.zeros((4, 0), np.int64))


def test_groups_are_cut_by_measurement() -> None:
    for level in levels():
        core.set_cpu_level(level)
        for taken in core.mppe_plan().values():
            assert len(taken) == 32
            assert set(taken) <= set(core.mppe_shapes())


def test_a_level_has_the_kernels_that_it_can_run() -> None:
    kernels = {"portable": "portable", "sse": "portable", "avx2": "streams", "avx512": "lanes"}
    for level in levels():
        core.set_cpu_level(level)
        assert core.mppe_shapes()[-1].startswith(kernels[level])


def test_levels_and_shapes_that_are_not_there() -> None:
    with pytest.raises(ValueError, match="neon"):
        core.set_cpu_level("neon")
    with pytest.raises(ValueError, match="streams-5"):
        core.set_mppe_shape("streams-5")
    core.set_cpu_level("portable")
    assert core.cpu_level() == "portable"
    with pytest.raises(ValueError, match="lanes-16"):
        core.set_mppe_shape("lanes-16")


def idle(mixed: Mixed) -> int:
    return int(mixed.engine.walk_ahead(1000))


def test_keys_walked_ahead_are_the_right_ones() -> None:
    """A ring is used in part, wholly, and outrun; nothing that a session sees depends on it."""
    mixed = Mixed(12, per_kind=1)
    one = np.ones(40, np.int64)
    for session in (0, 2, 4):
        mixed.run(session * one, 30 * one, one, 0 * one)
        assert idle(mixed) == 64
        mixed.run(session * one, 30 * one, one, 0 * one)
        assert idle(mixed) == 40
        mixed.run(np.repeat(session, 100), np.full(100, 30), np.ones(100), np.zeros(100))
        mixed.random_batch(100, 50)
        mixed.run(session * one, 30 * one, one, 0 * one)


def test_rings_are_for_busy_stateless_sessions() -> None:
    mixed = Mixed(13, per_kind=1)
    for session in (1, 3, 5):
        mixed.run(np.full(40, session), np.full(40, 30), np.ones(40), np.zeros(40))
    mixed.run(np.arange(6), np.full(6, 30), np.ones(6), np.zeros(6))
    assert idle(mixed) == 0


def test_more_busy_sessions_than_rings() -> None:
    mixed = Mixed(14, per_kind=4)
    for session in (0, 1, 2, 3, 8, 9, 0, 1, 9):
        mixed.run(np.full(20, session), np.full(20, 30), np.ones(20), np.zeros(20))
        mixed.engine.walk_ahead(10)


def test_what_was_walked_ahead_can_be_forgotten() -> None:
    mixed = Mixed(15, per_kind=1)
    mixed.run(np.zeros(40, np.int64), np.full(40, 30), np.ones(40), np.zeros(40))
    assert idle(mixed) == 64
    mixed.engine.forget(mixed.states[:1])
    assert idle(mixed) == 0
    mixed.run(np.zeros(40, np.int64), np.full(40, 30), np.ones(40), np.zeros(40))
