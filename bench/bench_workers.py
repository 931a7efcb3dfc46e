"""Two workers against one: the same packets a worker, all there already, MPPE on.

Each worker runs by itself on a core of its own and is charged the CPU time of its thread alone, so
whatever else runs here takes no part in the figure but for the caches. What two workers do in the
time of one falls short of twice as much by what they have in common: arenas, memory, last cache.
The live figure is packets a second of the clock from TUN to GRE and back, through the headend's own
sockets; what sends them runs on the same cores.
"""

from __future__ import annotations

import os
import socket
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from bench.field import BUFFER, LOCAL, Field, Octets, drain, fill
from bench.flows import BATCH, Flows, Site
from bench.machines import TUN, machine, settle
from bench.rows import Row, paired, ratio_of
from fastpptp.dataplane import Dataplane
from tests.hosts import Host, Hosts

SECTION = "Two workers against one, 1,400 B, MPPE-128"
SESSIONS = 64  # a worker
OCTETS = 1400
PACKETS = 8192  # a worker and direction
TARGET = 1.7
BATCHES, AHEAD = 40, 4  # of a live run; that are on their way at once
TASKS = Path("/proc/self/task")


class Farm:
    """A dataplane with workers on socket pairs, and SESSIONS calls on each."""

    def __init__(self, stack: ExitStack, workers: int, mode: str) -> None:
        pairs = [
            socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in range(2 * workers)
        ]
        for end in (end for pair in pairs for end in pair):
            stack.enter_context(end)
            end.setblocking(False)
            end.setsockopt(socket.SOL_SOCKET, getattr(socket, "SO_SNDBUFFORCE", 32), BUFFER)
        self.busy: list[float] = []  # cores that were used at once, of each run
        self.meanwhile: Callable[[], object] = lambda: None  # called often during a run
        outer, inner = pairs[:workers], pairs[workers:]
        fds = [[ours.fileno() for _, ours in some] for some in (outer, inner)]
        self.dataplane = stack.enter_context(Dataplane(*fds, frames=8192, spin_microseconds=0))
        self.fields = [
            Field(self.dataplane, out, into, SESSIONS, mode, OCTETS, 1 + k * SESSIONS)
            for k, ((out, _), (into, _)) in enumerate(zip(outer, inner, strict=True))
        ]
        for k, field in enumerate(self.fields):
            for number in range(SESSIONS):
                self.dataplane.move_call(1 << 16 | field.first + number, k)
        for _ in range(3 * SESSIONS):
            self.dataplane.poll_once()

    def speed(self) -> float:
        """Packets a second of CPU time that all workers do together."""
        for field in self.fields:
            fill(field.outer, field.packets_up(PACKETS))
            fill(field.inner, field.packets_down(PACKETS))
        target = carried(self.dataplane) + 2 * PACKETS * len(self.fields)
        start = time.monotonic()
        with running(self.dataplane) as spent:
            wait_for(self.dataplane, target, self.meanwhile)
            seconds = spent()
        self.busy.append(sum(seconds) / (time.monotonic() - start))
        for field in self.fields:
            drain(field.outer)
            drain(field.inner)
        return sum(2 * PACKETS / one for one in seconds)


def carried(dataplane: Any) -> int:
    rows = dataplane.stats
    return int(rows["rx_packets"].sum() + rows["tx_packets"].sum())


def wait_for(dataplane: Any, target: int, meanwhile: Callable[[], object] = lambda: None) -> None:
    """Until so many packets have ever been carried."""
    end = time.monotonic() + 20
    while carried(dataplane) < target:
        meanwhile()
        if time.monotonic() > end:
            raise RuntimeError(f"packets were lost: {dataplane.drop_counts()}")
        time.sleep(0.0005)


@contextmanager
def running(dataplane: Any) -> Iterator[Callable[[], list[float]]]:
    """Its workers by themselves, each on a core; yields what tells their seconds of CPU time."""
    before = set(os.listdir(TASKS))
    dataplane.start()
    tasks = sorted(set(os.listdir(TASKS)) - before, key=int)
    for task, cpu in zip(tasks, sorted(os.sched_getaffinity(0)), strict=False):
        os.sched_setaffinity(int(task), {cpu})
    try:
        yield lambda: [
            int((TASKS / task / "schedstat").read_text().split()[0]) / 1e9 for task in tasks
        ]
    finally:
        dataplane.stop()


def pair(name: str, samples: dict[str, list[float]], note: str = "") -> tuple[Row, Row]:
    """The rows of one worker and of two, in thousands of packets a second."""
    one, two = ([speed / 1e3 for speed in samples[key]] for key in ("one", "two"))
    single = Row(SECTION, f"{name}, one worker", statistics.median(one), "kpps", samples=one)
    double = Row(SECTION, f"{name}, two workers", statistics.median(two), "kpps", samples=two)
    double.baseline, double.ratio, double.note = "one worker", ratio_of(two, one), note
    return single, double


def prefilled(mode: str, runs: int) -> Iterator[Row]:
    with ExitStack() as stack:
        one, two = (Farm(stack, workers, mode) for workers in (1, 2))
        candidates = {"one": one.speed, "two": two.speed}
        paired(candidates, 1)
        samples = paired(candidates, runs)
    note = f"{statistics.median(two.busy):.1f} cores busy at once"
    single, double = pair(f"{mode}, both directions, sockets filled before", samples, note)
    yield single
    yield double.against(f">= {TARGET}x", double.ratio is not None and double.ratio >= TARGET)


class Live:
    """A headend's host with workers that run, and flows to its peers and from them."""

    def __init__(self, stack: ExitStack, hosts: Hosts, workers: int) -> None:
        def opened(host: Host) -> Any:
            return stack.enter_context(machine(host, LOCAL, "raw", workers))

        self._site = Site(hosts, f"live{workers}", TUN, opened)
        stack.callback(self._site.close)
        self._site.hide_peers()
        self._flows = Flows(self._site, "stateless")
        settle(self._site.dataplane)
        stack.enter_context(running(self._site.dataplane))

    def down(self) -> float:
        return self._rate(self._flows.packets_down, self._site.to_inner)

    def up(self) -> float:
        return self._rate(self._flows.packets_up, self._site.to_outer)

    def _rate(self, make: Callable[[int], Octets], send: Callable[[Octets], None]) -> float:
        """Packets a second."""
        batches = [make(BATCH) for _ in range(BATCHES)]
        done = carried(self._site.dataplane)
        start = time.monotonic()
        for batch in batches:
            send(batch)
            done += BATCH
            wait_for(self._site.dataplane, done - (AHEAD - 1) * BATCH)
        wait_for(self._site.dataplane, done)
        return BATCHES * BATCH / (time.monotonic() - start)


def live(runs: int) -> Iterator[Row]:
    with Hosts() as hosts, ExitStack() as stack:
        one, two = (Live(stack, hosts, workers) for workers in (1, 2))
        for name, way in (("TUN to GRE", "down"), ("GRE to TUN", "up")):
            samples = paired({"one": getattr(one, way), "two": getattr(two, way)}, runs)
            yield from pair(f"stateless, {name}, live", samples)


def run(quick: bool = False) -> Iterator[Row]:
    for mode in ("stateless", "stateful"):
        yield from prefilled(mode, 5 if quick else 15)
    yield from live(3 if quick else 9)
