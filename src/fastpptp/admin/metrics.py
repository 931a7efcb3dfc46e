"""What a monitoring system reads: OpenMetrics, made from the headend's own counters at each scrape.

A family is declared once, in FAMILIES: /metrics and docs/metrics.md follow (`make docs`). Nothing
is counted twice, so nothing here can disagree with `fastpptp statistics`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import ClassVar, TypeAlias

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from fastpptp import __version__
from fastpptp.addresses.pools import PoolUsage
from fastpptp.admin.workers import worker_seconds
from fastpptp.manager.statistics import SETUP_BUCKETS, SetupTimes, Statistics
from fastpptp.server.runtime import Headend

PREFIX = "fastpptp"

# A value for each combination of the labels' values; one label's may be a plain text.
Samples: TypeAlias = Iterable[tuple[str | tuple[str, ...], float]]

# What the values of a label are.
LABELS: Mapping[str, str] = MappingProxyType(
    {
        "cause": "its code (docs/events.md)",
        "class": "the event's class, such as PPTP",
        "encryption": "as `fastpptp sessions` shows it, none without",
        "method": "the authentication protocol, none before a login",
        "number": "the event's number in its class",
        "pool": "the range, first-last",
        "reason": "why, as `fastpptp statistics` names it (docs/drops.md)",
        "sink": "as `fastpptp events sinks` names it",
        "version": "of the software",
        "worker": "its number, from 1, as `fastpptp session` and SEP Card Assignment have it",
    }
)


@dataclass(frozen=True, slots=True)
class Scrape:
    """What one scrape reads from."""

    headend: Headend
    statistics: Statistics
    payload: Mapping[str, int]
    pools: list[PoolUsage]


@dataclass(frozen=True, slots=True)
class Family(ABC):
    """A family: its name without PREFIX, what is said of it, its labels, the unit it ends with."""

    name: str
    help: str
    labels: tuple[str, ...] = field(default=(), kw_only=True)
    unit: str = field(default="", kw_only=True)
    kind: ClassVar[str]

    @property
    def full_name(self) -> str:
        return f"{PREFIX}_{self.name}" if self.name else PREFIX

    @property
    @abstractmethod
    def sample(self) -> str:
        """What a query calls it."""

    @abstractmethod
    def metric(self, scrape: Scrape) -> Metric:
        """The family as it is now."""


@dataclass(frozen=True, slots=True)
class _Sampled(Family):
    read: Callable[[Scrape], Samples]
    made_by: ClassVar[type[CounterMetricFamily] | type[GaugeMetricFamily]]

    def metric(self, scrape: Scrape) -> Metric:
        found = self.made_by(self.full_name, self.help, labels=self.labels, unit=self.unit)
        for labels, value in self.read(scrape):
            found.add_metric((labels,) if isinstance(labels, str) else labels, value)
        return found


@dataclass(frozen=True, slots=True)
class Counter(_Sampled):
    """It only rises, from 0 at the start."""

    kind: ClassVar[str] = "counter"
    made_by = CounterMetricFamily

    @property
    def sample(self) -> str:
        return f"{self.full_name}_total"


@dataclass(frozen=True, slots=True)
class Gauge(_Sampled):
    """What is now."""

    kind: ClassVar[str] = "gauge"
    made_by = GaugeMetricFamily

    @property
    def sample(self) -> str:
        return self.full_name


@dataclass(frozen=True, slots=True)
class Histogram(Family):
    """How many were at most so large. `bounds` are the buckets' upper ends."""

    read: Callable[[Scrape], SetupTimes]
    bounds: tuple[float, ...]
    kind: ClassVar[str] = "histogram"

    @property
    def sample(self) -> str:
        return f"{self.full_name}_bucket"

    def metric(self, scrape: Scrape) -> Metric:
        times, total, buckets = self.read(scrape), 0, []
        for bound, count in zip((*map(str, self.bounds), "+Inf"), times.counts, strict=True):
            total += count
            buckets.append((bound, total))
        return HistogramMetricFamily(
            self.full_name, self.help, buckets=buckets, sum_value=times.seconds, unit=self.unit
        )


@dataclass(frozen=True, slots=True)
class Info(Family):
    """A sample of 1 whose labels tell something."""

    read: Callable[[Scrape], dict[str, str]]
    kind: ClassVar[str] = "info"

    @property
    def sample(self) -> str:
        return f"{self.full_name}_info"

    def metric(self, scrape: Scrape) -> Metric:
        return InfoMetricFamily(self.full_name, self.help, self.read(scrape))


def _counted(field: str) -> Callable[[Scrape], Samples]:
    """A field of Statistics."""
    return lambda scrape: [((), getattr(scrape.statistics, field))]


def _by_cause(field: str) -> Callable[[Scrape], Samples]:
    """A field of Statistics that has a number for each cause."""
    return lambda scrape: getattr(scrape.statistics, field).items()


def _payload(name: str) -> Callable[[Scrape], Samples]:
    return lambda scrape: [((), scrape.payload[f"payload_{name}"])]


def _protected(scrape: Scrape) -> Samples:
    return [
        ((method.value if method else "none", str(encryption or "none")), sessions)
        for (method, encryption), sessions in scrape.headend.manager.protections().items()
    ]


