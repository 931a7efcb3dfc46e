"""The event log: pages of a large one, what an event costs, and what a flood of them costs others.

The flood is of 20,000 events a second inside the headend, a third of it a decoded message, with all
severities logged; its rows are set beside the same headend without it, in turn.
"""

from __future__ import annotations

import signal
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from ipaddress import IPv4Address
from itertools import islice
from pathlib import Path

from bench.bench_throughput import iperf
from bench.event_log import START, fill, occurrences, records
from bench.rows import Row, paired, ratio_of
from bench.tunnel import CLIENT, SERVER, link
from fastpptp.events.flood import Budget, Flood, Tier
from fastpptp.events.log import LAST_PAGE, EventQuery
from fastpptp.events.routing import Destination, EventPolicy, Severities
from fastpptp.recorder.log import EventDatabase
from fastpptp.recorder.query import read
from fastpptp.server.eventsink import EventSink, MemoryRecorder
from tests.headend import INNER, Headend
from tests.hosts import Host, Hosts
from tests.load import Load, configuration

SECTION = "The event log"
FLOOD = "A flood of 20,000 events a second"
EVENTS = 1_000_000
PAGE_TARGET = 50  # ms
RATE = 20_000
LOGINS = 100  # a second
SETUP_TARGET, THROUGHPUT_TARGET = 1.2, 0.95
SOURCE = "192.0.2.11"


AUTH, LOGIN = frozenset({"AUTH"}), frozenset({"AUTH", "PPP", "PPTP"})
HOUR = timedelta(hours=1)
QUERIES = {
    "no filter, first page": EventQuery(),
    "no filter, last page": EventQuery(page=LAST_PAGE),
    "a class": EventQuery(classes=AUTH),
    "three classes, page 1,000": EventQuery(classes=LOGIN, page=1000),
    "severities 1 to 5, newest first": EventQuery(severities=frozenset(range(1, 6)),
                                                  newest_first=True),
    "a class that has none of a severity": EventQuery(classes=AUTH, severities=frozenset({11})),
    "a client": EventQuery(client=IPv4Address(0xC6336400 + 5)),
    "a group": EventQuery(group="group07"),
    "a user": EventQuery(user="user00042"),
    "an hour": EventQuery(since=START + HOUR, until=START + 2 * HOUR),
    "a text that is rare": EventQuery(text="user00042]"),
    "a text that is common": EventQuery(text="session started on"),
    "a common text in a class that has it nowhere": EventQuery(text="session started on",
                                                               classes=AUTH),
    "an address as text": EventQuery(text="172.16.12.3"),
    "a text of one character": EventQuery(text="e"),
    "a text of two characters": EventQuery(text="10"),
    "all filters at once": EventQuery(
        classes=LOGIN, severities=frozenset(range(1, 7)), group="group07", user="user00047",
        since=START + HOUR, text="connected", newest_first=True,
    ),
}  # fmt: skip


def pages(path: Path, count: int, runs: int) -> Iterator[Row]:
    """Each filter's page, and the slowest beside the target."""
    slowest = Row(SECTION, f"the slowest page of {count:,} events, {len(QUERIES)} filters", 0, "ms")
    for name, query in QUERIES.items():
        times = [_milliseconds(lambda query=query: read(path, query)) for _ in range(runs)]
        row = Row(SECTION, f"page of {count:,}: {name}", statistics.median(times), "ms")
        row.samples, row.less_is_better = times, True
        if row.figure > slowest.figure:
            slowest.figure, slowest.samples, slowest.note = row.figure, times, name
        yield row
    slowest.less_is_better = True
    yield slowest.against(f"< {PAGE_TARGET} ms", slowest.figure < PAGE_TARGET)


def _milliseconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1e3


def costs(folder: Path, count: int) -> Iterator[Row]:
    """Processor time of an event, in the headend and in the recorder."""
    everywhere = EventPolicy({Destination.LOG: Severities(1, 13)})
    none = Tier(Budget(0, 0), Budget(0, 0))
    every = Tier(Budget(1e9, 1e9), Budget(1e9, 1e9))
    made = list(islice(occurrences(), count))
    for name, tier in (("recorded", every), ("suppressed", none)):
        sink = EventSink(
            everywhere, MemoryRecorder(everywhere), lambda *_: None, flood=Flood(tier, tier)
        )
        began = time.process_time()
        for happened in made:
            sink.record(happened)
        yield _cost(f"an event that is {name}, in the headend", began, count)
    database = EventDatabase(folder / "costs.db", count, patience=0.0)
    told = list(islice(records(count), count))
    began = time.process_time()
    for at in range(0, count, 500):
        database.deliver(told[at : at + 500])
    yield _cost("an event kept and indexed, in the recorder", began, count)
    database.close()


