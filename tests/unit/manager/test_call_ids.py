"""Call-IDs: random, unique, rested."""

from __future__ import annotations

from random import Random

from fastpptp.manager.call_ids import MAXIMUM, CallIds


def make(limit: int = MAXIMUM, seed: int = 1) -> CallIds:
    return CallIds(Random(seed).randbytes, limit)


def drawn(ids: CallIds) -> int:
    handle = ids.take()
    assert handle is not None
    return handle


def test_every_id_comes_once_and_never_zero() -> None:
    ids = make()
    taken = [drawn(ids) & 0xFFFF for _ in range(MAXIMUM)]
    assert sorted(taken) == list(range(1, MAXIMUM + 1))
    assert ids.take() is None
    assert ids.in_use == MAXIMUM


def test_they_are_not_in_order_and_depend_on_the_seed() -> None:
    first = [drawn(ids) for ids in [make(seed=1)] for _ in range(20)]
    second = [drawn(ids) for ids in [make(seed=2)] for _ in range(20)]
    assert first != sorted(first)
    assert first != second


def test_the_one_freed_first_comes_out_first() -> None:
    ids = make(limit=4)
    handles = [drawn(ids) for _ in range(4)]
    for handle in (handles[2], handles[0]):
        ids.free(handle)
    assert drawn(ids) & 0xFFFF == handles[2] & 0xFFFF
    assert drawn(ids) & 0xFFFF == handles[0] & 0xFFFF
    assert ids.take() is None


def test_fresh_ids_come_before_rested_ones() -> None:
    ids = make(limit=3)
    first = drawn(ids)
    ids.free(first)
    assert {drawn(ids) & 0xFFFF, drawn(ids) & 0xFFFF} == {1, 2, 3} - {first & 0xFFFF}


def test_generations_differ_from_life_to_life_and_wrap_past_zero() -> None:
    ids = make(limit=1)
    last = 0
    for _ in range(MAXIMUM + 10):
        handle = drawn(ids)
        assert handle & 0xFFFF == 1
        assert 1 <= handle >> 16 <= 65535
        assert handle >> 16 != last
        last = handle >> 16
        ids.free(handle)
    assert ids.in_use == 0