def _events(scrape: Scrape) -> Samples:
    repeats = scrape.headend.events.repeats
    return [((cls, str(number)), count) for (cls, number), count in repeats.items()]


def _suppressed(scrape: Scrape) -> Samples:
    counts = scrape.headend.events.suppressed
    return [((cls, str(number)), count) for (cls, number), count in counts.items()]


def _sinks(field: str) -> Callable[[Scrape], Samples]:
    return lambda scrape: [
        ((sink.name,), getattr(sink, field)) for sink in scrape.headend.recorder.sinks()
    ]


FAMILIES: tuple[Family, ...] = (
    Info("", "This headend", lambda scrape: {"version": __version__}, labels=("version",)),
    Counter("tunnels", "Control connections that were established", _counted("total_tunnels")),
    Counter("tunnels_refused", "Control connections that were refused",
            _by_cause("tunnels_refused"), labels=("cause",)),
    Counter("tunnels_ended", "Control connections that were let in and ended",
            _by_cause("tunnels_ended"), labels=("cause",)),
    Gauge("tunnels_active", "Control connections that are established", _counted("active_tunnels")),
    Gauge("tunnels_peak", "The most that were established at one time", _counted("peak_tunnels")),
    Gauge("tunnels_half_open", "TCP connections that are not established yet",
          _counted("half_open")),
    Counter("sessions", "Sessions that were started", _counted("total_sessions")),
    Counter("sessions_refused", "Calls that were refused", _by_cause("sessions_refused"),
            labels=("cause",)),
    Gauge("sessions_active", "Sessions now", _counted("active_sessions")),
    Gauge("sessions_peak", "The most at one time", _counted("peak_sessions")),
    Gauge("handshakes", "Sessions that are being negotiated", _counted("handshakes")),
    Gauge("sessions_by", "Sessions now, by how they are protected", _protected,
          labels=("method", "encryption")),
    Counter("sessions_ended", "Sessions that ended", _by_cause("ended"), labels=("cause",)),
    Counter("logins_failed", "Logins that failed", _by_cause("logins_failed"), labels=("cause",)),
    Histogram("session_setup_seconds", "From the call to the first address",
              lambda scrape: scrape.statistics.setup, SETUP_BUCKETS, unit="seconds"),
    Counter("control_received_octets", "Octets of control messages received",
            _counted("control_received_octets"), unit="octets"),
    Counter("control_received_packets", "Control messages received",
            _counted("control_received_packets")),
    Counter("control_received_discards", "Control messages that were malformed or out of place",
            _counted("control_received_discards")),
    Counter("control_sent_octets", "Octets of control messages sent",
            _counted("control_sent_octets"), unit="octets"),
    Counter("control_sent_packets", "Control messages sent", _counted("control_sent_packets")),
    Counter("payload_received_octets", "Octets of data received", _payload("received_octets"),
            unit="octets"),
    Counter("payload_received_packets", "Packets of data received", _payload("received_packets")),
    Counter("payload_received_discards", "Packets of data received that were dropped",
            _payload("received_discards")),
    Counter("payload_sent_octets", "Octets of data sent", _payload("sent_octets"), unit="octets"),
    Counter("payload_sent_packets", "Packets of data sent", _payload("sent_packets")),
    Counter("payload_sent_discards", "Packets of data to clients that were dropped",
            _payload("sent_discards")),
    Counter("mppe_resets_received", "CCP Reset-Requests of MPPE received",
            _payload("received_resets")),
    Counter("mppe_resets_sent", "CCP Reset-Requests of MPPE sent", _payload("sent_resets")),
    Counter("drops", "Packets that the dataplane dropped",
            lambda scrape: scrape.headend.drops().items(), labels=("reason",)),
    Counter("events", "Events (RPT)", _events, labels=("class", "number")),
    Counter("events_suppressed", "Events that were not told: too many at a time", _suppressed,
            labels=("class", "number")),
    Counter("sink_delivered", "Events that reached the event log, a file, a server",
            _sinks("delivered"), labels=("sink",)),
    Counter("sink_lost", "Events that never will", _sinks("lost"), labels=("sink",)),
    Gauge("sink_waiting", "Events that are still to go there", _sinks("waiting"),
          labels=("sink",)),
    Gauge("pool_size", "Addresses of a pool",
          lambda scrape: [(str(usage.pool), usage.size) for usage in scrape.pools],
          labels=("pool",)),
    Gauge("pool_used", "Addresses that are out",
          lambda scrape: [(str(usage.pool), usage.in_use) for usage in scrape.pools],
          labels=("pool",)),
    Counter("worker_cpu_seconds", "CPU time of a worker",
            lambda scrape: worker_seconds().items(), labels=("worker",), unit="seconds"),
)  # fmt: skip


class HeadendCollector(Collector):
    """Yields the families of one headend. It must be asked on the headend's event loop."""

    def __init__(self, headend: Headend) -> None:
        self._headend = headend

    def collect(self) -> Iterator[Metric]:
        headend = self._headend
        scrape = Scrape(headend, headend.statistics(), headend.payload(), headend.pools())
        for family in FAMILIES:
            yield family.metric(scrape)
