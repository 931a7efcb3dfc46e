"""Session scale: how many, how fast, how much memory, and what a redial storm does.

The headend and the load generator run on the same cores, a namespace each. Every session is
negotiated in full: control connection, LCP, MS-CHAPv2, CCP with MPPE-128 stateless, IPCP.
"""

from __future__ import annotations

import re
import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bench.rows import Row, ratio_of
from tests.headend import Headend
from tests.hosts import Host, Hosts
from tests.load import Load, Watch, configuration

SECTION = "Sessions, headend and load generator on the same cores"
SERVER = "192.0.2.1"
# 28,232 ephemeral ports each.
SOURCES = ("192.0.2.11", "192.0.2.12")
OWN, SHARED = 1, 1000
SESSIONS = {OWN: 15_000, SHARED: 60_000}
IN_FLIGHT = 100
SETUPS_TARGET = 500
MEMORY_TARGET = 16  # KiB
ADMITTED = 200
OVERLOAD = 4
SETTLING = 2.0  # seconds of a storm that do not count

# One datagram into each of the first N addresses of the pool, at a pace that no queue overflows.
TALK = """
import socket, sys, time
from ipaddress import IPv4Address
talker = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
first = int(IPv4Address("10.0.0.1"))
for number in range(int(sys.argv[1])):
    talker.sendto(bytes(64), (str(IPv4Address(first + number)), 9))
    if number % 50 == 0:
        time.sleep(0.005)
"""


@dataclass(frozen=True)
class Scene:
    """A server's host, a client's, and a place for logs."""

    server: Host
    client: Host
    folder: Path

    @contextmanager
    def headend(self, handshakes: int) -> Iterator[Watch]:
        """A fresh headend."""
        state = Path(tempfile.mkdtemp(dir=self.folder))
        with Headend(self.server, state, SERVER) as headend:
            headend.import_configuration(configuration(handshakes))
            yield Watch(headend)

    def load(self, *words: object) -> Load:
        sources = [word for source in SOURCES for word in ("--source", source)]
        return Load(self.client, self.folder / "load.log", SERVER, *sources, *words)


def setup_rate(scene: Scene, calls: int, count: int, runs: int) -> Row:
    """Sessions a second from nothing to `count`."""
    samples = []
    for _ in range(runs):
        with (
            scene.headend(handshakes=4000),
            scene.load("--sessions", count, "--calls", calls, "--in-flight", IN_FLIGHT) as load,
        ):
            up = load.wait_for("up", 60 + count / 20)
            samples.append(rate(up))
    name = f"setup rate, {count:,} sessions, {_over(calls)}"
    row = Row(SECTION, name, statistics.median(samples), "sessions/s", samples=samples)
    return row.against(f">= {SETUPS_TARGET}", row.figure >= SETUPS_TARGET)


def scale(scene: Scene, calls: int, count: int) -> list[Row]:
    """`count` sessions at once, a packet through each, and what one of them costs."""
    with scene.headend(handshakes=4000) as watch:
        before, slab_before = watch.holdings(), slab()
        words = ("--sessions", count, "--calls", calls, "--in-flight", IN_FLIGHT)
        with scene.load(*words) as load:
            load.wait_for("up", 60 + count / 20)
            after, slab_after = watch.holdings(), slab()
            scene.server.run(sys.executable, "-c", TALK, str(count), timeout=60 + count / 100)
            held = after.named["sessions"]
            load.stop()
            heard = load.wait_for("held", 60)
    over = _over(calls)
    dropped = f"{sum(heard['dropped'].values())} dropped"
    heap = (after.octets - before.octets) / held / 1024
    arena = (after.arena - before.arena) / held / 1024
    kernel = (slab_after - slab_before) / held / 1024
    memory = Row(SECTION, f"memory of an idle session, {over}", heap + arena, "KiB")
    memory.less_is_better = True
    memory.note = f"{arena:.1f} of it in the arenas; apart: kernel, for both ends, {kernel:.1f} KiB"
    concurrent = Row(SECTION, f"concurrent sessions, {over}", held, "sessions", note=dropped)
    return [
        concurrent.against(f">= {SESSIONS[calls]:,}", held >= SESSIONS[calls]),
        Row(SECTION, f"of these with traffic, {over}", heard["receivers"], "sessions"),
        memory.against(f"<= {MEMORY_TARGET} KiB", memory.figure <= MEMORY_TARGET),
    ]


