"""The recorder as a process among real faults: a full disk, a dead log file, death under load."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path

import pytest

from fastpptp.errors import UnavailableError
from fastpptp.events.catalogue import occur
from fastpptp.events.flood import Budget, Flood, Tier
from fastpptp.events.log import EventPage, EventQuery
from fastpptp.events.routing import EventPolicy
from fastpptp.recorder.past import read_ended, read_totals
from fastpptp.server import pulse
from fastpptp.server import recording as module
from fastpptp.server.eventsink import EventSink
from fastpptp.server.recording import Recording
from tests.cannot import cannot

CAPACITY = 100_000
LINE = json.dumps({"id": 1, "user": "alice", "text": "x" * 200})
NO_BOUND = Tier(Budget(1e9, 1e9), Budget(1e9, 1e9))


class Recorded:
    """A Recording at work, and the sink before it."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        later = asyncio.get_running_loop().call_later
        policy = EventPolicy(capacity=CAPACITY)
        self.sink = EventSink(policy, recording, later, flood=Flood(NO_BOUND, NO_BOUND))

    def happen(self, first: int, last: int) -> None:
        for number in range(first, last + 1):
            user = f"user{number}" + "x" * 200
            self.sink.record(occur("PPP", 8, user=user, method="PAP"))

    async def page(self, **query: object) -> EventPage:
        wanted = EventQuery(**{"per_page": CAPACITY, **query})  # type: ignore[arg-type]
        return await self.recording.query(wanted, lambda page: page)

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not condition():
                await asyncio.sleep(0.01)

    def kill(self) -> None:
        pid = self.recording._child.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)

    def status(self, name: str) -> tuple[int, int, int, str]:
        """Delivered, lost, waiting, error of the sink whose name begins so."""
        for sink in self.recording.sinks():
            if sink.name.startswith(name):
                return sink[1:]
        return 0, 0, 0, ""


def run(folder: Path, log_file: Path, test: Callable[[Recorded], Awaitable[None]]) -> None:
    policy = EventPolicy(capacity=CAPACITY)
    with Recording(folder / "events.db", log_file, policy) as recording:

        async def whole() -> None:
            async with attached(recording) as made:
                await test(made)

        asyncio.run(whole())


@asynccontextmanager
async def attached(recording: Recording) -> AsyncIterator[Recorded]:
    made = Recorded(recording)
    recording.start(made.sink.record, made.sink.go_on_above)
    try:
        yield made
    finally:
        recording.stop()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 12 MiB."""
    if os.geteuid() != 0:
        cannot("a small file system needs root")
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def fill(folder: Path) -> Path:
    """A file that takes all the room there is."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))
    return filler


def saved(folder: Path, *filters: str) -> list[int]:
    """The numbers that `fastpptp events save` writes."""
    save = ["events", "save", "-", "--format", "json", *filters]
    command = [sys.executable, "-m", "fastpptp", *save]
    done = subprocess.run(
        [*command, "--state-dir", folder], check=True, stdout=subprocess.PIPE, timeout=60
    )
    return [event["sequence"] for event in json.loads(done.stdout)]


