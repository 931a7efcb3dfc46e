"""The recorder as the headend has it: a process, its death, and its replacement."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from fastpptp.events.catalogue import occur
from fastpptp.events.flood import Budget, Flood, Tier
from fastpptp.events.log import EventPage, EventQuery
from fastpptp.events.routing import EventPolicy
from fastpptp.server import recording as module
from fastpptp.server.eventsink import EventSink
from fastpptp.server.recording import Recording

NO_BOUND = Tier(Budget(1e9, 1e9), Budget(1e9, 1e9))


class Recorded:
    """A Recording and the sink before it."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        later = asyncio.get_running_loop().call_later
        self.sink = EventSink(EventPolicy(), recording, later, flood=Flood(NO_BOUND, NO_BOUND))

    def happen(self, count: int) -> None:
        for number in range(count):
            self.sink.record(occur("PPP", 8, user=f"u{number}", method="PAP"))

    async def page(self, query: EventQuery | None = None) -> EventPage:
        return await self.recording.query(query or EventQuery(per_page=10_000), lambda page: page)

    async def told(self, number: int) -> str:
        """The words of SYSTEM/number, once it is told."""
        async with asyncio.timeout(10):
            while True:
                page = await self.page(EventQuery(classes=frozenset({"SYSTEM"})))
                for record in page.records:
                    if record.number == number:
                        return record.text()
                await asyncio.sleep(0.02)

    def kill(self) -> None:
        pid = self.recording._child.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)


@asynccontextmanager
async def attached(recording: Recording) -> AsyncIterator[Recorded]:
    made = Recorded(recording)
    recording.start(made.sink.record, made.sink.go_on_above)
    try:
        yield made
    finally:
        recording.stop()


def run(folder: Path, test: Callable[[Recorded], Awaitable[None]]) -> None:
    with Recording(folder / "events.db", folder / "log", EventPolicy()) as recording:

        async def whole() -> None:
            async with attached(recording) as made:
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
        assert said.endswith("at most 0 are lost")
        page = await made.page(EventQuery(classes=frozenset({"PPP"}), per_page=10_000))
        assert [record.sequence for record in page.records] == list(range(1, 301))

    run(tmp_path, test)


def test_one_that_takes_nothing_costs_events_and_no_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BACKLOG", 500)

    async def test(made: Recorded) -> None:
        pid = made.recording._child.pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        loop = asyncio.get_running_loop()
        began, happened = loop.time(), 0
        while not made.recording._lost:
            made.happen(100)
            happened += 100
            await asyncio.sleep(0)
            assert happened < 100_000
        assert loop.time() - began < 10
        made.happen(100)
        os.kill(pid, signal.SIGCONT)
        said = await made.told(132)
        lost = int(said.split()[0])
        assert 100 <= lost <= 200
        page = await made.page(EventQuery())  # what is told of the losses takes places as well
        assert page.total >= min(happened + 100 - lost, EventPolicy().capacity)

    run(tmp_path, test)


def test_a_log_that_was_not_closed_is_told_of(tmp_path: Path) -> None:
    async def first(made: Recorded) -> None:
        made.happen(3)
        await made.recording.flush()
        made.kill()
        made.recording.stop()

    async def second(made: Recorded) -> None:
        said = await made.told(130)
        assert "happened within a second after event 3 (" in said

    run(tmp_path, first)
    run(tmp_path, second)


def test_a_smaller_log_holds_at_once(tmp_path: Path) -> None:
    async def test(made: Recorded) -> None:
        made.happen(30)
        made.sink.update(EventPolicy(capacity=10))
        made.happen(1)
        assert (await made.page()).total == 10

    run(tmp_path, test)