def slab() -> int:
    """Octets of the kernel's own memory that are not caches it would give back."""
    found = re.search(r"SUnreclaim:\s*(\d+) kB", Path("/proc/meminfo").read_text())
    return int(found[1]) << 10 if found else 0


@dataclass(frozen=True)
class Storm:
    """What a redial storm did, beside the rates at which sessions came up before it."""

    best: float
    goodput: float
    refused: int
    dropped: int


def blow(scene: Scene, clients: int, established: int, seconds: float) -> Storm:
    """Clients dial at OVERLOAD times the rate at which `established` sessions came up.

    They come up twice, to say how many times too many that is, and to be there when it begins; the
    best rate is the mean of both, for one right before is a better measure than one alone.
    """
    common = ("--sessions", established, "--calls", SHARED, "--in-flight", IN_FLIGHT)
    with scene.headend(handshakes=ADMITTED):
        with scene.load(*common) as load:
            first = rate(load.wait_for("up", 60 + established / 20))
        storm = ("--storm", OVERLOAD * first, "--clients", clients, "--storm-seconds", seconds)
        with scene.load(*common, *storm) as load:
            second = rate(load.wait_for("up", 60 + established / 20))
            done = load.wait_for("stormed", 120 + seconds)
    ups = [moment for moment in done["ups"] if SETTLING <= moment < seconds]
    refused, dropped = sum(done["failed"].values()), sum(done["dropped"].values())
    return Storm((first + second) / 2, len(ups) / (seconds - SETTLING), refused, dropped)


def rate(up: dict[str, Any]) -> float:
    return float(up["reached"] / up["seconds"])


def storms(scene: Scene, clients: int, established: int, seconds: float, runs: int) -> list[Row]:
    """Redial storms; each is held against the rate just before it."""
    made = [blow(scene, clients, established, seconds) for _ in range(runs)]
    best, goodput = [storm.best for storm in made], [storm.goodput for storm in made]
    share, dropped = ratio_of(goodput, best), sum(storm.dropped for storm in made)
    name = f"redial storm, {clients:,} clients, {OVERLOAD}x overload: goodput"
    row = Row(SECTION, name, statistics.median(goodput), "sessions/s", "the best rate", share)
    row.samples = goodput
    refused = sum(storm.refused for storm in made)
    shares = ", ".join(f"{storm.goodput / storm.best:.2f}" for storm in made)
    row.note = f"{shares}; {refused:,} calls refused; {dropped} of {established:,} sessions dropped"
    return [
        Row(SECTION, "best rate before a storm", statistics.median(best), "sessions/s"),
        row.against(">= 0.8x, none dropped", share >= 0.8 and not dropped),
    ]


def _over(calls: int) -> str:
    return "a TCP connection each" if calls == OWN else f"{calls:,} on a control connection"


def run(quick: bool = False) -> Iterator[Row]:
    """All rows; `quick` with fewer sessions, which says nothing about the targets."""
    with tempfile.TemporaryDirectory() as name, Hosts() as hosts:
        server, client = hosts.add("server"), hosts.add("client")
        _, device = hosts.join(server, f"{SERVER}/24", client, f"{SOURCES[0]}/24")
        for source in SOURCES[1:]:
            client.address(device, f"{source}/24")
        scene = Scene(server, client, Path(name))
        for row in measured(scene, quick):
            yield replace(row, target="", met=None) if quick else row


def measured(scene: Scene, quick: bool) -> Iterator[Row]:
    for calls, count in SESSIONS.items():
        yield setup_rate(scene, calls, 500 if quick else 2_000, 1 if quick else 5)
        yield from scale(scene, calls, 500 if quick else count)
    if quick:
        yield from storms(scene, 60_000, established=500, seconds=8, runs=1)
    else:
        yield from storms(scene, 60_000, established=2_000, seconds=8, runs=5)
