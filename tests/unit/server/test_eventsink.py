"""The event sink: numbers, routes, and floods that are cut and told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from ipaddress import IPv4Address

from fastpptp.events.catalogue import occur
from fastpptp.events.flood import INTERVAL, Budget, Flood, Tier
from fastpptp.events.routing import NONE, Destination, EventPolicy
from fastpptp.server.eventsink import EventSink, MemoryRecorder

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
PEER = IPv4Address("192.0.2.1")
NARROW = Tier(Budget(1, 2), Budget(1, 3))


@dataclass
class Bench:
    """An EventSink on a clock that stands still, and what it has asked to be called later."""

    policy: EventPolicy = field(default_factory=EventPolicy)
    now: float = 0.0
    later: list[tuple[float, Callable[[], object]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.recorder = MemoryRecorder(self.policy)
        self.recorder.last_sequence = 7
        self.sink = EventSink(
            self.policy, self.recorder, lambda seconds, what: self.later.append((seconds, what)),
            wall=lambda: NOON, clock=lambda: self.now, flood=Flood(NARROW, NARROW),
        )  # fmt: skip

    def texts(self) -> list[str]:
        return [f"{r.sequence} RPT={r.repeat} {r.text()}" for r in self.recorder.log]


def test_numbers_go_on_where_the_last_run_ended() -> None:
    bench = Bench()
    bench.sink.record(occur("PPTP", 47, peer=PEER))
    bench.sink.record(occur("PPTPDBG", 100, text="hidden"))
    bench.sink.record(occur("PPTP", 47, peer=PEER))
    told = "Tunnel to peer 192.0.2.1 established"
    assert bench.texts() == [f"8 RPT=1 {told}", f"10 RPT=2 {told}"]
    assert bench.sink.repeats == {("PPTP", 47): 2, ("PPTPDBG", 100): 1}


def test_what_goes_nowhere_may_be_forced_somewhere() -> None:
    bench = Bench()
    assert not bench.sink.wants("PPTPDBG", 100)
    bench.sink.record(occur("PPTPDBG", 100, text="seen"), frozenset({Destination.LOG}))
    assert bench.texts() == ["8 RPT=1 seen"]


def test_a_policy_holds_at_once() -> None:
    bench = Bench()
    bench.sink.record(occur("PPTP", 47, peer=PEER))
    quiet = EventPolicy(dict.fromkeys(Destination, NONE), capacity=5)
    bench.sink.update(quiet)
    bench.sink.record(occur("PPTP", 47, peer=PEER))
    assert len(bench.texts()) == 1
    assert (bench.sink.policy, bench.recorder.log.policy) == (quiet, quiet)


def test_a_flood_is_cut_and_told() -> None:
    bench = Bench()
    for _ in range(5):
        bench.sink.record(occur("PPTP", 47, peer=PEER))
    assert len(bench.texts()) == 2
    assert bench.sink.repeats["PPTP", 47] == 5
    assert bench.sink.suppressed == {("PPTP", 47): 3}
    ((seconds, tell),) = bench.later
    assert seconds == INTERVAL
    bench.now = 12.0
    tell()
    assert bench.texts()[2:] == ["13 RPT=1 3 events PPTP/47 were suppressed in the last 12 s"]
    bench.sink.record(occur("PPTP", 47, peer=PEER))
    assert len(bench.texts()) == 4
    assert len(bench.later) == 1
    for _ in range(3):
        bench.sink.record(occur("PPTP", 47, peer=PEER))
    assert len(bench.later) == 2  # the next time is told of anew
