"""The recorder as the headend has it: a process, its death, and its replacement."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from fastpptp.events.catalogue import occur
from fastpptp.events.flood import Budget, Flood, Tier
from fastpptp.events.log import EventPage, EventQuery
from fastpptp.events.routing import (
    Destination,
    EventPolicy,
    Severities,
    SyslogServer,
    Transport,
)
from fastpptp.recorder.sinks import SinkStatus
from fastpptp.server import pulse
from fastpptp.server import recording as module
from fastpptp.server.eventsink import EventSink
from fastpptp.server.recording import Recording

TO_SYSLOG = {Destination.LOG: Severities(1, 6), Destination.SYSLOG: Severities(1, 6)}
DEAD = "syslog server dead"
NO_BOUND = Tier(Budget(1e9, 1e9), Budget(1e9, 1e9))


class Recorded:
    """A Recording and the sink before it."""

    def __init__(self, recording: Recording, policy: EventPolicy) -> None:
        self.recording = recording
        later = asyncio.get_running_loop().call_later
        self.sink = EventSink(policy, recording, later, flood=Flood(NO_BOUND, NO_BOUND))

    def happen(self, count: int) -> None:
        for number in range(count):
            self.sink.record(occur("PPP", 8, user=f"u{number}", method="PAP"))

    async def page(self, query: EventQuery | None = None) -> EventPage:
        return await self.recording.query(query or EventQuery(per_page=10_000), lambda page: page)

    async def told(self, number: int, part: str = "") -> str:
        """The words of SYSTEM/number, once it is told with this in it."""
        async with asyncio.timeout(20):
            while True:
                page = await self.page(EventQuery(classes=frozenset({"SYSTEM"})))
                for record in page.records:
                    if record.number == number and part in record.text():
                        return record.text()
                await asyncio.sleep(0.02)

    @property
    def count(self) -> int:
        """How many events there were."""
        return self.sink._numbering.sequence

    def status(self, name: str) -> SinkStatus:
        for sink in self.recording.sinks():
            if sink.name == name:
                return sink
        return SinkStatus(name, 0, 0, 0, "unknown")

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not condition():
                await asyncio.sleep(0.01)

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        pid = self.recording._child.pid
        assert pid is not None
        os.kill(pid, number)


@asynccontextmanager
async def attached(recording: Recording, policy: EventPolicy) -> AsyncIterator[Recorded]:
    made = Recorded(recording, policy)
    recording.start(made.sink.record, made.sink.go_on_above)
    try:
        yield made
    finally:
        recording.stop()


def run(
    folder: Path,
    test: Callable[[Recorded], Awaitable[None]],
    policy: EventPolicy = EventPolicy(),  # noqa: B008 frozen
) -> None:
    with Recording(folder / "events.db", folder / "log", policy) as recording:
        run_on(recording, test, policy)


def run_on(
    recording: Recording,
    test: Callable[[Recorded], Awaitable[None]],
    policy: EventPolicy = EventPolicy(),  # noqa: B008 frozen
) -> None:
    async def whole() -> None:
        async with attached(recording, policy) as made:
            await test(made)

    asyncio.run(whole())


def test_all_that_happened_is_there_and_the_numbers_go_on(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    async def first(made: Recorded) -> None:
        made.happen(300)
        made.sink.record(occur("SYSTEM", 123, problem="x"))
        page = await made.page()
        assert [record.sequence for record in page.records] == list(range(1, 302))
        assert page.records[0].text() == "User [u0]\nAuthenticated successfully with PAP"
        await made.recording.flush()
        assert (tmp_path / "log").read_text().count("PPP/8") == 300
        names = [status.name for status in made.recording.sinks()]
        assert names in ([], ["event log", f"log file {tmp_path / 'log'}", "console"])
        made.happen(50)  # the end has what was never waited for

    async def second(made: Recorded) -> None:
        assert made.recording.last_sequence == 351
        made.happen(1)
        page = await made.page()
        assert [record.sequence for record in page.records] == list(range(1, 353))
        await made.recording.clear()
        assert (await made.page()).records == ()

    run(tmp_path, first)
    run(tmp_path, second)
    assert capfd.readouterr().err.endswith("SEV=1 SYSTEM/123 RPT=1\nInternal error: x\n")


def test_a_recorder_that_was_killed_is_replaced_and_no_event_is_lost(tmp_path: Path) -> None:
    async def test(made: Recorded) -> None:
        made.happen(100)
        await made.recording.flush()
        made.happen(100)
        await asyncio.sleep(0)  # sent, but hardly committed
        made.kill()
        made.happen(100)
        said = await made.told(131)
        assert said.startswith("The recorder ended (SIGKILL) and was started again: ")
        assert said.endswith(", which lacks at most 0")
        page = await made.page(EventQuery(classes=frozenset({"PPP"}), per_page=10_000))
        assert [record.sequence for record in page.records] == list(range(1, 301))

    run(tmp_path, test)


def test_one_that_takes_nothing_costs_events_and_no_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BACKLOG", 500)

    async def test(made: Recorded) -> None:
        made.kill(signal.SIGSTOP)
        loop = asyncio.get_running_loop()
        began, happened = loop.time(), 0
        while not made.recording._lost:
            made.happen(100)
            happened += 100
            await asyncio.sleep(0)
            assert happened < 100_000
        assert loop.time() - began < 10
        made.happen(100)
        made.kill(signal.SIGCONT)
        said = await made.told(132)
        lost = int(said.split()[0])
        assert 100 <= lost <= 210  # events of the recorder itself are among them
        page = await made.page(EventQuery())  # what is told of the losses takes places as well
        assert page.total >= min(happened + 100 - lost, EventPolicy().capacity)

    run(tmp_path, test)


@pytest.fixture
def dead() -> Iterator[EventPolicy]:
    """All goes to a syslog server, too, whose port nobody listens on."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
        server = SyslogServer("dead", "127.0.0.1", port, transport=Transport.TCP)
        yield EventPolicy(TO_SYSLOG, sinks=(server,))


