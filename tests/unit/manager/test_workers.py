"""Sessions on the workers that their group may use."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from fastpptp.effects import Gate, Inject, MoveCall, SetPolicy
from fastpptp.manager import Workers
from fastpptp.session import SessionState
from fastpptp.testing import MemoryHeadend
from tests.unit.manager.world import PEER, assert_clean, client, configuration, policy, world

ALL = {1, 2, 3, 4}


@pytest.mark.parametrize(
    ("workers", "cards", "allowed"),
    [
        (1, {2}, {1}),  # none is left: all
        (2, {1}, {1}),
        (2, {2}, {2}),
        (2, {2, 3}, {2}),  # there is no third
        (2, {3, 4}, {1, 2}),
        (4, {1, 4}, {1, 4}),
        (6, ALL, {1, 2, 3, 4, 5, 6}),
    ],
)
def test_only_allowed_workers(workers: int, cards: set[int], allowed: set[int]) -> None:
    shares = Workers(workers, movable=True)
    for call_id in range(60):
        assert shares.assign(shares.begin(call_id), cards) + 1 in allowed
    assert sum(shares.sessions) == 60
    taken = [count for k, count in enumerate(shares.sessions) if k + 1 in allowed]
    assert max(taken) - min(taken) <= 1


def test_who_may_stay_stays() -> None:
    shares = Workers(4, movable=True)
    for call_id in range(40):
        home = shares.begin(call_id)
        chosen = shares.assign(home, {1, 2})
        assert chosen == home or home in (2, 3)


def test_where_calls_cannot_move_they_stay() -> None:
    shares = Workers(4)
    assert [shares.assign(shares.begin(k), {1}) for k in range(4)] == [0, 1, 2, 3]


def test_who_leaves_makes_room() -> None:
    shares = Workers(3, movable=True)
    first = shares.assign(shares.begin(0), {2, 3})
    shares.end(first)
    assert shares.sessions == [0, 0, 0]


def workers_of(memory: MemoryHeadend) -> list[int]:
    """As the dataplane has them, and as the administrator sees them."""
    views = list(memory.manager.sessions())
    carried = [memory.dataplane.calls[view.handle].worker + 1 for view in views]
    assert [view.worker for view in views] == carried
    return carried


@pytest.mark.parametrize("cards", [["1"], ["2"], ["3"], ["2", "3"]])
def test_a_session_runs_where_its_group_may(cards: list[str]) -> None:
    settings = configuration()
    group = replace(settings.groups["pptpgroup"], attributes={"sep_card_assignment": cards})
    snapshot = type(policy())(replace(settings, groups={"pptpgroup": group}))
    memory = world(snapshot, workers=3)
    for _ in range(12):
        memory.dial(client(), PEER)
    memory.run(5)
    assert {view.state for view in memory.manager.sessions()} == {SessionState.UP}
    assert set(workers_of(memory)) == set(map(int, cards))
    memory.carry_out(memory.manager.shutdown(memory.clock()))
    memory.run(10)
    assert_clean(memory)


def test_it_moves_once_and_before_success_is_sent() -> None:
    snapshot = policy(sep_card_assignment=["2"])
    memory = next(
        memory
        for memory in (world(snapshot, workers=2, seed=seed) for seed in range(20))
        if moves(memory)
    )
    kinds = [type(effect) for effect in memory.effects]
    assert kinds.count(MoveCall) == 1
    moved = kinds.index(MoveCall)
    assert b"\xc2\x23\x03" in [
        effect.frame[:3] for effect in memory.effects[moved:] if isinstance(effect, Inject)
    ]
    assert b"\xc2\x23\x03" not in [
        effect.frame[:3] for effect in memory.effects[:moved] if isinstance(effect, Inject)
    ]
    assert Gate not in kinds[:moved]
    assert SetPolicy in kinds[:moved]


def moves(memory: MemoryHeadend) -> bool:
    memory.dial(client(), PEER)
    memory.run(5)
    return any(isinstance(effect, MoveCall) for effect in memory.effects)


def test_an_anonymous_session_follows_the_base_group() -> None:
    snapshot = policy(sep_card_assignment=["2"], methods=[], encryption=[])
    memory = world(snapshot, workers=2)
    for _ in range(8):
        memory.dial(client(bits=()), PEER)
    memory.run(5)
    assert workers_of(memory) == [2] * 8


def test_under_loss_too() -> None:
    """Whatever is lost or doubled on the way, sessions end up where they may be."""
    for seed in range(5):
        rng = Random(seed)
        memory = world(policy(sep_card_assignment=["3"]), workers=3, seed=seed)
        for _ in range(rng.randrange(1, 6)):
            memory.dial(client(), PEER)
        memory.run(20)
        assert set(workers_of(memory)) == {3}
