"""A Link that is replaced by its own snapshot at any moment goes on as if nothing had been."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastpptp.errors import LocalProtocolError
from fastpptp.ppp import Link
from fastpptp.ppp.auth.types import AuthMethod
from fastpptp.ppp.events import SendFrame, SetKeys

from .support import CHAP, CLIENT, PAP, SERVER, V1, V2, Pair, Side, anonymous, kinds, mppe, seeded


class Draws:
    """A source of octets whose place can be carried over."""

    def __init__(self, seed: int) -> None:
        self.count = seed << 32

    def __call__(self, size: int) -> bytes:
        self.count += 1
        return seeded(self.count)(size)


def pair(method: AuthMethod, seed: int) -> Pair:
    server = mppe(replace(SERVER, methods=(method,), ipv6=True), bits=frozenset({40, 128}))
    made = Pair(server, replace(CLIENT, ipv6=True), seed=seed, loss=0.2, jitter=0.1)
    for n, side in enumerate(made.sides):
        side.link = Link(side.link.config, rng=Draws(seed + n), now=made.now)
    return made


def replaced(side: Side) -> None:
    """Put a restored Link in the place of a side's own."""
    old = side.link
    snapshot = json.loads(json.dumps(old.snapshot()))
    side.link = Link.restore(snapshot, old.config, rng=old._rng)
    assert side.link.snapshot() == snapshot


def play(method: AuthMethod, seed: int, swaps: frozenset[int]) -> list[list[str]]:
    both = pair(method, seed).open()
    for step in range(60):
        if step in swaps:
            # Drawing an initial identity must not move the source.
            for side in both.sides:
                place = side.link._rng.count
                replaced(side)
                side.link._rng.count = place
        both.run(until=iter([False, True]).__next__)
        if step == 45:
            both.server.take(both.server.link.close(both.now, "bye"), both.now)
    keep = (SendFrame, SetKeys)
    return [[str(e) for e in s.events if isinstance(e, keep)] + kinds(s.events) for s in both.sides]


@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    st.sampled_from([PAP, CHAP, V1, V2]),
    st.integers(0, 1000),
    st.frozensets(st.integers(0, 59), min_size=1),
)
def test_restored_in_mid_handshake(method, seed, swaps) -> None:
    assert play(method, seed, swaps) == play(method, seed, frozenset())


def test_another_version() -> None:
    link, _ = anonymous()
    with pytest.raises(LocalProtocolError):
        Link.restore({**link.snapshot(), "version": 2}, link.config, rng=seeded(1))


def test_the_password_is_not_in_it() -> None:
    both = pair(V2, 1).open().run(5)
    assert "cisco123" not in str([side.link.snapshot() for side in both.sides])
