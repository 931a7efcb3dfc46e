"""The faults of the field, each made with real firewalls, links and peers, at one headend at once.

Each client is a host of its own with an ailment of its own; one is well. The headend must tell
each fault once, of the peer that has it, and nothing else.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from fastpptp.admin.client import AdminClient
from tests.headend import INNER, Headend
from tests.hosts import Host, Hosts

pytestmark = pytest.mark.netns

SERVER = "198.51.100.1"
WAIT = 60.0

CONFIGURATION = """
[base_group]
pptp_authentication_protocols = ["MSCHAPv2"]
pptp_encryption = ["128-bit"]
simultaneous_logins = 65535
idle_timeout = 0

[users.alice]
password = "secret12"

[[pools]]
first = "172.16.1.10"
last = "172.16.1.250"

[pptp]
limit_transmit_to_window = true
acknowledgement_timeout = 1

[system]
server_address = "172.16.1.1"
no_gre_warning = 3
"""

# Another key than the login gives, in both directions.
WRONG_KEY = """
from fastpptp.cli import main
from fastpptp.ppp.encryption import Encryption
derive = Encryption._derive
def wrong(self, keys):
    return {
        bits: tuple(bytes(octet ^ 0x55 for octet in key) for key in pair)
        for bits, pair in derive(self, keys).items()
    }
Encryption._derive = wrong
main()
"""

OUT = "add table ip ailment; add chain ip ailment out { type filter hook output priority 0; }; "
IN = "add table ip ailment; add chain ip ailment in { type filter hook input priority 0; }; "
NO_ACKNOWLEDGEMENTS = (
    # Enhanced GRE without S is an acknowledgement alone; and nothing is to answer, on which an
    # acknowledgement could ride.
    OUT + "add rule ip ailment out ip protocol 47 @th,3,1 0 drop; "
    "add chain ip ailment in { type filter hook input priority 0; }; "
    'add rule ip ailment in iifname "pptp0" drop'
)


@dataclass(frozen=True)
class Ailment:
    """What is wrong with a client, and the event that must tell it."""

    name: str
    event: str = ""
    words: str = ""
    rules: str = ""  # its firewall
    mtu: int = 1500  # of its end of the link: larger packets vanish there
    program: str = "from fastpptp.cli import main; main()"
    options: tuple[str, ...] = ()


AILMENTS = (
    Ailment("well", options=("--exec", f"ping -q -i 0.1 -w 600 {INNER}")),
    Ailment(
        "spoiled", "PPTP/114", "Packets with a wrong IP checksum came",
        OUT + "add rule ip ailment out ip protocol 47 @nh,80,16 set 0x1234",
    ),
    Ailment(
        "deaf", "PPTP/130", "LCP Configure-Requests came, and no answer to ours",
        IN + "add rule ip ailment in ip protocol 47 drop",
    ),
    Ailment("narrow", "PPP/130", "system set --mru 12", mtu=1300),
    Ailment(
        "keyless", "PPP/131", "none of its packets could be decrypted", program=WRONG_KEY,
        options=("--exec", f"ping -q -i 0.05 -w 600 {INNER}"),
    ),
    Ailment("clear", "PPP/132", "the peer rejects MPPE", options=("--mppe", "none")),
    Ailment("throttled", "PPTP/131", "acknowledges nothing", NO_ACKNOWLEDGEMENTS),
)  # fmt: skip


class Ward:
    """A headend and its clients."""

    def __init__(self, hosts: Hosts, headend: Headend) -> None:
        self.headend = headend
        self._admin = AdminClient(headend.state / "admin.sock")
        self._hosts = hosts
        self._addresses: dict[str, str] = {}

    def address(self, ailment: Ailment) -> str:
        return self._addresses[ailment.name]

    def admit(self, ailment: Ailment) -> None:
        """A client with this ailment dials."""
        client = self._hosts.add(ailment.name)
        number = 4 * len(self._addresses)
        gateway, address = f"192.0.2.{number + 1}", f"192.0.2.{number + 2}"
        _, device = self._hosts.join(self.headend.host, f"{gateway}/30", client, f"{address}/30")
        client.link(device, "mtu", str(ailment.mtu))
        client.route(f"{SERVER}/32", "via", gateway)
        if ailment.rules:
            client.run("nft", ailment.rules)
        client.start(
            sys.executable, "-c", ailment.program, "dial", SERVER, "--user", "alice", "--password",
            "secret12", "--tun", "pptp0", *ailment.options,
        )  # fmt: skip
        self._addresses[ailment.name] = address

    def told(self) -> dict[str, list[str]]:
        """Warnings by the client's address, as CLASS/number and text."""
        found: dict[str, list[str]] = {address: [] for address in self._addresses.values()}
        for event in self._admin.events(per_page=1000)["events"]:
            if event["severity"] <= 3 and event["client"] in found:
                found[event["client"]].append(f"{event['class']}/{event['number']} {event['text']}")
        return found

    def assigned(self, ailment: Ailment) -> str | None:
        rows = self._admin.sessions()
        return next((r["address"] for r in rows if r["peer"] == self.address(ailment)), None)


def burden(server: Host, address: str) -> None:
    """Packets for a client, more than its window takes."""
    server.start("ping", "-q", "-i", "0.02", "-w", "600", address)


@pytest.fixture(scope="module")
def told(
    module_hosts: Hosts, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, list[str]]]:
    """What the headend has told of each ailment, once there is something of each."""
    server = module_hosts.add("server")
    server.address("lo", f"{SERVER}/32")
    with Headend(server, tmp_path_factory.mktemp("ward") / "state", SERVER) as headend:
        headend.import_configuration(CONFIGURATION)
        ward = Ward(module_hosts, headend)
        for ailment in reversed(AILMENTS):
            ward.admit(ailment)
        throttled = AILMENTS[-1]
        headend.wait(lambda: ward.assigned(throttled), "did not let the throttled client in", WAIT)
        burden(server, str(ward.assigned(throttled)))
        ill = [ward.address(ailment) for ailment in AILMENTS if ailment.event]
        end = time.monotonic() + WAIT
        while not all(ward.told()[address] for address in ill) and time.monotonic() < end:
            time.sleep(0.5)
        found = ward.told()
        yield {ailment.name: found[ward.address(ailment)] for ailment in AILMENTS}


@pytest.mark.parametrize("ailment", AILMENTS, ids=lambda ailment: ailment.name)
def test_the_fault_is_told_once_and_nothing_else(
    told: dict[str, list[str]], ailment: Ailment
) -> None:
    if not ailment.event:
        assert told[ailment.name] == []
        return
    (text,) = told[ailment.name]
    assert text.startswith(f"{ailment.event} ")
    assert ailment.words in text


def test_the_hosts_checksum_errors_are_those_of_the_call(told: dict[str, list[str]]) -> None:
    (text,) = told["spoiled"]
    count = int(text.rpartition("meanwhile: ")[2])
    assert 0 < count < 50
