"""The round trip that a tunnel adds: a datagram to an echo and back, at a pace, one at a time.

Probes and dial are on one core, the echo and the headend on the other, so both ends of the tunnel
and their wake-ups count. Rounds of probes over the bare link and through the tunnel take turns;
what is added is the difference of the percentiles of two such rounds. Over the bare link each
probe wakes a core that sleeps; a dataplane that still spins saves that, so less than nothing is
possible.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from bench.rows import Row
from bench.tunnel import ENCRYPTION, SERVER, Link, link
from tests.headend import INNER

SECTION = "Round trip added by a tunnel, headend and dial on two cores with the probes"
PORT = 9007
AIMED = "MPPE-128 stateless"
TARGETS = {"p50": 50.0, "p99": 1000.0}
LOSS = 1.0  # seconds after which a probe is lost

ECHO = f"""
import socket
echo = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
echo.bind(("0.0.0.0", {PORT}))
while True:
    data, peer = echo.recvfrom(2048)
    echo.sendto(data, peer)
"""

PROBE = f"""
import json, socket, sys, time
address, count, pause = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
probe = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
probe.connect((address, {PORT}))
probe.settimeout({LOSS})
times, lost = [], 0
for number in range(count):
    start = time.perf_counter()
    probe.send(number.to_bytes(4, "big") + bytes(60))
    try:
        while int.from_bytes(probe.recv(2048)[:4], "big") != number:
            pass
        times.append(1e6 * (time.perf_counter() - start))
    except TimeoutError:
        lost += 1
    time.sleep(pause)
print(json.dumps([times, lost]))
"""


def round_trips(place: Link, address: str, count: int) -> list[float]:
    """Microseconds of each probe that came back."""
    words = ("taskset", "-c", str(max(os.sched_getaffinity(0))), sys.executable, "-c", PROBE)
    done = place.client.run(*words, address, str(count), "0.001", timeout=30 + count * 0.01)
    times: list[float] = json.loads(done.stdout)[0]
    if len(times) < count * 0.9:
        raise RuntimeError(f"{count - len(times)} of {count} probes to {address} were lost")
    return times


def percentiles(times: list[float]) -> dict[str, float]:
    return {"p50": statistics.median(times), "p99": statistics.quantiles(times, n=100)[98]}


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


def added(place: Link, count: int, rounds: int) -> list[dict[str, tuple[float, float]]]:
    """Of each round, by percentile: what was added, and what it was added to."""
    found = []
    for _ in range(rounds):
        bare = percentiles(round_trips(place, SERVER, count))
        through = percentiles(round_trips(place, INNER, count))
        found.append({name: (through[name] - bare[name], bare[name]) for name in bare})
    return found


def rows(name: str, found: list[dict[str, tuple[float, float]]], targets: dict[str, float]
         ) -> Iterator[Row]:  # fmt: skip
    for percentile in ("p50", "p99"):
        samples = [one[percentile][0] for one in found]
        bare = statistics.median(one[percentile][1] for one in found)
        row = Row(SECTION, f"{name}, {percentile}", statistics.median(samples), "us",
                  samples=samples, less_is_better=True)  # fmt: skip
        row.baseline = f"added to {bare:,.0f} us of the bare link"
        if percentile in targets:
            row.target = f"<= {targets[percentile]:,.0f} us"
            row.met = row.figure <= targets[percentile]
        if min(samples) < 0:
            row.met, row.note = None, "not told apart: the bare link was slower in some round"
        yield row


def run(quick: bool = False) -> Iterator[Row]:
    count, rounds = (300, 2) if quick else (600, 5)
    with link() as place:
        words = ("taskset", "-c", str(min(os.sched_getaffinity(0))), sys.executable, "-c", ECHO)
        place.server.start(*words, log=place.folder / "echo.log")
        place.server.start("iperf3", "-s", log=place.folder / "iperf3.log")
        time.sleep(0.5)
        for encryption in ENCRYPTION:
            with place.tunnel(encryption):
                plain = encryption != AIMED
                found = added(place, count, rounds)
                yield from rows(encryption, found, {} if plain else TARGETS)
                if not plain:
                    with flood(place):
                        found = added(place, count // 6, rounds)
                    yield from rows(f"{encryption}, saturated with TCP", found, {})
