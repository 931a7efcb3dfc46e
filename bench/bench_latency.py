"""The round trip that a headend adds, its worker alone on its core.

A probe is an encrypted GRE packet with an ICMP echo inside, made before; the kernel behind the
worker's TUN answers it. Beside it a packet of the same size goes to a thread on the worker's core
that answers at once and waits as the worker does (echo.c): the same cores, the same wake-ups, no
headend. Both take turns; what is added is the difference of the percentiles of two such rounds.
What keeps the worker busy (LOAD of its time) keeps the other thread company too.

And as a user has it: TCP as fast as it goes through our dial and the headend, with pings between.
"""

from __future__ import annotations

import ctypes
import os
import random
import re
import socket
import statistics
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address

import numpy as np
import numpy.typing as npt

from bench.field import LOCAL, PEER, Field, Octets, ip_headers
from bench.flows import BURST, OCTETS, Flows, Site, headend
from bench.machines import running
from bench.native import library
from bench.rows import Row, pinned
from bench.tunnel import SERVER, Link, link
from tests.headend import INNER
from tests.hosts import Hosts
from tests.netns.test_dataplane import within

SECTION = "Round trip added by a headend, its worker alone on its core"
SATURATED = "Round trip while TCP fills a tunnel of dial and headend on two cores"
TARGETS = {"p50": 50.0, "p99": 1000.0}
ANSWERING = IPv4Address("198.51.100.8")
BARE = 253  # IP protocol of packets that are no tunnel's
LOAD = 0.4
PAUSE = 0.001  # seconds between probes of an idle worker
PING = 64  # octets of an inner packet that is a probe
OVERHEAD = 40  # octets of IPv4, GRE, PPP and MPPE around an inner packet
ANSWERED, LOADING = 1, 0  # what echo.c does with a packet
SHORTEST = 80  # octets; acknowledgements alone are shorter
SO_ATTACH_FILTER = 26


class Pings(Field):
    """One call whose inner packets are ICMP echo requests to the headend's host."""

    inside = ANSWERING

    def __init__(self, site: Site) -> None:
        super().__init__(site.dataplane, site.outer, site.inner, 1, "stateless", PING)

    def poll(self) -> int:
        turned: int = self.dataplane.poll_once()
        return turned

    def _inner(self, calls: npt.NDArray[np.uint32], up: bool) -> Octets:
        echo = struct.pack(">BBHHH", 8, 0, 0xF7FE, 0, 1)
        rest = np.frombuffer(echo.ljust(PING - 20, b"\0"), np.uint8)
        head = ip_headers(*self._ends(calls, up), 1, len(rest))
        return np.hstack([head, np.tile(rest, (len(calls), 1))])


@dataclass
class Way:
    """How to probe one of the two: packets to send, load between them, where answers arrive."""

    probes: Callable[[int], Octets]
    load: Callable[[int], Octets]
    answers: socket.socket


def bare_packets(count: int, octets: int, kind: int) -> Octets:
    """IPv4 packets for echo.c, ANSWERED or LOADING."""
    source, target = (np.full(count, int(end), np.uint32) for end in (PEER, LOCAL))
    text = np.full((count, octets - 20), kind, np.uint8)
    return np.hstack([ip_headers(source, target, BARE, octets - 20), text])


def receiver(protocol: int) -> socket.socket:
    """A raw socket that takes packets of at least SHORTEST octets."""
    made = socket.socket(socket.AF_INET, socket.SOCK_RAW, protocol)
    made.settimeout(1)
    code = ((0x80, 0, 0, 0), (0x35, 0, 1, SHORTEST), (0x06, 0, 0, 0xFFFF), (0x06, 0, 0, 0))
    octets = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *one) for one in code))
    program = struct.pack("@HP", len(code), ctypes.addressof(octets))
    made.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, program)
    return made


def probe(site: Site, way: Way, packet: Octets) -> float:
    """Microseconds until the answer."""
    start = time.perf_counter()
    site.to_outer(packet)
    way.answers.recv(2048)
    return 1e6 * (time.perf_counter() - start)


def idle_round(site: Site, ways: list[Way], count: int) -> list[list[float]]:
    """Probes by both ways in turn, everything asleep before each."""
    packets = [way.probes(count) for way in ways]
    times: list[list[float]] = [[] for _ in ways]
    for k in range(count):
        for way, mine, found in zip(ways, packets, times, strict=True):
            time.sleep(PAUSE)
            found.append(probe(site, way, mine[k : k + 1]))
    return times


def loaded_round(site: Site, ways: list[Way], count: int, slot: float) -> list[list[float]]:
    """By one way after the other: load each `slot` seconds, and a probe at any moment."""
    chance = random.Random(1)
    return [list(_loaded(site, way, count, slot, chance)) for way in ways]


def _loaded(
    site: Site, way: Way, count: int, slot: float, chance: random.Random
) -> Iterator[float]:
    probes, load = way.probes(count), way.load(count * BURST)
    due = time.perf_counter()
    for k in range(count):
        site.to_outer(load[k * BURST : (k + 1) * BURST])
        moment = due + chance.random() * slot
        while time.perf_counter() < moment:
            pass
        yield probe(site, way, probes[k : k + 1])
        due = max(due + slot, time.perf_counter())
        while time.perf_counter() < due:
            pass


