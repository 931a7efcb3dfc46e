"""Whatever a peer sends: no exception, no timer that stays due, no end without LinkEnded."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from fastpptp.ppp import Link
from fastpptp.ppp.events import AddressRequest, AuthRequest, LinkEnded
from fastpptp.ppp.frames import Option, Packet, encode_frame, encode_options

from .support import (
    ANSWER,
    CLIENT,
    SERVER,
    Dataplane,
    Keys,
    frames,
    judge,
    mppe,
    seeded,
)

PROTOCOLS = st.sampled_from([0xC021, 0x80FD, 0x8021, 0x8057, 0xC023, 0xC223, 0x21, 0xFD, 0x8281])

OPTIONS = st.lists(
    st.builds(
        Option, st.sampled_from([1, 2, 3, 5, 7, 8, 18, 129, 131, 200]), st.binary(max_size=8)
    ),
    max_size=5,
).map(encode_options)

PACKETS = st.builds(
    Packet, st.integers(0, 16), st.integers(0, 4), st.one_of(OPTIONS, st.binary(max_size=60))
)

FRAMES = st.one_of(
    st.binary(max_size=60),
    st.builds(lambda p, packet: encode_frame(p, packet.encode()), PROTOCOLS, PACKETS),
)

# What the peer does next: a frame of its own, a turn of ours (its answer changed), or time.
STEPS = st.one_of(
    FRAMES,
    st.tuples(st.sampled_from([2, 3, 4, 5, 6]), st.integers(0, 255)),
    st.floats(0, 20),
)

CONFIGS = st.sampled_from(
    [
        replace(SERVER, ipv6=True, trace=True),
        mppe(SERVER, required=True, require_stateless=True),
        replace(SERVER, methods=(), echo_interval=5.0),
        replace(CLIENT, ipv6=True),
        mppe(CLIENT, required=True),
    ]
)


def twisted(frame: bytes, code: int, flip: int) -> bytes:
    """Our own frame as an answer to it, with one octet changed now and then."""
    octets = bytearray(frame)
    octets[2] = code
    if flip < len(octets):
        octets[flip] ^= 1
    return bytes(octets)


class Play:
    """A Link, an owner that answers everything, and what the peer has heard."""

    def __init__(self, config) -> None:
        self.now = 0.0
        self.link = Link(config, rng=seeded(1), now=0.0)
        self.dataplane = Dataplane()
        self.heard = [b"\xc0\x21\1\1\0\4"]
        self.ended = False
        self.take(self.link.open(0.0))

    def take(self, events) -> None:
        for event in events:
            assert not self.ended
            self.dataplane.take(event)
            self.ended = isinstance(event, LinkEnded)
        self.heard += frames(events)
        for event in events:
            if isinstance(event, AuthRequest):
                verdict = replace(judge(event), **({} if event.token % 2 else {"message": b"x"}))
                self.take(self.link.complete_auth(event.token, verdict, self.now))
            elif isinstance(event, AddressRequest):
                self.take(self.link.complete_address(event.token, ANSWER, self.now))

    def step(self, step) -> None:
        if isinstance(step, float):
            self.now += step
            timer = self.link.get_timer()
            if timer is not None and timer <= self.now:
                self.take(self.link.handle_timer(self.now))
                again = self.link.get_timer()
                assert again is None or again > self.now
        elif isinstance(step, tuple):
            self.take(self.link.receive_frame(twisted(self.heard[-1], *step), self.now))
        else:
            self.take(self.link.receive_frame(step, self.now))


@settings(max_examples=300, deadline=None, derandomize=True)
@given(CONFIGS, st.lists(STEPS, max_size=40))
def test_anything(config, steps) -> None:
    play = Play(config)
    for step in steps:
        play.step(step)
    assert play.ended == play.link.ended
    play.take(play.link.lower_down(play.now))
    assert play.ended
    assert play.link.get_timer() is None


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.lists(st.one_of(FRAMES, st.floats(0, 20)), max_size=30))
def test_anything_in_the_network_phase(steps) -> None:
    play = Play(replace(SERVER, methods=(), ipv6=True))
    play.step(twisted(play.heard[-1], 2, 255))
    play.step(b"\xc0\x21\1\1\0\4")
    play.link._encryption.begin(Keys(), 0.0)
    for step in steps:
        play.step(step)
    play.take(play.link.lower_down(play.now))
    assert play.ended


@settings(max_examples=100, deadline=None, derandomize=True)
@given(CONFIGS, st.lists(FRAMES, max_size=20))
def test_a_silent_end_comes_in_bounded_time(config, steps) -> None:
    """After any beginning a peer that falls silent is gone within the establish time-out."""
    play = Play(config)
    for step in steps:
        play.step(step)
    turns = 0
    while not play.ended and not play.dataplane.gates and play.link.get_timer() is not None:
        play.step(max(play.link.get_timer() - play.now, 0.0))
        turns += 1
        assert turns < 200
    assert play.ended or play.dataplane.gates
    assert play.now < 200
