"""Monitoring with many sessions: what the snapshot costs the headend, and how fast SNMP is walked.

The baseline is pysnmp as the agent, with values that need not be looked up.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from subprocess import PIPE

from bench.rows import Row, paired, ratio_of
from tests.headend import Headend
from tests.hosts import Host, Hosts
from tests.load import Load, Watch, configuration

SECTION = "Monitoring"
SERVER, SOURCE = "192.0.2.1", "192.0.2.11"
SESSIONS, CALLS, IN_FLIGHT = 15_000, 1000, 100
COMMUNITY = "public"
SNMP = f'\n[snmp]\nenabled = true\nread_community = "{COMMUNITY}"\n'
TABLE = ".1.3.6.1.4.1.3076.2.1.2.3.3"
COLUMN = f"{TABLE}.1.17"
PYSNMP, PYSNMP_PORT = "pysnmp as the agent", 1161
REPETITIONS = 50
ASK_EVERY = 0.002  # seconds
STALL_TARGET = 20  # ms


def walk(host: Host, agent: str, oid: str, *, bulk: bool) -> tuple[int, float]:
    """How many variables there are, and the seconds that it took."""
    tool = ("snmpbulkwalk", f"-Cr{REPETITIONS}") if bulk else ("snmpwalk",)
    words = (*tool, "-m", "", "-v2c", "-c", COMMUNITY, "-r", "5", "-t", "10", "-On", agent, oid)
    began = time.perf_counter()
    said = host.run(*words, timeout=300).stdout
    return said.count(f"{TABLE}."), time.perf_counter() - began


def rate(host: Host, agent: str, *, bulk: bool) -> float:
    """Variables a second of a walk over one column."""
    count, seconds = walk(host, agent, COLUMN, bulk=bulk)
    return count / seconds


def walks(host: Host, count: int, runs: int) -> Iterator[Row]:
    for bulk, name in ((True, f"GetBulk, {REPETITIONS} at a time"), (False, "GetNext")):
        samples = paired(
            {
                agent: partial(rate, host, f"127.0.0.1:{port}", bulk=bulk)
                for agent, port in (("ours", 161), (PYSNMP, PYSNMP_PORT))
            },
            runs,
        )
        ours = samples["ours"]
        row = Row(SECTION, f"SNMP variables a second, {name}", statistics.median(ours), "1/s")
        row.samples, row.baseline, row.ratio = ours, PYSNMP, ratio_of(ours, samples[PYSNMP])
        yield row
    found, seconds = walk(host, "127.0.0.1", TABLE, bulk=True)
    name = f"a walk over the table of {count:,} sessions, {found:,} variables"
    yield Row(SECTION, name, seconds, "s", less_is_better=True)


# In a process of its own: reading a snapshot keeps this one busy.
ASK = """
import json, select, sys, time
from pathlib import Path
from fastpptp.admin.client import AdminClient
admin, found = AdminClient(Path(sys.argv[1])), []
print("ready", flush=True)
while not select.select([sys.stdin], [], [], float(sys.argv[2]))[0]:
    began = time.perf_counter()
    admin.version()
    found.append((time.perf_counter() - began) * 1e3)
print(json.dumps(found))
"""


def waits(headend: Headend, meanwhile: Callable[[], object]) -> list[float]:
    """How long a small question waits, again and again, while something is done. Milliseconds."""
    socket = str(headend.state / "admin.sock")
    command = [sys.executable, "-c", ASK, socket, str(ASK_EVERY)]
    with subprocess.Popen(command, stdin=PIPE, stdout=PIPE, text=True) as asking:
        assert asking.stdin is not None
        assert asking.stdout is not None
        asking.stdout.readline()
        meanwhile()
        asking.stdin.close()
        found: list[float] = json.loads(asking.stdout.read())
    return found


def snapshots(headend: Headend, count: int, runs: int) -> Iterator[Row]:
    """`GET /v1/snapshot`, and what others feel of it."""
    watch, times, used = Watch(headend), list[float](), list[float]()

    def take() -> None:
        for _ in range(runs):
            began, processor = time.perf_counter(), watch.processor_seconds()
            watch.admin.snapshot()
            times.append((time.perf_counter() - began) * 1e3)
            used.append((watch.processor_seconds() - processor) * 1e3)

    took = waits(headend, take)
    idle = waits(headend, lambda: time.sleep(1 + len(took) * ASK_EVERY))
    yield Row(SECTION, f"snapshot of {count:,} sessions", statistics.median(times), "ms",
              samples=times, less_is_better=True,
              note=f"{statistics.mean(used):.0f} ms of processor time in the headend")  # fmt: skip
    worst = Row(SECTION, "longest wait for the event loop meanwhile", max(took), "ms")
    worst.less_is_better = True
    worst.note = f"without it {max(idle):.1f} ms; median {statistics.median(took):.1f} ms"
    yield worst.against(f"<= {STALL_TARGET} ms", worst.figure <= STALL_TARGET)
    listed: list[float] = []

    def take_list() -> None:
        for _ in range(runs):
            began = time.perf_counter()
            watch.admin.sessions()
            listed.append((time.perf_counter() - began) * 1e3)

    took = waits(headend, take_list)
    yield Row(SECTION, f"`fastpptp sessions` of {count:,}, by the API", statistics.median(listed),
              "ms", samples=listed, less_is_better=True,
              note=f"longest wait for the event loop meanwhile {max(took):.0f} ms")  # fmt: skip


def run(quick: bool = False) -> Iterator[Row]:
    count, runs = (500, 1) if quick else (SESSIONS, 5)
    with tempfile.TemporaryDirectory() as name, Hosts() as hosts:
        folder = Path(name)
        server, client = hosts.add("server"), hosts.add("client")
        hosts.join(server, f"{SERVER}/24", client, f"{SOURCE}/24")
        words = ("--source", SOURCE, "--sessions", count, "--calls", CALLS,
                 "--in-flight", IN_FLIGHT)  # fmt: skip
        theirs = server.start(sys.executable, "-m", "bench.pysnmp_agent", log=folder / "pysnmp.log")
        with Headend(server, folder / "state", SERVER) as headend:
            headend.import_configuration(configuration(handshakes=4000) + SNMP)
            with Load(client, folder / "load.log", SERVER, *words) as load:
                load.wait_for("up", 60 + count / 20)
                yield from snapshots(headend, count, runs)
                yield from walks(server, count, runs)
        theirs.terminate()
        theirs.wait(10)