def _cost(name: str, began: float, count: int) -> Row:
    figure = (time.process_time() - began) / count * 1e6
    return Row(SECTION, name, figure, "us", less_is_better=True)


class Flooded(Headend):
    """A headend that can be flooded."""

    def command(self, *words: str) -> list[str]:
        command = super().command(*words)
        if words[0] == "serve":
            command[1:3] = ["-m", "bench.flooded", str(RATE)]
        return command

    @contextmanager
    def flood(self) -> Iterator[None]:
        assert self.process is not None
        self.process.send_signal(signal.SIGUSR1)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGUSR1)


def set_up(server: Host, client: Host, folder: Path, seconds: float, runs: int) -> Row:
    """The 99th percentile of set-up times while sessions come at a fixed rate."""
    with Flooded(server, folder / "logins", SERVER) as headend:
        text = configuration().replace("capacity = 100", 'capacity = 100000\nlog = "1-13"')
        headend.import_configuration(text)

        def calm() -> float:
            words = (
                "--source", SOURCE, "--sessions", 1, "--calls", 1000, "--storm", LOGINS,
                "--clients", round(LOGINS * seconds), "--storm-seconds", seconds, "--hold", 0,
            )  # fmt: skip
            with Load(client, folder / "load.log", SERVER, *words) as load:
                done = load.wait_for("stormed", 60 + seconds)
                load.wait_for("down", 60)
            assert not done["failed"], done["failed"]
            return float(done["late"]) * 1e3

        def flooded() -> float:
            with headend.flood():
                return calm()

        calm()  # what is slow once
        found = paired({"calm": calm, "flooded": flooded}, runs)
    row = Row(FLOOD, f"99th percentile of set-up, {LOGINS} logins/s",
              statistics.median(found["flooded"]), "ms", "without it")  # fmt: skip
    row.samples, row.less_is_better = found["flooded"], True
    row.ratio = ratio_of(found["flooded"], found["calm"])
    return row.against(f"<= {SETUP_TARGET}x", row.ratio <= SETUP_TARGET)


def throughput(hosts: Hosts, seconds: int, runs: int) -> Iterator[Row]:
    """TCP through a tunnel, both ways."""
    with link(hosts, headend=Flooded) as place, place.tunnel("MPPE-128 stateless"):
        headend = place.headend
        assert isinstance(headend, Flooded)
        for severity in ("log", "1-13"), ("capacity", "100000"):
            headend.cli("config", "set", f"events.{severity[0]}", severity[1])
        place.server.start("iperf3", "-s", log=place.folder / "iperf3.log")
        for direction in ("client to server", "server to client"):

            def calm(direction: str = direction) -> float:
                return iperf(place.client, INNER, (1, direction), seconds)

            def flooded(calm: Callable[[], float] = calm) -> float:
                with headend.flood():
                    return calm()

            found = paired({"calm": calm, "flooded": flooded}, runs)
            row = Row(FLOOD, f"MPPE-128 stateless, 1 flow, {direction}",
                      statistics.median(found["flooded"]), "Mbit/s", "without it")  # fmt: skip
            row.samples = found["flooded"]
            row.ratio = ratio_of(found["flooded"], found["calm"])
            yield row.against(f">= {THROUGHPUT_TARGET}x", row.ratio >= THROUGHPUT_TARGET)


def run(quick: bool) -> Iterator[Row]:
    """All rows; `quick` with a smaller log and shorter runs, which says nothing about targets."""
    for row in _measured(quick):
        yield replace(row, target="", met=None) if quick else row


def _measured(quick: bool) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        count = 20_000 if quick else EVENTS
        fill(folder / "events.db", count)
        yield from pages(folder / "events.db", count, 3 if quick else 7)
        yield from costs(folder, 10_000 if quick else 50_000)
        with Hosts() as hosts:
            server, client = hosts.add("server"), hosts.add("client")
            _, device = hosts.join(server, f"{SERVER}/24", client, f"{CLIENT}/24")
            client.address(device, f"{SOURCE}/24")
            yield set_up(server, client, folder, 2 if quick else 20, 1 if quick else 5)
        with Hosts() as hosts:
            yield from throughput(hosts, 1 if quick else 10, 1 if quick else 9)
