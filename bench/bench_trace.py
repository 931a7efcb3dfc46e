"""What it costs the others that one of 64 busy sessions is looked at.

A worker carries both directions of all sessions by itself and is charged the CPU time of its
thread, as in bench_workers. On the other core the control plane reads what was copied, as the
headend does: for a decode at severity 13 some packets a second, for a trace every packet, outside
and inside, written as pcapng. One session is looked at, or nothing is, in turn.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

from bench.bench_workers import Farm
from bench.rows import Row, paired, ratio_of
from fastpptp.manager.packets import EACH
from fastpptp.ports import DATA_SNAP, Trace, TraceRecord
from fastpptp.server.tracer import INTERVAL, ROUND
from fastpptp.trace.capture import Capture, TraceOrder

SECTION = "One of 64 busy sessions looked at, 1,400 B, one worker"
TARGET = 0.95
HANDLE = 1 << 16 | 1
MODES = {"none": "no encryption", "stateless": "MPPE-128 stateless"}
NOTHING = "nothing looked at"
DECODED = EACH, DATA_SNAP


class Reader:
    """What the headend does with records, as often."""

    def __init__(self, farm: Farm) -> None:
        self._dataplane = farm.dataplane
        self._capture: Capture | None = None
        self._due = 0.0
        self.records = 0
        farm.meanwhile = self.read

    def begin(self, kinds: Trace, snap: int, rate: int) -> None:
        if kinds:
            order = TraceOrder("session 1", "a bench", inner=True, snap=snap)
            self._capture = Capture(order, time.time_ns())
            self._capture.take_up(HANDLE, (0, 0))
        self._dataplane.trace(HANDLE, kinds, snap, rate)

    def read(self) -> None:
        """If it is time to."""
        if time.monotonic() >= self._due:
            self._due = time.monotonic() + INTERVAL
            self.drain()

    def drain(self) -> None:
        for fields in self._dataplane.read_trace(ROUND):
            record = TraceRecord(*fields)
            self.records += record.kind != Trace.ENDED
            if self._capture is not None:
                self._capture.add(record)
        if self._capture is not None:
            self._capture.flush(time.time_ns())


def candidate(
    farm: Farm, reader: Reader, kinds: Trace, snap: int, rate: int
) -> Callable[[], float]:
    def speed() -> float:
        reader.begin(kinds, snap, rate)
        found = farm.speed()
        reader.begin(Trace(0), snap, rate)
        farm.dataplane.poll_once()
        reader.drain()
        return found

    return speed


def run(quick: bool = False) -> Iterator[Row]:
    for mode, title in MODES.items():
        with ExitStack() as stack:
            farm = Farm(stack, 1, mode)
            reader = Reader(farm)
            rate, snap = DECODED
            candidates = {
                NOTHING: candidate(farm, reader, Trace(0), snap, 0),
                "decoded at severity 13": candidate(farm, reader, Trace.INNER, snap, rate),
                "traced, outside and inside": candidate(
                    farm, reader, Trace.OUTER | Trace.INNER, 2048, 0
                ),
            }
            paired(candidates, 1)
            samples = paired(candidates, 5 if quick else 41)
            if not reader.records:
                raise RuntimeError("nothing was copied")
        yield from rows_of(title, samples)


def rows_of(title: str, samples: dict[str, list[float]]) -> Iterator[Row]:
    for name, speeds in samples.items():
        speeds = [speed / 1e3 for speed in speeds]
        row = Row(SECTION, f"{title}, {name}", statistics.median(speeds), "kpps", samples=speeds)
        if name != NOTHING:
            row.baseline, row.ratio = NOTHING, ratio_of(samples[name], samples[NOTHING])
            row.against(f">= {TARGET}x", row.ratio >= TARGET)
        yield row
