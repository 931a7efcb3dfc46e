"""End to end: iperf3 through our own dial and headend, one on each core, over a veth link.

The link between two network namespaces is the only thing between them. For each way out (`outer`)
three things carry the same transfers in turn: the relay, which is both dataplanes with a call
opened by hand and no control plane; a tunnel without encryption; one with MPPE-128 stateless. The
bare link says what the machine can carry at all (its packets are of 64 KiB there and cross no
user space).
"""

from __future__ import annotations

import json
import statistics
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

from bench.rows import Row, ratio_of
from bench.tunnel import RELAYED, SERVER, Link, link, relay
from fastpptp.bootstrap import OUTER_BACKENDS
from fastpptp.errors import UnavailableError
from tests.headend import INNER
from tests.hosts import Host, Hosts

SECTION = "End to end, TCP through one headend and one dial on two cores"
LABELS = {"raw": "raw socket", "packet": "AF_PACKET sending", "xdp": "AF_XDP"}
BARE, RELAY, PLAIN, CIPHER = "bare link", "relay", "no encryption", "MPPE-128 stateless"
DIRECTIONS = {"client to server": (), "server to client": ("-R",)}
CASES = [(flows, direction) for flows in (1, 32) for direction in DIRECTIONS]
TARGETS = {"raw": 2200, "packet": 2500, "xdp": 3000}  # Mbit/s, one flow, CIPHER
PLAIN_TARGET = 0.8  # of the relay
PATIENCE = 10.0  # seconds
AGAINST = {RELAY: BARE, PLAIN: RELAY, CIPHER: RELAY}

Case = tuple[int, str]
Samples = dict[tuple[str, str], dict[Case, list[float]]]


@dataclass(frozen=True)
class Rig:
    """One way out: hosts with a relay between them, and hosts with a headend."""

    outer: str
    relayed: Host
    place: Link


def iperf(client: Host, address: str, case: Case, seconds: int) -> float:
    """Mbit/s received. A server that is not there yet, or not free yet, is asked again."""
    flows, direction = case
    words = ("-c", address, "-t", str(seconds), "-P", str(flows), "-J", *DIRECTIONS[direction])
    end = time.monotonic() + PATIENCE
    while True:
        done = client.run("iperf3", *words, timeout=seconds + 20, check=False)
        said = json.loads(done.stdout)
        if "error" not in said:
            return float(said["end"]["sum_received"]["bits_per_second"]) / 1e6
        if time.monotonic() > end:
            raise RuntimeError(f"iperf3 to {address}: {said['error']}")
        time.sleep(0.2)


def rig(stack: ExitStack, hosts: Hosts, outer: str) -> Rig:
    server, relayed = stack.enter_context(relay(hosts, outer))
    place = stack.enter_context(link(hosts, outer))
    for host in (server, place.server):
        host.start("iperf3", "-s", log=place.folder / "iperf3.log")
    return Rig(outer, relayed, place)


def rigs_that_come_up(stack: ExitStack, hosts: Hosts, outers: list[str]) -> Iterator[Rig]:
    """Not every machine has every way out."""
    for outer in outers:
        try:
            yield rig(stack, hosts, outer)
        except UnavailableError as error:
            print(f"   {outer}: {error}")


def one_round(rigs: list[Rig], cases: list[Case], seconds: int, samples: Samples) -> None:
    """Every case once by every way, so that drift hits all alike."""

    def measure(outer: str, what: str, client: Host, address: str) -> None:
        for case in cases:
            samples[outer, what][case].append(iperf(client, address, case, seconds))

    measure("", BARE, rigs[0].place.client, SERVER)
    for one in rigs:
        measure(one.outer, RELAY, one.relayed, RELAYED)
        for encryption in (PLAIN, CIPHER):
            with one.place.tunnel(encryption):
                measure(one.outer, encryption, one.place.client, INNER)


def as_row(outer: str, what: str, case: Case, samples: Samples) -> Row:
    flows, direction = case
    found = samples[outer, what][case]
    label = f"{what}, {LABELS.get(outer, outer)}" if outer else what
    name = f"{label}, {flows} flow{'s' if flows > 1 else ''}, {direction}"
    row = Row(SECTION, name, statistics.median(found), "Mbit/s", samples=found)
    if what in AGAINST:
        base = AGAINST[what]
        where = "" if base == BARE else outer
        row.baseline, row.ratio = f"the {base}", ratio_of(found, samples[where, base][case])
    return row


def beside_target(row: Row, outer: str, what: str, flows: int) -> Row:
    if flows > 1:
        return row
    if what == PLAIN and row.ratio is not None:
        return row.against(f">= {PLAIN_TARGET}x", row.ratio >= PLAIN_TARGET)
    if what == CIPHER and outer in TARGETS:
        return row.against(f">= {TARGETS[outer]:,} Mbit/s", row.figure >= TARGETS[outer])
    return row


def run(quick: bool = False) -> Iterator[Row]:
    samples: Samples = defaultdict(lambda: defaultdict(list))
    outers = ["raw"] if quick else [outer for outer in OUTER_BACKENDS if outer != "auto"]
    with Hosts() as hosts, ExitStack() as stack:
        rigs = list(rigs_that_come_up(stack, hosts, outers))
        for _ in range(1 if quick else 5):
            one_round(rigs, CASES[:2] if quick else CASES, 1 if quick else 2, samples)
    for (outer, what), cases in samples.items():
        for case in cases:
            yield beside_target(as_row(outer, what, case, samples), outer, what, case[0])
