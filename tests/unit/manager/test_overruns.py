"""Receive buffers that overrun: persistently, in bursts, and with which remedy."""

from __future__ import annotations

from fastpptp.events.catalogue import Occurrence
from fastpptp.manager.overruns import INTERVAL, LEAST, PERIOD, WANTED_BUFFER, OverrunWatch

FULL = "outer buffer full"


def looks(watch: OverrunWatch, totals: list[int], begin: float = 0.0) -> list[Occurrence]:
    """What is told of counters that have these values, one look after the other."""
    seen = [watch.look({FULL: total}, begin + n * PERIOD) for n, total in enumerate(totals, 1)]
    return [occurrence for occurrence in seen if occurrence is not None]


def test_what_goes_on_is_told_once() -> None:
    watch = OverrunWatch(2 * WANTED_BUFFER)
    (told,) = looks(watch, [1000 * n for n in range(1, 20)])
    assert (told.cls, told.number) == ("SYSTEM", 140)
    assert told.text().startswith("3000 GRE packets were lost in 30 s, ")
    assert "The workers do not keep up" in told.text()


def test_a_small_buffer_is_named() -> None:
    (told,) = looks(OverrunWatch(425984), [100, 200, 300])
    assert "425984 octets only: sysctl -w net.core.rmem_max=16777216" in told.text()


def test_bursts_are_not_told() -> None:
    assert looks(OverrunWatch(1), [9999, 9999, 9999 * 2, 9999 * 2]) == []


def test_a_few_are_not_told() -> None:
    assert looks(OverrunWatch(1), [(LEAST - 1) * n for n in range(20)]) == []


def test_nothing_is_told_of_nothing() -> None:
    watch = OverrunWatch(1)
    assert [watch.look({}, n) for n in range(5)] == [None] * 5


def test_it_is_told_again_later() -> None:
    watch = OverrunWatch(1)
    rounds = int(INTERVAL / PERIOD) + 4
    assert len(looks(watch, [100 * n for n in range(1, rounds)])) == 2


def test_af_xdp_counts_too() -> None:
    watch = OverrunWatch(2 * WANTED_BUFFER)
    told = [watch.look({"outer overrun": 50 * n}, PERIOD * n) for n in range(1, 4)]
    assert told[-1] is not None
