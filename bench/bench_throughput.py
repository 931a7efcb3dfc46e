"""End to end: iperf3 through our own dial and headend, one on each core, over a veth link.

The link between two network namespaces is the only thing between them. The same transfer over
the bare link says what the machine can carry at all (its packets are of 64 KiB there and cross no
user space), and the tunnel without encryption is the relay: the same path but for the cipher.
"""

from __future__ import annotations

import json
import statistics
import time
from collections import defaultdict
from collections.abc import Iterator

from bench.rows import Row, ratio_of
from bench.tunnel import ENCRYPTION, SERVER, Link, link
from tests.headend import INNER
from tests.hosts import Host

SECTION = "End to end, TCP through one headend and one dial on two cores"
BARE, RELAY = "the bare link", "no encryption"
FLOWS = (1, 32)
DIRECTIONS = {"client to server": (), "server to client": ("-R",)}
CASES = [(flows, direction) for flows in FLOWS for direction in DIRECTIONS]
TARGET = 2200  # Mbit/s, one flow, MPPE-128 stateless
TARGET_OF_RELAY = 0.8

Case = tuple[int, str]
Samples = dict[str, dict[Case, list[float]]]


def iperf(client: Host, address: str, case: Case, seconds: int) -> float:
    """Mbit/s received."""
    flows, direction = case
    done = client.run(
        "iperf3", "-c", address, "-t", str(seconds), "-P", str(flows), "-J",
        *DIRECTIONS[direction], timeout=seconds + 20,
    )  # fmt: skip
    return float(json.loads(done.stdout)["end"]["sum_received"]["bits_per_second"]) / 1e6


def one_round(place: Link, seconds: int, samples: Samples) -> None:
    """Every case once over the bare link and through each tunnel, so that drift hits all alike."""
    for case in CASES:
        samples[BARE][case].append(iperf(place.client, SERVER, case, 1))
    for encryption in ENCRYPTION:
        with place.tunnel(encryption):
            for case in CASES:
                samples[encryption][case].append(iperf(place.client, INNER, case, seconds))


def as_row(what: str, case: Case, samples: Samples) -> Row:
    flows, direction = case
    found = samples[what][case]
    name = f"{what}, {flows} flow{'s' if flows > 1 else ''}, {direction}"
    row = Row(SECTION, name, statistics.median(found), "Mbit/s", samples=found)
    if what != BARE:
        base = BARE if what == RELAY else RELAY
        row.ratio = ratio_of(found, samples[base][case])
        row.baseline = base if base == BARE else f"the relay, {RELAY}"
    if what == "MPPE-128 stateless" and flows == 1:
        row.target = f">= {TARGET:,} Mbit/s and {TARGET_OF_RELAY}x the relay"
        row.met = row.figure >= TARGET and (row.ratio or 0) >= TARGET_OF_RELAY
    return row


def run(quick: bool = False) -> Iterator[Row]:
    samples: Samples = defaultdict(lambda: defaultdict(list))
    with link() as place:
        place.server.start("iperf3", "-s", log=place.folder / "iperf3.log")
        time.sleep(0.5)
        for _ in range(2 if quick else 5):
            one_round(place, 1 if quick else 2, samples)
    for what, found in samples.items():
        for case in found:
            yield as_row(what, case, samples)