def test_what_waits_for_a_sink_when_the_recorder_dies_is_counted_and_told(
    tmp_path: Path, dead: EventPolicy
) -> None:
    """All counters only rise, and all events are accounted for."""

    async def test(made: Recorded) -> None:
        made.happen(22)
        await made.told(134, DEAD)
        await made.until(lambda: made.status(DEAD).waiting == made.count == 23)
        await made.until(lambda: made.status("event log").delivered == 23)
        made.kill(signal.SIGSTOP)
        made.happen(10)
        await asyncio.sleep(0)  # sent, and never read
        made.kill()
        assert await made.told(137, DEAD) == (
            f"33 events that waited for the {DEAD} when it was closed are lost: "
            "the recorder ended (SIGKILL)"
        )
        assert made.status(DEAD).lost == 33
        await made.until(lambda: made.status(DEAD).waiting == made.count - 33)
        await made.until(lambda: made.status("event log") == ("event log", made.count, 0, 0, ""))

    run(tmp_path, test, dead)


def test_a_recorder_that_hangs_is_seen_and_replaced(
    tmp_path: Path, dead: EventPolicy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the headend cannot send waits or is lost, and counts; nothing is forgotten later."""
    monkeypatch.setattr(module, "BACKLOG", 500)
    monkeypatch.setattr(module, "SILENCE", 2.0)
    monkeypatch.setattr(pulse, "LOOK", 0.1)

    async def test(made: Recorded) -> None:
        made.happen(22)
        await made.told(134, DEAD)
        await made.until(lambda: made.status(DEAD).waiting == made.count == 23)
        await made.until(lambda: made.status("event log").delivered == 23)
        made.kill(signal.SIGSTOP)
        while not made.recording._lost:
            made.happen(100)
            await asyncio.sleep(0)
        lost, waiting = made.recording._lost, made.recording._waiting
        for name in ("event log", DEAD):
            assert made.status(name).lost == lost
            assert made.status(name).waiting >= waiting
        await made.until(lambda: made.status("event log").error == "the recorder does not answer")
        assert (await made.page()).total == 23  # at once
        said = await made.told(131)
        assert said.startswith("The recorder ended (killed, for it did not answer for 2 s) and was")
        assert said.endswith(", which lacks at most 0")
        assert (await made.told(132)).startswith(f"{lost} events were lost")
        log = ("event log", lost, 0, "")
        await made.until(lambda: made.status("event log")[:1] + made.status("event log")[2:] == log)
        assert made.status("event log").delivered == made.count - lost
        server = made.status(DEAD)
        assert server.lost + server.waiting == made.count

    run(tmp_path, test, dead)


def test_a_sink_that_comes_back_goes_on_with_its_counters(
    tmp_path: Path, dead: EventPolicy
) -> None:
    async def test(made: Recorded) -> None:
        made.happen(5)
        await made.told(134, DEAD)
        await made.until(lambda: made.status(DEAD).waiting == 6)
        made.sink.update(EventPolicy(TO_SYSLOG))
        assert (await made.told(137, DEAD)).startswith("6 events ")
        await made.until(lambda: made.status(DEAD).error == "unknown")
        made.sink.update(dead)
        await made.until(lambda: made.status(DEAD) == (DEAD, 0, 6, 0, ""))

    run(tmp_path, test, dead)


def test_what_one_that_died_leaves_at_the_end_another_one_writes(tmp_path: Path) -> None:
    async def first(made: Recorded) -> None:
        made.happen(10)
        made.kill()
        made.happen(10)  # and nothing more: the headend ends

    async def second(made: Recorded) -> None:
        page = await made.page(EventQuery(classes=frozenset({"PPP"})))
        assert [record.sequence for record in page.records] == list(range(1, 21))
        said = await made.told(131)
        assert said.startswith("The recorder ended (SIGKILL) and was started again: ")
        assert said.endswith(", which lacks at most 0")

    run(tmp_path, first)
    run(tmp_path, second)


def test_a_log_that_was_not_closed_is_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def first(made: Recorded) -> None:
        made.happen(3)
        await made.recording.flush()
        made.kill()

    async def second(made: Recorded) -> None:
        said = await made.told(130)
        assert "happened within a second after event 3 (" in said

    with (
        monkeypatch.context() as patch,
        Recording(tmp_path / "events.db", None, EventPolicy()) as recording,
    ):
        patch.setattr(sys, "executable", "/nowhere/python")  # no other writes what is left
        run_on(recording, first)
    run(tmp_path, second)


def test_a_smaller_log_holds_at_once(tmp_path: Path) -> None:
    async def test(made: Recorded) -> None:
        made.happen(30)
        made.sink.update(EventPolicy(capacity=10))
        made.happen(1)
        assert (await made.page()).total == 10

    run(tmp_path, test)
