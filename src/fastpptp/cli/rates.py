"""Throughput: what sessions have carried between two samples of their counters."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Sample:
    """The sessions' rows at a time, monotonic seconds."""

    at: float
    rows: list[Row]


def sample(ask: Callable[..., list[Row]], filters: Mapping[str, object]) -> Sample:
    return Sample(time.monotonic(), ask(**filters))


def measured(before: Sample, after: Sample) -> list[Row]:
    """The later rows with `rx_rate`, `tx_rate` and `throughput` (both), in bits a second.

    A session that is new has carried all that it counts since; a Reset in between shows as 0.
    """
    old = {row["id"]: row for row in before.rows}
    seconds = max(after.at - before.at, 1e-3)

    def rate(row: Row, name: str) -> float:
        earlier = old[row["id"]][name] if row["id"] in old else 0
        octets: int = max(row[name] - earlier, 0)
        return octets * 8 / seconds

    found = []
    for row in after.rows:
        rx, tx = rate(row, "rx_octets"), rate(row, "tx_octets")
        found.append({**row, "rx_rate": rx, "tx_rate": tx, "throughput": rx + tx})
    return found


def with_data(rows: list[Row]) -> list[Row]:
    """Rows with `data`, the octets of both directions."""
    return [{**row, "data": row["rx_octets"] + row["tx_octets"]} for row in rows]