@contextmanager
def echoing(site: Site, cpu: int) -> Iterator[None]:
    """echo.c on a thread of its own on this core."""
    stop = ctypes.c_int(0)
    with library("echo.c", "-O2") as code, within(site.host, lambda: receiver(BARE)) as bare:

        def body() -> None:
            os.sched_setaffinity(0, {cpu})
            code.echo(bare.fileno(), ctypes.byref(stop))

        thread = threading.Thread(target=body)
        thread.start()
        try:
            yield
        finally:
            stop.value = 1
            thread.join()


def added(rounds: list[list[list[float]]]) -> dict[str, list[tuple[float, float]]]:
    """By percentile, of each round: what the headend adds, and to what."""
    found: dict[str, list[tuple[float, float]]] = {"p50": [], "p99": []}
    for bare, tunnel in rounds:
        for name, samples in found.items():
            base, through = percentiles(bare)[name], percentiles(tunnel)[name]
            samples.append((through - base, base))
    return found


def percentiles(times: list[float]) -> dict[str, float]:
    return {"p50": statistics.median(times), "p99": statistics.quantiles(times, n=100)[98]}


def rows(name: str, rounds: list[list[list[float]]]) -> Iterator[Row]:
    for percentile, found in added(rounds).items():
        samples = [more for more, _ in found]
        row = Row(SECTION, f"{name}, {percentile}", statistics.median(samples), "us",
                  samples=samples, less_is_better=True)  # fmt: skip
        base = statistics.median(base for _, base in found)
        row.baseline = f"added to {base:,.0f} us of the bare link"
        low, high = min(samples), max(samples)
        row.note = f"{low:,.1f} to {high:,.1f} us in {len(samples)} rounds"
        target = TARGETS[percentile]
        yield row.against(f"<= {target:,.0f} us", row.figure <= target)


def alone(count: int, rounds: int) -> Iterator[Row]:
    cpus = sorted(os.sched_getaffinity(0))
    with ExitStack() as stack:
        enter = stack.enter_context
        hosts = enter(Hosts())
        enter(pinned(cpus[-1]))
        site = enter(headend(hosts, "auto"))
        site.host.address("lo", f"{ANSWERING}/32")
        site.host.route("10.0.0.0/8", "dev", "pptp0")
        echoes, flows = Pings(site), Flows(site, "stateless", 2)
        slot = BURST * statistics.median(flows.up(8 * BURST) for _ in range(9)) / LOAD
        ways = [
            Way(
                lambda n: bare_packets(n, PING + OVERHEAD, ANSWERED),
                lambda n: bare_packets(n, OCTETS + OVERHEAD, LOADING),
                enter(within(site.peers, lambda: receiver(BARE))),
            ),
            Way(
                echoes.packets_up,
                flows.packets_up,
                enter(within(site.peers, lambda: receiver(socket.IPPROTO_GRE))),
            ),
        ]
        enter(echoing(site, cpus[0]))
        enter(running(site.dataplane, cpus[0]))
        idle_round(site, ways, 50)
        found = [idle_round(site, ways, count) for _ in range(rounds)]
        yield from rows("a probe each ms", found)
        found = [loaded_round(site, ways, count, slot) for _ in range(rounds)]
        yield from rows(f"{LOAD:.0%} of the worker's time taken", found)


@contextmanager
def flood(place: Link) -> Iterator[None]:
    """TCP through the tunnel as fast as it goes."""
    process = place.client.start(
        "iperf3", "-c", INNER, "-t", "60", "-P", "4", log=place.folder / "flood.log"
    )
    try:
        time.sleep(1)
        yield
    finally:
        process.terminate()
        process.wait(20)


def pings(place: Link, address: str, count: int) -> list[float]:
    """Microseconds of each that came back."""
    words = ("ping", "-i", "0.005", "-c", str(count), "-W", "1", address)
    done = place.client.run(*words, check=False)
    return [1e3 * float(time) for time in re.findall(r"time=([\d.]+) ms", done.stdout)]


def saturated(count: int, rounds: int) -> Iterator[Row]:
    with Hosts() as hosts, link(hosts) as place, place.tunnel("MPPE-128 stateless"):
        place.server.start("iperf3", "-s", log=place.folder / "iperf3.log")
        time.sleep(0.5)
        with flood(place):
            found = [
                (pings(place, SERVER, count), pings(place, INNER, count)) for _ in range(rounds)
            ]
    for percentile in TARGETS:
        bare, through = ([percentiles(one[end])[percentile] for one in found] for end in range(2))
        row = Row(SATURATED, f"MPPE-128 stateless, {percentile}", statistics.median(through), "us",
                  samples=through, less_is_better=True)  # fmt: skip
        row.baseline = f"beside {statistics.median(bare):,.0f} us of the bare link meanwhile"
        yield row


def run(quick: bool = False) -> Iterator[Row]:
    count, rounds = (100, 2) if quick else (1000, 7)
    yield from alone(count, rounds)
    yield from saturated(count // 5, rounds)
