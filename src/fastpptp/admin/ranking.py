"""The sessions that have most of something, a page at a time, with what each carries a second.

Throughput takes two samples of the dataplane's counters. They are kept here for each watcher, so
that whoever looks again and again is told of the time in between, and is sent no list of all.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastpptp.admin.meter import Meter
from fastpptp.admin.query import RANK_NAMES
from fastpptp.server.runtime import Headend
from fastpptp.session import SessionView

Octets = NDArray[np.uint64]

WATCHERS = 64  # whose samples are kept, those that asked last
LEAST = 0.2  # seconds between two samples; who asks sooner is told of the two before


@dataclass(frozen=True, slots=True)
class Sample:
    """Octets of every Call-ID at a time (monotonic seconds), and whose they were."""

    at: float
    handles: NDArray[np.uint32]
    rx: Octets
    tx: Octets


@dataclass(frozen=True, slots=True)
class Rates:
    """Of every Call-ID: octets so far, both ways; bits a second from the client and to it."""

    data: Octets
    rx: NDArray[np.float64]
    tx: NDArray[np.float64]

    def of(self, view: SessionView) -> tuple[float, float]:
        return float(self.rx[view.local_call_id]), float(self.tx[view.local_call_id])


def rates(before: Sample | None, after: Sample) -> Rates:
    """A new call has carried all that it counts since. Without an earlier sample all are 0."""
    data = after.rx + after.tx
    if before is None:
        nothing = np.zeros(len(data))
        return Rates(data, nothing, nothing)
    same = before.handles == after.handles
    scale = 8 / max(after.at - before.at, 1e-3)
    rx, tx = (
        np.where(same, late - early, late) * scale
        for early, late in ((before.rx, after.rx), (before.tx, after.tx))
    )
    return Rates(data, rx, tx)


@dataclass(frozen=True, slots=True)
class Entry:
    """A session of the page, and its bits a second."""

    view: SessionView
    rx_rate: float
    tx_rate: float


@dataclass(frozen=True, slots=True)
class Page:
    """`entries` of the `total` sessions; the rates of them all."""

    entries: list[Entry]
    total: int
    rx_rate: float
    tx_rate: float


class Ranking:
    """Pages of a Headend's sessions. `who` is the administrator that asks, as in Meter."""

    def __init__(self, headend: Headend, meter: Meter) -> None:
        self._headend = headend
        self._meter = meter
        self._samples: OrderedDict[str, tuple[Sample | None, Sample]] = OrderedDict()

    def page(
        self, who: str, wanted: Callable[[SessionView], bool], query: Mapping[str, Any], now: float
    ) -> Page:
        """`query`: by (a name of RANKS), first (from 0), limit, watcher."""
        found = rates(*self._two_samples(f"{who} {query['watcher']}", now))
        views = self._headend.sessions(wanted)
        views.sort(key=self._key(RANKS[query["by"]], who, found))
        shown = views[query["first"] :][: query["limit"]]
        carried = [found.of(view) for view in views]
        return Page(
            [Entry(view, *found.of(view)) for view in shown],
            len(views),
            sum(rx for rx, _ in carried),
            sum(tx for _, tx in carried),
        )

    def _key(self, rank: Rank, who: str, found: Rates) -> Callable[[SessionView], Any]:
        def key(view: SessionView) -> Any:
            data = int(found.data[view.local_call_id]) - self._meter.forgotten(who, view)
            return rank(view, data, sum(found.of(view)))

        return key

    def _two_samples(self, watcher: str, now: float) -> tuple[Sample | None, Sample]:
        before, after = self._samples.pop(watcher, (None, None))
        if after is None or now - after.at >= LEAST:
            before, after = after, Sample(now, *self._headend.octets())
        self._samples[watcher] = before, after
        while len(self._samples) > WATCHERS:
            self._samples.popitem(last=False)
        return before, after


# What sessions are sorted by: the largest come first, and names and addresses in their order.
Rank = Callable[[SessionView, int, float], Any]
RANKS: Mapping[str, Rank] = {
    "throughput": lambda view, data, carried: -carried,
    "data": lambda view, data, carried: -data,
    "duration": lambda view, data, carried: (
        view.login_at if view.login_at is not None else view.started_at
    ),
    "user": lambda view, data, carried: (view.user.casefold(), view.id),
    "address": lambda view, data, carried: (
        (1, 0) if view.assigned is None else (0, int(view.assigned))
    ),
}
assert tuple(RANKS) == RANK_NAMES
