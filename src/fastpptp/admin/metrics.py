"""What a monitoring system reads: OpenMetrics, made from the headend's own counters at each scrape.

Nothing is counted twice, so nothing here can disagree with `fastpptp statistics`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from fastpptp import __version__
from fastpptp.admin.workers import worker_seconds
from fastpptp.manager.accounting import SETUP_BUCKETS, SetupTimes, Statistics
from fastpptp.server.runtime import Headend

# Names of Statistics' fields, and what is said of them.
COUNTERS = {
    "total_tunnels": ("tunnels", "Control connections that were established"),
    "total_sessions": ("sessions", "Sessions that were started"),
    "refused_tunnels": ("tunnels_refused", "Control connections that were refused"),
    "refused_sessions": ("sessions_refused", "Calls that were refused"),
    "control_received_octets": ("control_received_octets", "Octets of control messages received"),
    "control_sent_octets": ("control_sent_octets", "Octets of control messages sent"),
    "control_received_packets": ("control_received_packets", "Control messages received"),
    "control_sent_packets": ("control_sent_packets", "Control messages sent"),
    "control_received_discards": (
        "control_received_discards",
        "Control messages that were malformed or out of place",
    ),
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
        yield from self._payload()
        yield _labelled(
            "drops", "Packets that the dataplane dropped", "reason", self._headend.drops().items()
        )
        yield from self._events()
        yield from self._pools()
        yield _labelled(
            "worker_cpu_seconds", "CPU time of a worker", "worker", worker_seconds().items()
        )

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

    def _payload(self) -> Iterator[Metric]:
        for name, value in self._headend.payload().items():
            _, direction, unit = name.split("_")
            words = f"{unit.capitalize()} of data {direction}"
            yield CounterMetricFamily(f"fastpptp_{name}", words, value=value)

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
