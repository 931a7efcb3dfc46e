"""Turns of the dataplane under pytest-benchmark: 64 packets in, one `poll_once`, what came out.

    pytest bench/test_micro.py

Sockets are filled before each round. extra_info has what the report makes of it: the baseline is
another benchmark of the same run.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench.field import MODES, Field, drain, field, fill

PACKETS = 64
SIZES = (64, 576, 1400)
NATURE = {
    "stateless": "MPPE-128 stateless",
    "stateful": "MPPE-128 stateful",
    "none": "no encryption",
}
Opener = Callable[..., Field]


@pytest.fixture
def opened() -> Iterator[Opener]:
    """Makes a dataplane with 64 calls."""
    with ExitStack() as stack:

        def make(mode: str, octets: int = 64) -> Field:
            return stack.enter_context(field(PACKETS, mode, octets))

        yield make


def measure(
    benchmark: BenchmarkFixture,
    name: str,
    work: Callable[[], object],
    prepare: Callable[[], object],
    baseline: str = "",
) -> None:
    benchmark.name = name
    benchmark.extra_info.update(packets=PACKETS, baseline=baseline)
    rounds = 10 if benchmark.disabled else 200
    benchmark.pedantic(work, setup=prepare, rounds=rounds, warmup_rounds=5)


@pytest.mark.parametrize("octets", SIZES)
@pytest.mark.parametrize("mode", MODES)
def test_receive(benchmark: BenchmarkFixture, opened: Opener, mode: str, octets: int) -> None:
    calls = opened(mode, octets)

    def prepare() -> None:
        drain(calls.inner)
        drain(calls.outer)
        fill(calls.outer, calls.packets_up(PACKETS))

    plain = f"GRE to TUN, {octets:,} B, {NATURE['none']}"
    name = f"GRE to TUN, {octets:,} B, {NATURE[mode]}"
    measure(benchmark, name, calls.poll, prepare, plain if mode != "none" else "")
    assert drain(calls.inner) == PACKETS


@pytest.mark.parametrize("octets", SIZES)
@pytest.mark.parametrize("mode", MODES)
def test_send(benchmark: BenchmarkFixture, opened: Opener, mode: str, octets: int) -> None:
    calls = opened(mode, octets)

    def prepare() -> None:
        drain(calls.outer)
        fill(calls.inner, calls.packets_down(PACKETS))

    plain = f"TUN to GRE, {octets:,} B, {NATURE['none']}"
    name = f"TUN to GRE, {octets:,} B, {NATURE[mode]}"
    measure(benchmark, name, calls.poll, prepare, plain if mode != "none" else "")
    assert drain(calls.outer) == PACKETS


def test_sequence_window(benchmark: BenchmarkFixture, opened: Opener) -> None:
    """A packet and the one before it change places, in each call: all wait once."""
    calls = opened("none")
    in_order = f"GRE to TUN, 64 B, {NATURE['none']}"

    def prepare() -> None:
        drain(calls.inner)
        drain(calls.outer)
        packets = calls.packets_up(PACKETS * 2)
        fill(calls.outer, packets[PACKETS:])
        calls.poll()
        fill(calls.outer, packets[:PACKETS])

    name = "sequence window, 64 B, a gap in each call fills: two delivered a packet"
    measure(benchmark, name, calls.poll, prepare, in_order)
    assert drain(calls.inner) == PACKETS * 2


def test_punt(benchmark: BenchmarkFixture, opened: Opener) -> None:
    """Control frames from the socket into Python's hands."""
    calls = opened("none")

    def prepare() -> None:
        calls.pass_time(1000)  # a call may punt so many frames a second
        fill(calls.outer, calls.control(PACKETS))

    def work() -> None:
        calls.poll()
        assert len(calls.dataplane.read_punts()) == PACKETS

    measure(benchmark, "punt: control frame to Python", work, prepare)


def test_inject(benchmark: BenchmarkFixture, opened: Opener) -> None:
    calls = opened("none")
    frame = struct.pack(">HBBHI", 0xC021, 9, 1, 8, 0)
    handles = [1 << 16 | number + 1 for number in range(PACKETS)]

    def work() -> None:
        for handle in handles:
            calls.dataplane.inject(handle, frame)
        calls.poll()

    def prepare() -> None:
        drain(calls.outer)

    measure(benchmark, "inject: control frame from Python", work, prepare)
    assert drain(calls.outer) == PACKETS
