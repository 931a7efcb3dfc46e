"""What a traffic filter costs a packet: the same calls without one, and with ever more rules.

No rule concerns the packets, so each is held against every rule of its direction.
"""

from __future__ import annotations

import os
import statistics
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv4Address

from bench.field import FIRST, MODES, Field, field
from bench.rows import Row, pinned, ratio_of
from fastpptp.ports import CallPolicy, PacketFilter, PacketRule

SECTION = "Traffic filters, 64 B packets of 64 calls, system calls included"
SESSIONS = 64
COUNT = 6_400
NO_FILTER = "no filter"
RULES = {f"{count} rules each way": count for count in (0, 10, 128)}
DIRECTIONS = {"up": "GRE to TUN", "down": "TUN to GRE"}


def rules(count: int) -> PacketFilter:
    """`count` rules of each direction, about addresses that nobody has."""
    rule = PacketRule("", True, False, version=4, source=(1, 0xFFFFFFFF))
    both = ((str(k), inbound) for inbound in (True, False) for k in range(count))
    return PacketFilter(
        tuple(replace(rule, name=name, inbound=inbound) for name, inbound in both), forward=True
    )


def use(calls: Field, mode: str, name: str | None) -> None:
    for number in range(SESSIONS):
        call_id = calls.first + number
        policy = CallPolicy(
            mru=1500,
            peer_address=IPv4Address(FIRST + call_id),
            encryption_required=mode != "none",
            filter=name,
        )
        calls.dataplane.set_policy(1 << 16 | call_id, policy)
    calls.poll()


def samples(mode: str, runs: int) -> dict[tuple[str, str], list[float]]:
    """ns a packet by direction and filter; the filters take turns, so that drift hits all alike."""
    found: dict[tuple[str, str], list[float]] = {}
    chosen: dict[str, str | None] = {NO_FILTER: None, **{title: title for title in RULES}}
    with field(SESSIONS, mode) as calls:
        calls.dataplane.set_filters({title: rules(count) for title, count in RULES.items()})
        for _ in range(runs):
            for title, name in chosen.items():
                use(calls, mode, name)
                for direction in DIRECTIONS:
                    seconds = getattr(calls, direction)(COUNT)
                    found.setdefault((direction, title), []).append(seconds / COUNT * 1e9)
    return found


def run(quick: bool = False) -> Iterator[Row]:
    with pinned(max(os.sched_getaffinity(0))):
        for mode in MODES[:1] if quick else MODES:
            found = samples(mode, 5 if quick else 9)
            for (direction, title), costs in found.items():
                encryption = "no encryption" if mode == "none" else f"MPPE-128 {mode}"
                name = f"{DIRECTIONS[direction]}, {encryption}, {title}"
                row = Row(SECTION, name, statistics.median(costs), "ns", samples=costs,
                          less_is_better=True)  # fmt: skip
                if title != NO_FILTER:
                    row.baseline = NO_FILTER
                    row.ratio = ratio_of(costs, found[direction, NO_FILTER])
                yield row
