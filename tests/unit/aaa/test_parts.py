"""Names, login claims, the throttle."""

from __future__ import annotations

from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastpptp.aaa import LoginClaims, Throttle, names
from tests.unit.aaa.support import PEER

OTHER = IPv4Address("198.51.100.7")


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("user", ("user", "")),
        ("user@realm", ("user", "realm")),
        ("a@b@realm", ("a@b", "realm")),
        ("DOMAIN\\user", ("user", "DOMAIN")),
        ("DOMAIN\\user@realm", ("user@realm", "DOMAIN")),
        ("\\user", ("user", "")),
        ("@realm", ("@realm", "")),
        ("user@", ("user", "")),
        ("", ("", "")),
    ],
)
def test_splitting_names(name: str, parts: tuple[str, str]) -> None:
    assert names.split(name) == parts


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 3), st.booleans()), max_size=40))
def test_claims_never_exceed_the_limit(moves: list[tuple[str, int, bool]]) -> None:
    claims = LoginClaims()
    held: dict[str, list[int]] = {"a": [], "b": []}
    for user, limit, take in moves:
        if take:
            claim = claims.claim(user, limit)
            assert (claim is None) == (len(held[user]) >= limit)
            held[user] += [] if claim is None else [claim]
        elif held[user]:
            claim = held[user].pop()
            claims.release(user, claim)
            claims.release(user, claim)
        assert claims.held(user) == len(held[user])
    for user, numbers in held.items():
        for number in numbers:
            claims.release(user, number)
    assert len(claims) == 0
    assert claims._held == {}


def test_releasing_what_was_never_claimed() -> None:
    claims = LoginClaims()
    claims.release("nobody", 1)
    claims.release("a", claims.claim("b", 1) or 0)
    assert claims.held("b") == 1


def held_for(throttle: Throttle, failures: int, now: float = 0.0) -> list[float]:
    found = [throttle.failed(PEER, "user", now) for _ in range(failures)]
    return [hold.seconds if hold else 0.0 for hold in found]


def test_hold_offs_double_up_to_a_limit() -> None:
    assert held_for(Throttle(), 16) == [0.0] * 5 + [
        1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 300.0, 300.0,
    ]  # fmt: skip


def test_a_hold_off_ends() -> None:
    throttle = Throttle()
    held_for(throttle, 7, now=100.0)
    assert throttle.holds(PEER, "user", 101.9)
    assert not throttle.holds(PEER, "user", 102.0)
    assert not throttle.holds(OTHER, "user", 101.0)
    assert not throttle.holds(PEER, "another", 101.0)


def test_many_users_from_one_source() -> None:
    throttle = Throttle()
    holds = [throttle.failed(PEER, f"user{n}", 0.0) for n in range(21)]
    assert holds[:20] == [None] * 20
    assert throttle.holds(PEER, "somebody", 0.5)
    assert not throttle.holds(OTHER, "user1", 0.5)
    # One's own success does not clear the source.
    throttle.succeeded(PEER, "own")
    assert throttle.holds(PEER, "somebody", 0.5)


def test_one_user_from_many_sources() -> None:
    throttle = Throttle()
    for n in range(70):
        throttle.failed(IPv4Address(n), "user", 0.0)
    assert throttle.holds(OTHER, "user", 29.9)
    assert not throttle.holds(OTHER, "user", 30.0)
    throttle.succeeded(OTHER, "user")
    assert not throttle.holds(OTHER, "user", 1.0)


def test_failures_are_forgotten() -> None:
    throttle = Throttle()
    assert held_for(throttle, 6)[-1] == 1.0
    assert held_for(throttle, 6, now=901.0) == [0.0] * 5 + [1.0]


def test_failures_for_ever_do_not_overflow() -> None:
    assert held_for(Throttle(), 3000)[-1] == 300.0


def test_memory_is_bounded() -> None:
    throttle = Throttle(capacity=10)
    held_for(throttle, 6)
    for n in range(9):
        throttle.failed(OTHER, f"user{n}", 0.0)
    assert throttle.holds(PEER, "user", 0.5)
    for n in range(1000):
        throttle.failed(OTHER, f"another{n}", 0.0)
    assert not throttle.holds(PEER, "user", 0.5)
    assert throttle.holds(OTHER, "x", 0.5)
    assert len(throttle) == 10 + 2 + 10
