"""The signs of faults that the worker keeps: what each is counted by, and when Python is told."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address

import pytest

from fastpptp.ports import CallEvent

from .rig import SPEC, Mppe, Rig, downward, gre, ipv4

ELSEWHERE = IPv4Address("203.0.113.5")
OURS_TOO = IPv4Address("192.0.2.2")
ECHO = 10_000


class Stranger(Mppe):
    """A peer that derived another key."""

    def __init__(self, *, stateless: bool) -> None:
        super().__init__(128, stateless=stateless)
        self.start = bytes(16)
        self.key = self._digest(self.start)
        self.change()


def seen(wire: Rig, event: CallEvent) -> int:
    """How often this event was raised since the last time: 0 or 1."""
    return int(bool(wire.events() & event))


# Another key.


@pytest.mark.parametrize("stateless", [True, False])
def test_a_peer_with_another_key(call: Rig, stateless: bool) -> None:
    call.encrypt(stateless=stateless)
    call.to_us = Stranger(stateless=stateless)
    call.events()
    bits = 0
    for _ in range(40):
        call.to_us.flush = True  # as it answers Reset-Requests
        assert call.up(ipv4(), 500) == []
        bits |= call.events()
    assert bits & CallEvent.RESYNC_FAILED
    assert bits & CallEvent.NEVER_DECRYPTED


def test_a_peer_that_lost_its_key(call: Rig) -> None:
    call.encrypt()
    assert call.up(ipv4()) == [ipv4()]
    call.to_us = Stranger(stateless=True)
    bits = 0
    for _ in range(40):
        call.up(ipv4(), 500)
        bits |= call.events()
    assert bits & CallEvent.RESYNC_FAILED
    assert not bits & CallEvent.NEVER_DECRYPTED


# In the clear.


def plain(wire: Rig, count: int, pause: int = 10) -> None:
    for _ in range(count):
        wire.give(b"\xff\x03\x00\x21" + ipv4())
        wire.poll(pause)


def test_data_in_the_clear_is_told_once(call: Rig) -> None:
    call.encrypt()
    plain(call, 7)
    assert not seen(call, CallEvent.CLEARTEXT)
    plain(call, 1)
    assert seen(call, CallEvent.CLEARTEXT)
    plain(call, 100)
    assert not seen(call, CallEvent.CLEARTEXT)
    assert call.row("cleartext") == call.drops()["cleartext"] == 108


def test_a_late_packet_in_the_clear_now_and_then(call: Rig) -> None:
    call.encrypt()
    plain(call, 30, pause=5_000)
    assert not seen(call, CallEvent.CLEARTEXT)
    assert call.row("cleartext") == 30


# From elsewhere.


@pytest.mark.parametrize(
    ("packet", "source"),
    [
        (gre(b"\xff\x03\xc0\x21\x01\x01\x00\x04", 0, source=ELSEWHERE), ELSEWHERE),
        (gre(b"\xff\x03\xc0\x21\x01\x01\x00\x04", 0, target=OURS_TOO), SPEC.peer_address),
    ],
)
def test_strays(call: Rig, packet: bytes, source: IPv4Address) -> None:
    call.outer.send(packet)
    call.outer.send(packet)
    call.poll()
    assert call.row("strays") == call.drops()["wrong address"] == 2
    assert IPv4Address(call.row("stray_source")) == source
    assert call.events() == 0


# Probes.


def test_the_answer_to_a_probe_is_pythons(wire: Rig) -> None:
    wire.open(echo_interval=ECHO)
    wire.dataplane.own_lcp(wire.handle, True)
    answer = bytes.fromhex("c021 0a07 0010 11223344") + b"fpTP\x00\x10xx"
    other = bytes.fromhex("c021 0a07 0010 11223344") + b"fpTQ\x00\x10xx"
    short = bytes.fromhex("c021 0a07 000c 11223344") + b"fpTP"
    for frame in (answer, other, short):
        wire.give(b"\xff\x03" + frame)
    wire.poll()
    assert wire.control() == [answer]


# Acknowledgements that fail to come.


def busy(wire: Rig, rounds: int, acknowledges: bool, packets: int = 10) -> int:
    """Rounds of ECHO ms in which packets go both ways; how often UNACKNOWLEDGED was raised."""
    raised = 0
    for _ in range(rounds):
        for _ in range(packets):
            sent = wire.down(downward(), ECHO // packets)
            wire.outer.send(
                gre(
                    wire.seal(ipv4()),
                    wire.sequence,
                    (sent[-1].sequence or 0) if acknowledges else None,
                )
            )
            wire.sequence += 1
            wire.poll()
        raised += seen(wire, CallEvent.UNACKNOWLEDGED)
    return raised


@pytest.fixture
def asked(wire: Rig) -> Rig:
    """A call whose worker looks after it each ECHO ms."""
    wire.open(echo_interval=ECHO)
    wire.dataplane.own_lcp(wire.handle, True)
    wire.poll()
    wire.events()
    return wire


def test_a_peer_that_acknowledges(asked: Rig) -> None:
    assert busy(asked, 10, True) == 0


def test_a_peer_that_stops_acknowledging(asked: Rig) -> None:
    """Told once, and again only after it went on in between."""
    busy(asked, 3, True)
    assert busy(asked, 10, False) == 1
    assert busy(asked, 3, True) == 0
    assert busy(asked, 10, False) == 1


def test_a_peer_that_never_acknowledged(asked: Rig) -> None:
    """Such peers exist, and all is well with them."""
    assert busy(asked, 10, False) == 0


def test_a_session_in_which_we_send_little(asked: Rig) -> None:
    busy(asked, 3, True)
    assert busy(asked, 4, False, packets=1) == 0


# The peer's window.


def throttled(wire: Rig, seconds: int, each_second: int, acknowledge: int = 0) -> int:
    """Send so many packets a second, acknowledged each so many ms (0: never); is it told?"""
    raised = 0
    last = 0
    for now in range(0, seconds * 1000, 20):
        if now % (1000 // each_second) < 20:
            wire.inner.send(downward())
        if acknowledge and now % acknowledge == 0:
            wire.outer.send(gre(acknowledged=last))
        wire.poll(20)
        for sent in wire.outside():
            last = max(last, sent.sequence or 0)
        raised += seen(wire, CallEvent.THROTTLED)
    return raised


def windowed(wire: Rig, window: int) -> Rig:
    wire.open(replace(SPEC, limit_transmit_to_window=True, peer_window=window, ack_timeout=3000))
    wire.events()
    return wire


def test_a_peer_that_never_acknowledges_throttles(wire: Rig) -> None:
    windowed(wire, 64)
    assert throttled(wire, 60, 20) == 1
    assert wire.row("window_reopens") == wire.row("window_silent") > 4
    assert wire.row("window_held") > 100


def test_a_small_window_throttles(wire: Rig) -> None:
    """Three packets for each 200 ms, where ten want to go."""
    windowed(wire, 3)
    assert throttled(wire, 30, 50, acknowledge=200) == 1
    assert wire.row("window_reopens") == wire.row("window_silent") == 0


@pytest.mark.parametrize(
    ("window", "each_second", "acknowledge"),
    [(64, 50, 200), (3, 5, 200), (1, 2, 40)],
)
def test_a_window_that_is_wide_enough(
    wire: Rig, window: int, each_second: int, acknowledge: int
) -> None:
    windowed(wire, window)
    assert throttled(wire, 60, each_second, acknowledge) == 0


def test_one_lost_acknowledgement_is_no_throttle(wire: Rig) -> None:
    """The window stands still for the time-out, once."""
    windowed(wire, 8)
    assert throttled(wire, 20, 20, acknowledge=40) == 0
    assert throttled(wire, 4, 20) == 0
    assert wire.row("window_reopens") == 1
    assert wire.row("window_silent") == 0
    assert throttled(wire, 30, 20, acknowledge=40) == 0


def test_a_fast_peer_is_not_throttled_whatever_waits(wire: Rig) -> None:
    """Thousands of packets a second go through: the window does what it is for."""
    windowed(wire, 4)
    raised, last = 0, 0
    for _ in range(8000):
        for _ in range(6):
            wire.inner.send(downward())
        wire.outer.send(gre(acknowledged=last))
        wire.poll(2)
        last = max([last, *(sent.sequence or 0 for sent in wire.outside())])
        raised += seen(wire, CallEvent.THROTTLED)
    assert wire.row("window_held") > 10_000
    assert raised == 0


def test_no_window_no_measure(wire: Rig) -> None:
    wire.open(replace(SPEC, peer_window=1))
    assert throttled(wire, 30, 50) == 0
    assert wire.row("window_held") == 0
