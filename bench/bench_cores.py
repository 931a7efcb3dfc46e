"""What a packet costs a worker: TCP flows of 1,400-byte packets, a call each, on real sockets.

Every way out (`outer`) is held against 1 / (I/O + crypto): I/O is the same dataplane without
encryption, crypto is the batch engine alone on batches of the same make-up. And against a plain
daemon with one system call a packet each way and RC4 in the kernel's shape (one_at_a_time.c).
All take turns on one core; what comes is all there already (bench/flows.py).
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from bench.flows import BATCH, BURST, CALLS, OCTETS, Flows, Site, headend
from bench.machines import settle
from bench.one_at_a_time import plain_daemon
from bench.rows import Row, paired, pinned, ratio_of
from fastpptp.bootstrap import OUTER_BACKENDS
from fastpptp.dataplane.batch import Mppe, mppe_states
from fastpptp.errors import UnavailableError
from tests.hosts import Hosts

SECTION = f"CPU time of a packet, {CALLS} flows, 1,400 B, one worker"
LABELS = {"raw": "raw socket", "packet": "AF_PACKET sending", "xdp": "AF_XDP"}
WAYS = {"TUN to GRE": "down", "GRE to TUN": "up"}
RECEIVED = 64  # packets of a receiving batch
SHARE_TARGET, PLAIN_TARGET = 0.8, 2.6
PLAIN = "one system call a packet, kernel-shaped RC4"
Samples = dict[str, list[float]]


class Cipher:
    """The batch engine on batches as the dataplane makes them: runs of BURST packets of a call."""

    def __init__(self, packets: int) -> None:
        rng = np.random.default_rng(1)
        self._states = mppe_states(rng.integers(0, 256, (CALLS, 16), np.uint8), 128, True)
        self._index = (np.arange(packets, dtype=np.uint32) // BURST) % CALLS
        self._packets = rng.integers(0, 256, (packets, 1536), np.uint8)
        self._lengths = np.full(packets, OCTETS + 2, np.uint32)
        self._changes = np.ones(packets, np.uint16)
        self._repeat = max(1, 4 * RECEIVED // packets)
        self._engine = Mppe()

    def cost(self) -> float:
        """Seconds of CPU time a packet."""
        batch = (self._states, self._index, self._packets, self._lengths, None, self._changes)
        start = time.thread_time()
        self._engine.crypt_batch(*batch, repeat=self._repeat)
        return (time.thread_time() - start) / (self._repeat * len(self._packets))


def flow_costs(name: str, flows: Flows) -> dict[str, Callable[[], float]]:
    return {f"{name}, {way}": partial(getattr(flows, turn), BATCH) for way, turn in WAYS.items()}


def measured(site: Site, plain: Flows, runs: int) -> Samples:
    """Seconds a packet of everything, by name and way."""
    site.hide_peers()
    relay, full = Flows(site, "none"), Flows(site, "stateless", CALLS + 1)
    settle(site.dataplane)
    sending, receiving = Cipher(BATCH), Cipher(RECEIVED)
    candidates = {
        **flow_costs("relay", relay),
        **flow_costs("MPPE", full),
        **flow_costs("plain", plain),
        "crypto, TUN to GRE": sending.cost,
        "crypto, GRE to TUN": receiving.cost,
    }
    paired(candidates, 2)  # everything is warm, and the next hops are known
    return paired(candidates, runs)


def rows_of(outer: str, samples: Samples) -> Iterator[Row]:
    label = LABELS.get(outer, outer)
    for way in WAYS:
        full, relay = samples[f"MPPE, {way}"], samples[f"relay, {way}"]
        crypto = samples[f"crypto, {way}"]
        ideal = [i + c for i, c in zip(relay, crypto, strict=True)]
        yield row(f"{label}, {way}, no encryption", relay)
        made = row(f"{label}, {way}, MPPE-128 stateless", full)
        made.baseline, made.ratio = "1 / (I/O + crypto)", ratio_of(ideal, full)
        made.note = f"crypto alone {statistics.median(crypto) * 1e9:,.0f} ns"
        yield made.against(f">= {SHARE_TARGET}x", made.ratio >= SHARE_TARGET)
    both = {
        name: [sum(pair) for pair in zip(*(samples[f"{name}, {way}"] for way in WAYS), strict=True)]
        for name in ("MPPE", "plain")
    }
    made = row(f"{label}, a packet each way, MPPE-128 stateless", both["MPPE"])
    made.baseline, made.ratio = PLAIN, ratio_of(both["plain"], both["MPPE"])
    yield made.against(f">= {PLAIN_TARGET}x", made.ratio >= PLAIN_TARGET)


def row(name: str, seconds: list[float]) -> Row:
    samples = [1e9 * one for one in seconds]
    median = statistics.median(samples)
    return Row(SECTION, name, median, "ns", samples=samples, less_is_better=True)


def run(quick: bool = False) -> Iterator[Row]:
    runs = 5 if quick else 41
    with Hosts() as hosts, plain_daemon(hosts) as daemon, pinned(max(os.sched_getaffinity(0))):
        daemon.hide_peers()
        plain = Flows(daemon, "stateless")
        for way, turn in WAYS.items():
            yield row(f"{PLAIN}, {way}", [getattr(plain, turn)(BATCH) for _ in range(runs)])
        for outer in OUTER_BACKENDS:
            if outer == "auto":
                continue
            try:
                with headend(hosts, outer) as site:
                    samples = measured(site, plain, runs)
            except UnavailableError as error:
                print(f"   {outer}: {error}")
                continue
            yield from rows_of(outer, samples)
