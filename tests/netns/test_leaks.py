"""However clients go, nothing of them stays: a headend after many is what it was after some."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.headend import Headend
from tests.hosts import Host, Hosts
from tests.load import Holdings, Load, Watch, configuration

SERVER = "192.0.2.1"
# One address for each ending: wrong passwords hold off further logins from theirs.
SOURCES = ("192.0.2.11", "192.0.2.12", "192.0.2.13", "192.0.2.14")
ENDINGS = "clean,killed,half-open,refused"

# What a client may add to caches that are bounded: the last generation of its Call-ID, the pages
# of tables that Call-IDs point into. A session that stays is ten times as much. The slack is what
# the garbage collector leaves lying until its next full round.
OCTETS_A_CYCLE = 1 << 10
SLACK = 2 << 20

pytestmark = [pytest.mark.netns, pytest.mark.slow]


def client_host(hosts: Hosts, server: Host) -> Host:
    """A host with SOURCES, on a link to the server's."""
    client = hosts.add("client")
    _, device = hosts.join(server, f"{SERVER}/24", client, f"{SOURCES[0]}/24")
    for source in SOURCES[1:]:
        client.address(device, f"{source}/24")
    return client


def cycle(client: Host, log: Path, count: int) -> None:
    """`count` clients come and go; each must have come as far as it should."""
    words = [word for source in SOURCES for word in ("--source", source)]
    words += ["--sessions", str(count), "--in-flight", "8", "--cycle", ENDINGS]
    with Load(client, log, SERVER, *words) as load:
        done = load.wait_for("cycled", 30 + count)
    refused = count // len(ENDINGS.split(","))
    assert sum(done["failed"].values()) == refused, done["failed"]
    assert done["dropped"] == {}


def test_nothing_stays_of_clients_that_went(hosts: Hosts, tmp_path: Path, soak: bool) -> None:
    first, then = (100, 900) if soak else (20, 80)
    server = hosts.add("server")
    client = client_host(hosts, server)
    with Headend(server, tmp_path, SERVER) as headend:
        headend.import_configuration(configuration())
        watch = Watch(headend)
        cycle(client, tmp_path / "first.log", first)
        before = watch.quiet()
        cycle(client, tmp_path / "then.log", then)
        after = watch.quiet()
        sessions = headend.json("statistics")["total_sessions"]
    assert sessions >= (first + then) // 2
    assert_same(before, after, then)


def assert_same(before: Holdings, after: Holdings, cycles: int) -> None:
    assert after.named == before.named
    assert after.descriptors == before.descriptors
    assert after.octets - before.octets <= SLACK + cycles * OCTETS_A_CYCLE