def test_a_full_disk_is_told_and_survived(small_disk: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"

    async def test(made: Recorded) -> None:
        made.happen(1, 500)
        assert (await made.page()).total == 500
        filler = fill(small_disk)
        made.happen(501, 3000)
        await made.until(lambda: "is full" in made.status("event log")[3])
        await made.until(lambda: "SYSTEM/134" in log.read_text())  # the others go on
        assert made.status("log file")[0] >= 3000
        assert (await made.page()).total >= 500
        filler.unlink()
        await made.until(lambda: "SYSTEM/135" in log.read_text())
        await made.until(lambda: made.status("event log")[2] == 0)
        page = await made.page(classes=frozenset({"PPP"}))
        assert [record.sequence for record in page.records[:500]] == list(range(1, 501))
        assert made.status("event log")[1] == 0  # all of it had room to wait
        assert page.total == 3000

    run(small_disk, log, test)
    told = re.search(r"SYSTEM/134.*\n(.*)", log.read_text())
    assert told is not None
    assert told[1] == (
        f"Events do not reach the event log: its disk, mounted at {small_disk}, is full; "
        "0 were lost"
    )
    with closing(sqlite3.connect(small_disk / "events.db")) as raw:
        assert raw.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_start_on_a_full_disk(small_disk: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"

    async def before(made: Recorded) -> None:
        made.happen(1, 100)

    async def test(made: Recorded) -> None:
        assert made.recording.last_sequence == 100
        made.happen(101, 200)
        await made.until(lambda: "SYSTEM/134" in log.read_text())
        filler.unlink()
        await made.until(lambda: "SYSTEM/135" in log.read_text())
        page = await made.page(classes=frozenset({"PPP"}))
        assert [record.sequence for record in page.records] == list(range(1, 201))

    run(small_disk, log, before)
    filler = fill(small_disk)
    run(small_disk, log, test)


def test_the_very_first_start_on_a_full_disk(small_disk: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    filler = fill(small_disk)

    async def test(made: Recorded) -> None:
        assert made.recording.totals() == {}
        made.recording.keep({"total_sessions": 1}, [LINE])
        made.happen(1, 10)
        assert (await made.page()).total == 0
        await made.until(lambda: "SYSTEM/134" in log.read_text())
        filler.unlink()
        await made.until(lambda: "SYSTEM/135" in log.read_text())
        assert (await made.page(classes=frozenset({"PPP"}))).total == 10

    run(small_disk, log, test)
    assert f"the event log: its disk, mounted at {small_disk}, is full; 0" in log.read_text()
    assert not re.search("SYSTEM/12[23]", log.read_text())
    assert read_totals(small_disk / "events.db") == {"total_sessions": 1}


@pytest.mark.parametrize("when", ["by and by", "at the end"])
def test_what_is_kept_beside_events_outlives_a_full_disk(
    small_disk: Path, tmp_path: Path, when: str
) -> None:
    database = small_disk / "events.db"

    def kept() -> tuple[dict[str, int], int]:
        found = read_ended(database, lambda row: True, 1, 100)
        return read_totals(database), found.total

    async def test(made: Recorded) -> None:
        made.recording.keep({"total_sessions": 1, "peak_sessions": 1}, [LINE])
        await made.recording.flush()
        filler = fill(small_disk)
        made.recording.keep({"total_sessions": 3, "peak_sessions": 1}, [LINE] * 40)
        made.recording.keep({"total_sessions": 4, "peak_sessions": 1}, [LINE] * 40)
        await made.recording.flush()
        assert kept() == ({"total_sessions": 1, "peak_sessions": 1}, 1)
        filler.unlink()
        if when == "by and by":
            await made.until(lambda: kept()[1] == 81)

    run(small_disk, tmp_path / "log", test)
    assert kept() == ({"total_sessions": 4, "peak_sessions": 1}, 81)

    async def later(made: Recorded) -> None:
        assert made.recording.totals() == {"total_sessions": 4, "peak_sessions": 1}

    fill(small_disk)
    run(small_disk, tmp_path / "log", later)


@pytest.mark.parametrize("index", ["there", "gone"])
def test_a_start_on_a_full_disk_after_a_death(
    small_disk: Path, tmp_path: Path, index: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was committed lies in the journal alone, and with no index nobody else can read it."""
    log = tmp_path / "log"

    async def before(made: Recorded) -> None:
        made.happen(1, 72)
        await made.recording.flush()
        patch.setattr(sys, "executable", "/nowhere/python")  # no other writes what is left
        made.kill()

    async def test(made: Recorded) -> None:
        assert made.recording.last_sequence == 72
        made.happen(1, 10)
        await made.until(lambda: "SYSTEM/130" in log.read_text())
        assert "happened within a second after event 72 (" in log.read_text()
        await made.until(lambda: "SYSTEM/134" in log.read_text())
        filler.unlink()
        await made.until(lambda: "SYSTEM/135" in log.read_text())
        await made.until(lambda: made.status("event log")[2] == 0)

    with monkeypatch.context() as patch:
        run(small_disk, log, before)
    if index == "gone":
        (small_disk / "events.db-shm").unlink()
    filler = fill(small_disk)
    run(small_disk, log, test)
    found = saved(small_disk)
    assert found == list(range(1, found[-1] + 1))
    assert len(re.findall("SYSTEM/130", log.read_text())) == 1


def test_numbers_rise_though_the_log_was_out_of_sight_at_the_start(tmp_path: Path) -> None:
    log, database, away = tmp_path / "log", tmp_path / "events.db", tmp_path / "away"

    async def before(made: Recorded) -> None:
        made.happen(1, 72)

    async def test(made: Recorded) -> None:
        assert made.recording.last_sequence == 0
        made.happen(1, 10)
        await made.until(lambda: "SYSTEM/134" in log.read_text())
        database.rmdir()
        away.rename(database)
        await made.until(lambda: "SYSTEM/135" in log.read_text())
        made.happen(1, 1)
        await made.recording.flush()
        page = await made.page()
        newest = page.records[-1].sequence
        assert re.search(rf"^{newest} .* PPP/8 ", log.read_text(), re.MULTILINE)

    run(tmp_path, log, before)
    database.rename(away)
    database.mkdir()
    run(tmp_path, log, test)
    found = saved(tmp_path)
    assert found == sorted(set(found))
    assert found[:82] == list(range(1, 83))


def test_sessions_that_ended_outlive_a_recorder(small_disk: Path, tmp_path: Path) -> None:
    """One that dies with what the full disk did not take, and one that has kept all."""
    log, database = tmp_path / "log", small_disk / "events.db"
    lines = [json.dumps({"id": number, "text": "x" * 200}) for number in range(81)]
    log.touch()

    def kept() -> int:
        return read_ended(database, lambda row: True, 1, 100).total

    def deaths() -> int:
        return len(re.findall("SYSTEM/131", log.read_text()))

    async def test(made: Recorded) -> None:
        made.recording.keep({}, lines[:1])
        await made.recording.flush()
        filler = fill(small_disk)
        made.recording.keep({}, lines[1:])
        await made.recording.flush()
        assert kept() == 1
        made.kill()
        await made.until(lambda: deaths() == 1)
        filler.unlink()
        await made.until(lambda: kept() == 81)
        made.kill()
        await made.until(lambda: deaths() == 2)

    run(small_disk, log, test)
    found = read_ended(database, lambda row: True, 1, 100)
    assert [row["id"] for row in found.rows] == list(range(80, -1, -1))


def test_what_waits_for_a_full_disk_is_emptied_with_the_log(
    small_disk: Path, tmp_path: Path
) -> None:
    log = tmp_path / "log"

    async def test(made: Recorded) -> None:
        made.happen(1, 10)
        await made.recording.flush()
        filler = fill(small_disk)
        made.happen(11, 300)
        await made.until(lambda: "is full" in made.status("event log")[3])
        made.happen(301, 310)
        with pytest.raises(UnavailableError, match=r"cannot be emptied: its disk, .* is full"):
            await made.recording.clear()
        await made.until(lambda: made.status("event log")[2] >= 300)
        filler.unlink()
        await made.recording.clear()
        made.happen(400, 400)
        await made.until(lambda: made.status("event log")[2] == 0)

    run(small_disk, log, test)
    assert len(saved(small_disk, "--class", "PPP")) == 1


def test_a_log_that_is_damaged_while_it_is_written_is_put_aside(tmp_path: Path) -> None:
    log, database = tmp_path / "log", tmp_path / "events.db"

    async def test(made: Recorded) -> None:
        made.recording.keep({"total_sessions": 7}, [LINE])
        made.happen(1, 100)
        await made.recording.flush()
        with database.open("r+b") as file:
            file.write(os.urandom(8192))
        os.truncate(f"{database}-wal", 0)
        await made.recording.clear()
        await made.until(lambda: "SYSTEM/136" in log.read_text())
        made.happen(101, 110)
        assert (await made.page(classes=frozenset({"PPP"}))).total == 10
        assert made.recording.totals() == {"total_sessions": 7}

    run(tmp_path, log, test)
    assert len(saved(tmp_path, "--class", "PPP")) == 10
    assert min(saved(tmp_path)) > 100


def test_a_log_file_that_takes_nothing_holds_up_nobody(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)  # nobody reads it, so it cannot be opened for writing

    async def test(made: Recorded) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        made.happen(1, 4000)
        assert (await made.page()).total == 4000
        assert loop.time() - began < 5
        await made.until(lambda: made.status("log file")[2] == 4000)

    began = time.monotonic()
    run(tmp_path, pipe, test)
    assert time.monotonic() - began < 15


def test_a_log_that_waits_long_for_its_disk_is_no_hang(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its thread waits five seconds for who has the database, and the recorder lives on."""
    monkeypatch.setattr(module, "SILENCE", 2.0)
    monkeypatch.setattr(pulse, "LOOK", 0.1)
    log = tmp_path / "log"
    log.touch()

    async def test(made: Recorded) -> None:
        pid = made.recording._child.pid
        with closing(sqlite3.connect(tmp_path / "events.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            made.happen(1, 10)
            await made.until(lambda: "SYSTEM/134" in log.read_text())
            assert made.status("event log")[3] == "database is locked"
        assert made.recording._child.pid == pid
        await made.until(lambda: "SYSTEM/135" in log.read_text())
        assert (await made.page(classes=frozenset({"PPP"}))).total == 10
        assert made.recording._child.pid == pid

    run(tmp_path, log, test)


def test_what_one_that_hangs_has_at_the_end_another_one_writes(tmp_path: Path) -> None:
    """All of the log; what the log file lacks is counted."""
    log = tmp_path / "log"

    async def test(made: Recorded) -> None:
        made.happen(1, 10)
        await made.recording.flush()
        await made.until(lambda: made.status("log file")[0] == 10)
        pid = made.recording._child.pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        made.happen(11, 20)
        await asyncio.sleep(0)  # sent, and never read

    async def later(made: Recorded) -> None:
        records = (await made.page()).records
        assert [record.sequence for record in records] == list(range(1, 23))
        assert [record.text() for record in records[20:]] == [
            "The recorder ended (killed, for it did not end in 6 s) and was started again: "
            "10 events were handed to the event log once more, which lacks at most 0",
            f"10 events that waited for the log file {log} when it was closed are lost: "
            "the recorder ended (killed, for it did not end in 6 s)",
        ]

    run(tmp_path, log, test)
    run(tmp_path, log, later)


def test_death_under_load_loses_nothing_of_the_log(tmp_path: Path) -> None:
    """The log file, which nothing is told twice or once more, lacks at most a moment."""
    log = tmp_path / "log"

    async def test(made: Recorded) -> None:
        for turn in range(60):
            made.happen(50 * turn + 1, 50 * turn + 50)
            if turn in (20, 40):
                made.kill()
            await asyncio.sleep(0.01)
        async with asyncio.timeout(20):
            while (page := await made.page(classes=frozenset({"PPP"}))).total < 3000:
                await asyncio.sleep(0.05)
        sequences = [record.sequence for record in page.records]
        assert sequences == sorted(set(sequences))
        assert page.total == 3000
        await made.recording.flush()

    run(tmp_path, log, test)
    heads = re.findall(r"^(\d+) .* PPP/8 ", log.read_text(), re.MULTILINE)
    assert len(heads) == len(set(heads))
    missing = 3000 - len(heads)
    print(f"{missing} of 3000 are not in the log file")
    assert missing < 1500
    assert len(re.findall("SYSTEM/131", log.read_text())) >= 1


def test_two_readers_follow_while_the_log_is_emptied(tmp_path: Path) -> None:
    command = [
        "env", "--default-signal=INT",  # it may be ignored here
        sys.executable, "-m", "fastpptp", "events", "--follow", "--class", "PPP", "--json",
        "--state-dir", str(tmp_path),
    ]  # fmt: skip
    outputs = [tmp_path / "one", tmp_path / "two"]

    def seen(output: Path) -> list[int]:
        lines = output.read_text().splitlines()
        return [json.loads(line)["sequence"] for line in lines if line.endswith("}")]

    async def test(made: Recorded) -> None:
        made.happen(1, 10)
        await made.recording.flush()
        readers = []
        for output in outputs:
            with output.open("w") as file:
                readers.append(subprocess.Popen(command, stdout=file, stderr=file))
        try:
            await made.until(lambda: all(len(seen(output)) == 10 for output in outputs))
            for first in range(11, 111, 10):
                made.happen(first, first + 9)
                await asyncio.sleep(0.1)
            await made.until(lambda: all(len(seen(output)) == 110 for output in outputs))
            await made.recording.clear()
            made.happen(111, 120)
            await made.until(lambda: all(len(seen(output)) == 120 for output in outputs))
        finally:
            for reader in readers:
                reader.send_signal(signal.SIGINT)
        for reader in readers:
            assert reader.wait(10) == 0
        assert [seen(output) for output in outputs] == [list(range(1, 121))] * 2

    run(tmp_path, tmp_path / "log", test)
