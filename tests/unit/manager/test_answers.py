"""Answers that come late, twice, out of order or never: nothing is lost, nothing is used twice."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastpptp.effects import Authenticate, Effect, Lease, Logout, Release
from fastpptp.errors import LocalProtocolError
from fastpptp.ppp.auth.types import AuthMethod
from fastpptp.testing import LocalAnswers, MemoryHeadend, Weather
from tests.unit.manager.world import PEER, WORDS, assert_clean, client, policy, world

CHANCE = st.sampled_from([0.0, 0.1, 0.3])


@given(
    seed=st.integers(0, 2**16),
    loss=CHANCE,
    duplicate=CHANCE,
    jitter=st.sampled_from([0.0, 1.0, 20.0, 90.0]),
    method=st.sampled_from(list(WORDS)),
    drop_after=st.sampled_from([0.5, 5.0, 40.0, 300.0]),
)
def test_answers_in_any_weather(
    seed: int, loss: float, duplicate: float, jitter: float, method: AuthMethod, drop_after: float
) -> None:
    """LocalAnswers refuses to take back what is not out, so each claim comes back exactly once."""
    memory = world(
        policy(methods=[method], encryption=[], simultaneous_logins=2),
        seed=seed,
        answering=Weather(loss=loss, duplicate=duplicate, jitter=jitter),
    )
    dialled = [memory.dial(client(calls=2), PEER) for _ in range(2)]
    memory.run(drop_after)
    for one in dialled:
        memory.drop(one)
    memory.run(1000)
    assert_clean(memory)


@given(
    seed=st.integers(0, 2**16),
    loss=CHANCE,
    duplicate=CHANCE,
    jitter=st.sampled_from([0.0, 0.1, 3.0]),
)
@settings(max_examples=25)
def test_gre_in_any_weather(seed: int, loss: float, duplicate: float, jitter: float) -> None:
    """Frames lost, doubled and reordered: a session comes up or ends, and leaves nothing."""
    memory = world(seed=seed, gre=Weather(loss, duplicate, 0.02, jitter))
    dialled = memory.dial(client(calls=2), PEER)
    memory.run(120)
    assert memory.manager.statistics().handshakes == 0
    memory.drop(dialled)
    memory.run(1000)
    assert_clean(memory)


@dataclass
class Held:
    """A headend whose requests are held back until a test answers them."""

    memory: MemoryHeadend
    requests: list[Effect] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.memory.carriers[Authenticate] = self.memory.carriers[Lease] = self.requests.append

    def result(self, request: Effect) -> object:
        answers, now = self.memory.answers, self.memory.clock()
        if isinstance(request, Authenticate):
            return answers.authenticate(request, now)[0]
        assert isinstance(request, Lease)
        return answers.lease(request, now)[0]

    def answer(self, request: Effect, result: object) -> list[Effect]:
        assert isinstance(request, Authenticate | Lease)
        effects = self.memory.manager.complete(request.token, result, self.memory.clock())
        self.memory.carry_out(effects)
        return effects


@pytest.fixture
def held() -> Held:
    return Held(world())


def test_a_late_accept_is_logged_out(held: Held) -> None:
    memory = held.memory
    dialled = memory.dial(client(), PEER)
    memory.run(1)
    (request,) = held.requests
    memory.drop(dialled)
    effects = held.answer(request, held.result(request))
    assert [type(effect) for effect in effects] == [Logout]
    assert held.answer(request, None) == []
    memory.run(10)
    assert_clean(memory)


def test_a_late_lease_is_released(held: Held) -> None:
    memory = held.memory
    dialled = memory.dial(client(), PEER)
    memory.run(1)
    held.answer(held.requests[0], held.result(held.requests[0]))
    memory.run(5)
    request = held.requests[1]
    assert isinstance(request, Lease)
    memory.drop(dialled)
    effects = held.answer(request, held.result(request))
    assert [type(effect) for effect in effects] == [Release]
    memory.run(10)
    assert_clean(memory)


def test_an_answer_that_never_comes_ends_the_session(held: Held) -> None:
    memory = held.memory
    dialled = memory.dial(client(), PEER)
    memory.run(100)
    assert dialled.calls[0].ended is not None
    assert "AUTH/22" not in memory.texts()
    memory.run(1000)
    assert_clean(memory)


def test_a_doubled_answer_counts_once(held: Held) -> None:
    memory = held.memory
    memory.dial(client(), PEER)
    memory.run(1)
    request = held.requests[0]
    result = held.result(request)
    assert held.answer(request, result)
    assert held.answer(request, result) == []
    assert isinstance(memory.answers, LocalAnswers)
    assert memory.answers.claims == 1


def test_an_answer_of_the_wrong_kind_is_the_callers_fault(held: Held) -> None:
    memory = held.memory
    memory.dial(client(), PEER)
    memory.run(1)
    with pytest.raises(LocalProtocolError, match="not an AuthResult"):
        held.answer(held.requests[0], "yes")


def test_a_lease_of_the_wrong_kind_is_the_callers_fault(held: Held) -> None:
    memory = held.memory
    memory.dial(client(), PEER)
    memory.run(1)
    held.answer(held.requests[0], held.result(held.requests[0]))
    memory.run(5)
    with pytest.raises(LocalProtocolError, match="not an AddressGrant"):
        held.answer(held.requests[1], "172.16.1.10")
