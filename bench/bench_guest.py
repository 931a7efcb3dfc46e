"""The Linux kernel's own PPTP and MPPE, where there is a kernel that has them: the lab's guest.

A guest of User Mode Linux (tests/interop/lab) dials our headend on the host with pppd and the
kernel's PPTP channel, and poptop in a second guest. How far a guest is from a machine is measured
with it: its bare link, and what a system call costs there. Without the lab there are no rows.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench.bench_throughput import DIRECTIONS
from bench.rows import Row, ratio_of
from bench.tunnel import ENCRYPTION
from tests import hosts as test_hosts
from tests.headend import INNER, Headend
from tests.interop import guest as lab

SECTION = "The Linux kernel's PPTP and MPPE, in a guest of User Mode Linux"
SERVER, POPTOP, POPTOP_INNER = "192.0.2.1", "192.0.2.21", "10.50.0.1"
GUESTS = {"client": ("tap1", "192.0.2.11/24"), "poptop": ("tap2", f"{POPTOP}/24")}
BARE, POPTOP_CALL = "the guest's bare link", "kernel client, poptop in another guest"
PPPD = {"no encryption": "noccp", "MPPE-128 stateless": "require-mppe-128"}
CIPHER = "MPPE-128 stateless"
MS = "refuse-pap refuse-chap refuse-mschap require-mschap-v2 require-mppe-128"
COUNT = 20_000
SYSTEM_CALLS = f"""import os, time
start = time.perf_counter()
for _ in range({COUNT}):
    os.getppid()
print(1e9 * (time.perf_counter() - start) / {COUNT})
"""

Samples = dict[tuple[str, str], list[float]]


class Lab:
    """A bridge, our headend on it, a guest that calls, and one that is called."""

    def __init__(self, stack: ExitStack) -> None:
        hosts = stack.enter_context(test_hosts.Hosts())
        self.folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        self.bridge = hosts.add("vpn")
        test_hosts.ip("-n", self.bridge.name, "link", "add", "br0", "type", "bridge")
        self.bridge.address("br0", f"{SERVER}/24")
        for tap, _ in GUESTS.values():
            test_hosts.ip("-n", self.bridge.name, "tuntap", "add", "dev", tap, "mode", "tap")
            self.bridge.link(tap, "master", "br0")
            self.bridge.link(tap, "up")
        self.client, self.poptop = (
            stack.enter_context(lab.Guest(self.bridge, tap, cidr, self.folder, name))
            for name, (tap, cidr) in GUESTS.items()
        )
        (self.folder / "state").mkdir()
        self.headend = stack.enter_context(Headend(self.bridge, self.folder / "state", SERVER))
        self.bridge.start("iperf3", "-s", log=self.folder / "iperf3.log")
        self.poptop.check("iperf3 -s -D")
        self.poptop.check(f"start_pptpd {POPTOP} '{MS}'")

    @contextmanager
    def call(self, server: str, options: str, password: str) -> Iterator[None]:
        """The client's kernel has a call with `server`."""
        status, said = self.client.run(f"kpptp_up {server} '{options}' alice {password}", 40)
        if status:
            raise RuntimeError(f"no call: {said}{self.client.run('tail -20 /tmp/client.log')[1]}")
        try:
            yield
        finally:
            self.client.run("pptp_down", 20)

    def measure(self, address: str, what: str, seconds: int, samples: Samples) -> None:
        """Mbit/s received, each way."""
        for direction, words in DIRECTIONS.items():
            command = f"iperf3 -c {address} -t {seconds} -J {' '.join(words)}"
            found = json.loads(self.client.check(command, 20 + seconds))["end"]["sum_received"]
            samples[what, direction].append(float(found["bits_per_second"]) / 1e6)


def one_round(place: Lab, seconds: int, samples: Samples) -> None:
    place.measure(SERVER, BARE, seconds, samples)
    for encryption, options in PPPD.items():
        place.headend.configure(["MSCHAPv2"], ENCRYPTION[encryption][0])
        with place.call(SERVER, options, "secret12"):
            place.measure(INNER, ours(encryption), seconds, samples)
        place.headend.wait_for_sessions(0)
    with place.call(POPTOP, PPPD[CIPHER], "secret"):
        place.measure(POPTOP_INNER, POPTOP_CALL, seconds, samples)


def ours(encryption: str) -> str:
    return f"kernel client, our headend, {encryption}"


def rows(samples: Samples) -> Iterator[Row]:
    bases = {
        ours("no encryption"): BARE,
        ours(CIPHER): ours("no encryption"),
        POPTOP_CALL: ours(CIPHER),
    }
    for (what, direction), found in samples.items():
        row = Row(SECTION, f"{what}, {direction}", statistics.median(found), "Mbit/s")
        row.samples = found
        if what in bases:
            row.ratio = ratio_of(found, samples[bases[what], direction])
            row.baseline = bases[what]
        yield row


def system_calls(place: Lab, runs: int) -> Row:
    """What one costs in the guest, and how many of the host's that is."""
    (place.folder / "calls.py").write_text(SYSTEM_CALLS)
    there, here = [], []
    for _ in range(runs):
        there.append(float(place.client.check("python3 /lab/run/calls.py")))
        script = str(place.folder / "calls.py")
        here.append(float(place.bridge.run(sys.executable, script).stdout))
    row = Row(SECTION, "getppid() in Python, in the guest", statistics.median(there), "ns")
    row.samples, row.less_is_better = there, True
    row.baseline, row.ratio = "the host's", ratio_of(there, here)
    return row


def run(quick: bool = False) -> Iterator[Row]:
    reason = test_hosts.missing() or lab.missing()
    if reason:
        print(f"   no rows: {reason}")
        return
    samples: Samples = defaultdict(list)
    with ExitStack() as stack:
        place = Lab(stack)
        yield system_calls(place, 1 if quick else 5)
        for _ in range(1 if quick else 5):
            one_round(place, 1 if quick else 2, samples)
    yield from rows(samples)
