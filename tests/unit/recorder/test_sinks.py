"""The thread of a sink: order, bounds, tries again, and what is said of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from fastpptp.events.log import EventRecord
from fastpptp.recorder import sinks
from fastpptp.recorder.delivery import PartlyDeliveredError
from fastpptp.recorder.files import FileSink, LogFile
from fastpptp.recorder.sinks import EMPTIED, SinkStatus, SinkThread
from tests.unit.recorder.support import told


class Gate:
    """A sink that takes records only while it is open, and fails when it is told to."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.open.set()
        self.failure: Exception | None = None
        self.got: list[int] = []
        self.tries = 0
        self.closed = False

    def deliver(self, records: Sequence[EventRecord]) -> None:
        self.tries += 1
        self.open.wait()
        if self.failure is not None:
            if isinstance(self.failure, PartlyDeliveredError):
                self.got += [record.sequence for record in records[: self.failure.done]]
            raise self.failure
        self.got += [record.sequence for record in records]

    def close(self) -> None:
        self.closed = True


@contextmanager
def running(gate: Gate, limit: int = 10) -> Iterator[SinkThread]:
    thread = SinkThread("gate", lambda: gate, limit=limit)
    try:
        yield thread
    finally:
        gate.open.set()
        thread.stop()
        assert thread.join(5)
        assert gate.closed or not gate.tries


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.001)


def done(thread: SinkThread) -> None:
    """Until its orders come through."""
    through = threading.Event()
    thread.order(through.set)
    assert through.wait(5)


def numbered(first: int, last: int) -> list[EventRecord]:
    return [told(number) for number in range(first, last + 1)]


def test_in_order_and_all_at_the_end() -> None:
    gate = Gate()
    with running(gate) as thread:
        thread.put(numbered(1, 4))
        done(thread)
        assert thread.status == SinkStatus("gate", 4, 0, 0, "")
        thread.put(numbered(5, 9))
    assert gate.got == list(range(1, 10))


def test_one_that_is_slow_loses_what_does_not_fit() -> None:
    gate = Gate()
    gate.open.clear()
    with running(gate, limit=5) as thread:
        began = time.monotonic()
        for number in range(1, 21):
            thread.put(numbered(number, number))
        assert time.monotonic() - began < 1
        assert thread.status[1:] == (0, 15, 5, "")
        assert thread.news(0.0) == [
            ("SYSTEM", 134,
             {"sink": "gate", "count": "15", "problem": "it takes them too slowly"})
        ]  # fmt: skip
        thread.put(numbered(21, 21))
        assert thread.news(59.0) == []
        ((_, _, fields),) = thread.news(60.0)
        assert fields["count"] == "1"
        gate.open.set()
        done(thread)
        assert thread.status[1:] == (5, 16, 0, "")
    assert gate.got == [1, 2, 3, 4, 5]


def test_one_that_fails_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sinks, "RETRY", 0.01)
    gate = Gate()
    gate.failure = OSError(111, "Connection refused")
    with running(gate) as thread:
        thread.put(numbered(1, 3))
        until(lambda: gate.tries > 2)
        done(thread)  # who waits for a flush does not wait for this
        assert thread.status == SinkStatus("gate", 0, 0, 3, "Connection refused")
        ((_, number, fields),) = thread.news(100.0)
        assert (number, fields["problem"], fields["count"]) == (134, "Connection refused", "0")
        assert thread.news(170.0) == []
        thread.put(numbered(4, 13))
        gate.failure = None
        until(lambda: not thread.status.waiting)
        ((_, number, fields),) = thread.news(171.0)
        assert (number, fields["seconds"], fields["count"]) == (135, "71", "3")
        assert thread.news(300.0) == []
    assert gate.got == list(range(1, 11))


def test_what_waits_is_forgotten_when_it_is_emptied() -> None:
    gate = Gate()
    gate.failure = OSError(28, "No space left on device")
    with running(gate) as thread:
        thread.put(numbered(1, 3))
        until(lambda: thread.status.error != "")
        gate.open.clear()
        thread.order(lambda: None)
        thread.order(lambda: EMPTIED)
        thread.put(numbered(4, 4))
        thread.order(lambda: None)
        gate.failure = None
        gate.open.set()
        until(lambda: not thread.status.waiting)
        assert thread.status == SinkStatus("gate", 1, 0, 0, "")
    assert gate.got == [4]


def test_what_was_handed_on_is_not_handed_on_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sinks, "RETRY", 0.01)
    gate = Gate()
    gate.failure = PartlyDeliveredError(2, "broken pipe")
    with running(gate) as thread:
        thread.put(numbered(1, 4))
        until(lambda: thread.status.error == "broken pipe")
        gate.failure = None
        until(lambda: not thread.status.waiting)
    assert gate.got[:4] == [1, 2, 3, 4]


def test_what_never_can_be_handed_on_is_lost_and_holds_up_nothing() -> None:
    gate = Gate()
    gate.failure = PartlyDeliveredError(1, "550 no such person", lost=2)
    with running(gate) as thread:
        thread.put(numbered(1, 3))
        until(lambda: not thread.status.waiting)
        assert thread.status == SinkStatus("gate", 1, 2, 0, "550 no such person")
        ((_, number, fields),) = thread.news(100.0)
        assert (number, fields["problem"], fields["count"]) == (134, "550 no such person", "2")
        gate.failure = None
        thread.put(numbered(4, 4))
        until(lambda: thread.status.delivered == 2)
    assert gate.got == [1, 4]


def test_a_fault_of_ours_loses_what_it_met_and_no_more() -> None:
    gate = Gate()
    gate.failure = ValueError("a fault")
    with running(gate) as thread:
        thread.put(numbered(1, 2))
        until(lambda: thread.status.lost == 2)
        assert thread.status.error == "ValueError('a fault')"
        gate.failure = None
        thread.put(numbered(3, 3))
    assert gate.got == [3]


def test_a_dead_one_does_not_hold_up_the_end() -> None:
    gate = Gate()
    gate.failure = OSError(113, "No route to host")
    thread = SinkThread("gate", lambda: gate)
    thread.put(numbered(1, 3))
    until(lambda: thread.status.error != "")
    thread.stop()
    assert thread.join(5)
    assert thread.status[1:4] == (0, 3, 0)


def test_the_log_file_is_made_anew_when_it_was_moved(tmp_path: Path) -> None:
    path = tmp_path / "log"
    sink = FileSink(LogFile(path))
    sink.deliver([told(1)])
    path.rename(tmp_path / "old")
    sink.deliver([told(2), told(3)])
    sink.close()
    assert (tmp_path / "old").read_text().startswith("1 ")
    lines = path.read_text().splitlines()
    assert [line.split()[0] for line in lines[::2]] == ["2", "3"]
    assert lines[1::2] == ["something happened"] * 2
