"""What one packet costs as calls grow, and what an idle call holds: a dataplane by itself.

Every count has the same batches: 64 packets, no two of one call, in a shuffled order over all
calls. So nothing coalesces, and what grows is cache and TLB misses.
"""

from __future__ import annotations

import os
import statistics
from collections.abc import Iterator
from pathlib import Path

from bench.field import MODES, field
from bench.rows import Row, pinned

COUNTS = (100, 1_000, 10_000, 60_000)
LEAST = 6_400  # packets a run
COST = "Cost of a packet as calls grow, 64 B, system calls included"
MEMORY = "Memory of the dataplane"
TARGETS = {"stateless": 1.5, "stateful": 2.0}
OCTETS_TARGET = 2 << 10
DIRECTIONS = {"up": "GRE to TUN", "down": "TUN to GRE"}


def costs(mode: str, sessions: int, runs: int) -> dict[str, list[float]]:
    """Samples of ns a packet, for each direction."""
    count = max(LEAST, sessions)
    with field(sessions, mode) as calls:
        for run in (calls.up, calls.down):
            run(count)
        up = [calls.up(count) / count * 1e9 for _ in range(runs)]
        down = [calls.down(count) / count * 1e9 for _ in range(runs)]
    return {"up": up, "down": down}


def cost_rows(mode: str, counts: tuple[int, ...], runs: int) -> Iterator[Row]:
    base: dict[str, float] = {}
    for sessions in counts:
        for direction, samples in costs(mode, sessions, runs).items():
            cost = statistics.median(samples)
            base.setdefault(direction, cost)
            name = f"{DIRECTIONS[direction]}, {_title(mode)}, {sessions:,} calls"
            row = Row(COST, name, cost, "ns", samples=samples, less_is_better=True)
            row.baseline, row.ratio = f"of {counts[0]:,} calls", cost / base[direction]
            if sessions == COUNTS[-1] and mode in TARGETS:
                row.target = f"<= {TARGETS[mode]}x"
                row.met = row.ratio <= TARGETS[mode]
            yield row


def _title(mode: str) -> str:
    return "no encryption" if mode == "none" else f"MPPE-128 {mode}"


def resident() -> int:
    """Octets of memory of this process that are there."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def grown(sessions: int) -> int:
    """Octets that a dataplane takes with calls that have keys both ways and saw no packet."""
    before = resident()
    with field(sessions) as calls:
        return resident() - before - calls.own_octets


def memory_row(sessions: int) -> Row:
    """The Python objects in which the dataplane knows its calls are in it."""
    grown(1)
    one = grown(1)
    held = (grown(sessions) - one) / (sessions - 1)
    row = Row(MEMORY, f"an idle call, of {sessions:,}", held, "octets", less_is_better=True)
    if sessions == COUNTS[-1]:
        row.target, row.met = f"<= {OCTETS_TARGET:,}", held <= OCTETS_TARGET
    return row


def run(quick: bool = False) -> Iterator[Row]:
    counts = (100, 1_000, 10_000) if quick else COUNTS
    with pinned(max(os.sched_getaffinity(0))):
        yield memory_row(counts[-1])
        for mode in MODES:
            yield from cost_rows(mode, counts, 3 if quick else 5)
