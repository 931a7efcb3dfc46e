"""What a monitoring system reads: OpenMetrics, made from the headend's own counters at each scrape.

Nothing is counted twice, so nothing here can disagree with `fastpptp statistics`.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from fastpptp import __version__
from fastpptp.manager.accounting import SETUP_BUCKETS, SetupTimes, Statistics
from fastpptp.server.runtime import Headend

TASKS = Path("/proc/self/task")
WORKER_THREADS = "fastpptp-"  # then the worker's number (dataplane/life.pxi)
PAYLOAD = ("rx_octets", "tx_octets", "rx_packets", "tx_packets")

# Names of Statistics' fields, and what is said of them.
COUNTERS = {
    "total_tunnels": ("tunnels", "Control connections that were established"),
    "total_sessions": ("sessions", "Sessions that were started"),
    "refused_tunnels": ("tunnels_refused", "Control connections that were refused"),
    "refused_sessions": ("sessions_refused", "Calls that were refused"),
    "control_received_octets": ("control_received_octets", "Octets of control messages received"),
    "control_sent_octets": ("control_sent_octets", "Octets of control messages sent"),
}
GAUGES = {
    "active_tunnels": ("tunnels_active", "Control connections that are established"),
    "peak_tunnels": ("tunnels_peak", "The most that were established at one time"),
    "active_sessions": ("sessions_active", "Sessions now"),
    "peak_sessions": ("sessions_peak", "The most at one time"),
    "handshakes": ("handshakes", "Sessions that are being negotiated"),
    "half_open": ("tunnels_half_open", "TCP connections that are not established yet"),
}


class HeadendCollector(Collector):
    """Yields the families of one headend. It must be asked on the headend's event loop."""

    def __init__(self, headend: Headend) -> None:
        self._headend = headend

    def collect(self) -> Iterator[Metric]:
        statistics = self._headend.statistics()
        yield InfoMetricFamily("fastpptp", "This headend", {"version": __version__})
        yield from _plain(statistics)
        yield _labelled(
            "sessions_ended", "Sessions that ended, by RADIUS' Acct-Terminate-Cause", "cause",
            statistics.ended.items(),
        )  # fmt: skip
        yield _histogram(statistics.setup)
        yield from self._sessions()
        yield from self._payload(statistics)
        yield _labelled(
            "drops", "Packets that the dataplane dropped", "reason", self._headend.drops().items()
        )
        yield from self._events()
        yield from self._pools()
        yield _labelled("worker_cpu_seconds", "CPU time of a worker", "worker", _worker_seconds())

    def _sessions(self) -> Iterator[Metric]:
        found = GaugeMetricFamily(
            "fastpptp_sessions_by", "Sessions now, by how they are protected",
            labels=("method", "encryption"),
        )  # fmt: skip
        counts: dict[tuple[str, str], int] = {}
        for view in self._headend.manager.sessions():
            kind = (view.method.value if view.method else "none", str(view.encryption or "none"))
            counts[kind] = counts.get(kind, 0) + 1
        for kind, count in counts.items():
            found.add_metric(kind, count)
        yield found

    def _payload(self, statistics: Statistics) -> Iterator[Metric]:
        """Data of all sessions: those that have ended, and what the workers' rows have now."""
        rows = self._headend.rows()
        for name in PAYLOAD:
            way, unit = name.split("_")
            direction = "received" if way == "rx" else "sent"
            ended = getattr(statistics, f"payload_{direction}_{unit}")
            yield CounterMetricFamily(
                f"fastpptp_payload_{direction}_{unit}",
                f"{unit.capitalize()} of data {direction}",
                value=ended + int(rows[name].sum()),
            )

    def _events(self) -> Iterator[Metric]:
        found = CounterMetricFamily(
            "fastpptp_events", "Events by class and number (RPT)", labels=("class", "number")
        )
        for (cls, number), count in self._headend.log.repeats.items():
            found.add_metric((cls, str(number)), count)
        yield found

    def _pools(self) -> Iterator[Metric]:
        for name, words in (("size", "Addresses of a pool"), ("used", "Addresses that are out")):
            found = GaugeMetricFamily(f"fastpptp_pool_{name}", words, labels=("pool",))
            for usage in self._headend.pools():
                count = usage.size if name == "size" else usage.in_use
                found.add_metric((str(usage.pool),), count)
            yield found


def _plain(statistics: Statistics) -> Iterator[Metric]:
    for field, (name, words) in COUNTERS.items():
        yield CounterMetricFamily(f"fastpptp_{name}", words, value=getattr(statistics, field))
    for field, (name, words) in GAUGES.items():
        yield GaugeMetricFamily(f"fastpptp_{name}", words, value=getattr(statistics, field))


def _labelled(
    name: str, words: str, label: str, counts: Iterable[tuple[str, float]]
) -> CounterMetricFamily:
    found = CounterMetricFamily(f"fastpptp_{name}", words, labels=(label,))
    for value, count in counts:
        found.add_metric((value,), count)
    return found


def _histogram(times: SetupTimes) -> HistogramMetricFamily:
    total, buckets = 0, []
    for bound, count in zip((*map(str, SETUP_BUCKETS), "+Inf"), times.counts, strict=True):
        total += count
        buckets.append((bound, total))
    return HistogramMetricFamily(
        "fastpptp_session_setup_seconds", "From the call to the first address", buckets=buckets,
        sum_value=times.seconds,
    )  # fmt: skip


def _worker_seconds() -> Iterator[tuple[str, float]]:
    """User and system time of each worker's thread (proc_pid_stat(5), fields 14 and 15)."""
    tick = os.sysconf("SC_CLK_TCK")
    for thread in threading.enumerate():
        if thread.name.startswith(WORKER_THREADS) and thread.name[len(WORKER_THREADS) :].isdigit():
            with suppress(OSError):  # it has just ended
                text = (TASKS / str(thread.native_id) / "stat").read_text()
                fields = text.rpartition(")")[2].split()
                seconds = (int(fields[11]) + int(fields[12])) / tick
                yield thread.name[len(WORKER_THREADS) :], seconds
