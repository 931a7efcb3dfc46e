"""What a headend hands on to the next: totals since the installation, ended sessions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from fastpptp.events.routing import EventPolicy
from fastpptp.manager import Statistics
from fastpptp.server.eventsink import MemoryRecorder
from fastpptp.server.past import TOTALS_EVERY, Past, flat, together


def test_totals_by_name() -> None:
    counted = Statistics(
        total_sessions=5, active_sessions=2, peak_sessions=3, ended=Counter({"idle-timeout": 2})
    )
    found = flat(counted, {"payload_sent_octets": 99})
    assert (found["total_sessions"], found["peak_sessions"]) == (5, 3)
    assert (found["ended.idle-timeout"], found["payload_sent_octets"]) == (2, 99)
    assert "active_sessions" not in found


def test_two_runs_together() -> None:
    before = {"total_sessions": 5, "peak_sessions": 4, "ended.idle-timeout": 1}
    now = {"total_sessions": 2, "peak_sessions": 2, "ended.wrong-password": 1}
    assert together(before, now) == {
        "total_sessions": 7,
        "peak_sessions": 4,
        "ended.idle-timeout": 1,
        "ended.wrong-password": 1,
    }
    assert together(before, {"peak_sessions": 6})["peak_sessions"] == 6


class Run:
    """A Past whose time is moved by hand."""

    def __init__(self, recorder: MemoryRecorder) -> None:
        self.now = {"total_sessions": 0, "peak_sessions": 0}
        self.waiting: list[Callable[[], object]] = []
        self.past = Past(recorder, lambda: self.now, lambda departure: {"id": departure},
                         lambda seconds, call: self.waiting.append(call))  # fmt: skip
        self.past.start()

    def turn(self, count: int = TOTALS_EVERY) -> None:
        for _ in range(count):
            due, self.waiting = self.waiting, []
            for call in due:
                call()


def test_a_run_that_is_killed_leaves_what_was_looked_at() -> None:
    recorder = MemoryRecorder(EventPolicy())
    first = Run(recorder)
    first.now |= {"total_sessions": 3, "peak_sessions": 2}
    first.turn()
    first.now |= {"total_sessions": 4}  # nobody looks any more
    second = Run(recorder)
    assert second.past.totals() == {"total_sessions": 3, "peak_sessions": 2}
    second.now |= {"total_sessions": 1, "peak_sessions": 1}
    second.past.stop()
    assert recorder.totals() == {"total_sessions": 4, "peak_sessions": 2}
    second.turn()
    assert second.waiting == []  # it has stopped


class Watched(MemoryRecorder):
    """One that remembers what it was told, and whose totals may be out of sight."""

    def __init__(self, before: dict[str, int] | None) -> None:
        super().__init__(EventPolicy())
        self.before = before
        self.told: list[tuple[dict[str, int], list[str]]] = []

    def totals(self) -> Mapping[str, int] | None:
        return self.before

    def keep(self, totals: Mapping[str, int], ended: Sequence[str]) -> None:
        self.told.append((dict(totals), list(ended)))


def test_all_totals_go_together_when_one_changes_and_at_the_end() -> None:
    recorder = Watched({"total_sessions": 2})
    run = Run(recorder)
    run.turn()
    run.turn()
    run.now |= {"total_sessions": 1}
    run.past.session_ended(7)
    run.turn()
    run.past.stop()
    last = {"total_sessions": 3, "peak_sessions": 0}
    assert recorder.told == [
        ({"total_sessions": 2, "peak_sessions": 0}, []),
        ({}, ['{"id": 7}']),
        (last, []),
        (last, []),
    ]


def test_totals_that_are_out_of_sight_are_not_overwritten() -> None:
    recorder = Watched(None)
    run = Run(recorder)
    run.now |= {"total_sessions": 1}
    run.past.session_ended(7)
    run.turn()
    run.past.stop()
    assert run.past.totals()["total_sessions"] == 1
    assert recorder.told == [({}, ['{"id": 7}'])]
