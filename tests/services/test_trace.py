"""`fastpptp trace` of a live headend, read by the real tshark."""

from __future__ import annotations

import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import hosts as test_hosts
from tests.cannot import cannot
from tests.headend import INNER, Headend
from tests.hosts import Host

pytestmark = pytest.mark.netns

SERVER, CLIENT = "192.0.2.1", "192.0.2.2"
PINGS = 4
MPPE = "0x00fd"


@dataclass
class Site:
    headend: Headend
    client: Host

    def dial(self, user: str, password: str, *words: str) -> subprocess.Popen[str]:
        return self.client.start(
            sys.executable, "-m", "fastpptp", "dial", SERVER, "--user", user,
            "--password", password, *words,
        )  # fmt: skip

    def trace(self, path: Path, *words: str) -> subprocess.Popen[str]:
        """A trace that has begun."""
        process = self.headend.host.start(
            *self.headend.command("trace", *words, "--pcap", str(path))
        )
        self.headend.wait(path.exists, "began no trace")
        return process


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A headend for all tests here: most of their time is its start."""
    if reason := test_hosts.missing():
        cannot(reason)
    if shutil.which("tshark") is None:
        cannot("tshark is not here: ci/packages test")
    with test_hosts.Hosts() as hosts:
        server, client = hosts.add("server"), hosts.add("client")
        hosts.join(server, f"{SERVER}/24", client, f"{CLIENT}/24")
        with Headend(server, tmp_path_factory.mktemp("headend"), SERVER) as headend:
            headend.configure(["MSCHAPv2", "PAP"], ["128-bit"])
            yield Site(headend, client)


def until_up(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    assert any("The tunnel is up" in line for line in iter(process.stdout.readline, ""))


def ended(process: subprocess.Popen[str]) -> str:
    """End a trace as Ctrl-C does; what it said."""
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=20)
    assert process.returncode == 0, said
    return said


FIELDS = (
    "frame.interface_name", "frame.protocols", "ip.src", "ip.dst", "icmp.type", "icmp.seq",
    "pptp.control_message_type", "pptp.call_id", "tcp.dstport", "tcp.analysis.flags",
    "gre.key.call_id", "ppp.protocol", "pap.password", "ip.checksum.status", "tcp.checksum.status",
)  # fmt: skip
Chosen = dict[str, str]


def dissected(path: Path) -> list[Chosen]:
    """FIELDS of each packet. Where a packet has a field twice, the outermost is first."""
    words = [word for name in FIELDS for word in ("-e", name)]
    checks = ("-o", "ip.check_checksum:TRUE", "-o", "tcp.check_checksum:TRUE")
    done = subprocess.run(
        ["tshark", "-n", "-r", str(path), *checks, "-T", "fields", *words],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    lines = done.stdout.splitlines()
    return [dict(zip(FIELDS, line.split("\t"), strict=True)) for line in lines]


def of(packets: list[Chosen], protocol: str, *values: tuple[str, str]) -> list[Chosen]:
    """Those with a protocol in them, and with these values of fields."""
    return [
        packet
        for packet in packets
        if protocol in packet["frame.protocols"].split(":")
        and all(packet[name] == value for name, value in values)
    ]


def sane(packets: list[Chosen]) -> bool:
    """Whether no checksum is wrong, no TCP segment missing, nothing malformed."""
    return not any(
        "0" in one["ip.checksum.status"].split(",")
        or "0" in one["tcp.checksum.status"].split(",")
        or one["tcp.analysis.flags"]
        or "_ws.malformed" in one["frame.protocols"]
        for one in packets
    )


def comment(path: Path) -> str:
    done = subprocess.run(
        ["capinfos", "-k", str(path)], capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout


def test_a_client_from_its_first_message_to_its_last(site: Site, tmp_path: Path) -> None:
    """By its public address, in clear: tshark sees PPTP, GRE, LCP, PAP, IPCP and the pings."""
    path = tmp_path / "alice.pcapng"
    trace = site.trace(path, "--address", CLIENT, "--inner")
    ping = f"ping -n -c {PINGS} -i 0.05 -W 2 -s 300 {INNER}"
    words = ("--mppe", "none", "--methods", "PAP", "--exec", ping)
    assert site.dial("alice", "secret12", *words).wait(30) == 0
    site.headend.wait_for_sessions(0)
    time.sleep(0.2)
    said = ended(trace)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "CONFIDENTIAL: packets of address 192.0.2.2" in said
    assert ", 0 lost" in said
    assert "Passwords may be in this file." in comment(path)

    packets = dissected(path)
    messages = of(packets, "pptp")
    kinds = [message["pptp.control_message_type"] for message in messages]
    assert kinds[:4] == ["1", "2", "7", "8"]
    assert (messages[0]["ip.src"], messages[0]["tcp.dstport"]) == (CLIENT, "1723")
    assert sane(packets)
    # The password is there to be read, as the file says.
    assert next(one["pap.password"] for one in of(packets, "pap")) == "secret12"
    for protocol in ("lcp", "ipcp"):
        assert len(of(packets, protocol)) >= 4
    for kind, source in (("8", CLIENT), ("0", SERVER)):
        there = [
            one
            for one in of(packets, "gre", ("icmp.type", kind))
            if "icmp" in one["frame.protocols"]
        ]
        assert [one["ip.src"].split(",")[0] for one in there] == [source] * PINGS
        inside = [one for one in packets if one["frame.interface_name"] == "inner"]
        numbers = [one["icmp.seq"] for one in of(inside, "icmp", ("icmp.type", kind))]
        assert numbers == [str(k) for k in range(1, PINGS + 1)]
    (reply,) = of(packets, "pptp", ("pptp.control_message_type", "8"))
    from_client = [one for one in of(packets, "gre") if one["ip.src"].startswith(CLIENT)]
    assert {int(one["gre.key.call_id"]) for one in from_client} == {int(reply["pptp.call_id"])}


def test_one_of_two_encrypted_sessions(site: Site, tmp_path: Path) -> None:
    """Of one session alone: outside sealed, inside in clear; it ends with the session."""
    dials = [
        site.dial("alice", "secret12", "--tun", "a0"),
        site.dial("bob", "secret34", "--tun", "b0"),
    ]
    for dial in dials:
        until_up(dial)
    (alice,) = (row for row in site.headend.sessions() if row["user"] == "alice")
    path = tmp_path / "alice.pcapng"
    trace = site.trace(path, "--session", str(alice["id"]), "--inner")
    for device in ("b0", "a0"):
        ping = ("ping", "-n", "-c", str(PINGS), "-i", "0.05", "-s", "333", "-I", device, INNER)
        site.client.run(*ping)
    for dial in dials[::-1]:
        dial.send_signal(signal.SIGINT)
        assert dial.wait(20) == 0
    said, _ = trace.communicate(timeout=20)
    assert trace.returncode == 0, said
    assert ", 0 lost" in said

    packets = dissected(path)
    inner = [one for one in packets if one["frame.interface_name"] == "inner"]
    there, back = (alice["address"], INNER), (INNER, alice["address"])
    assert [(one["ip.src"], one["ip.dst"]) for one in inner] == [there, back] * PINGS
    assert len(of(inner, "icmp")) == 2 * PINGS
    outer = [one for one in packets if one["frame.interface_name"] == "outer"]
    assert len(inner) + len(outer) == len(packets)
    ends = {(one["ip.src"], one["ip.dst"]) for one in outer}
    assert ends == {(CLIENT, SERVER), (SERVER, CLIENT)}
    # Two Call-IDs, one each way, of the same call: nothing of bob's.
    carried = of(outer, "gre")
    assert len({(one["ip.src"], one["gre.key.call_id"]) for one in carried}) == 2
    for source in (CLIENT, SERVER):
        assert len(of(carried, "gre", ("ip.src", source), ("ppp.protocol", MPPE))) == PINGS
    assert not of(outer, "icmp")
    assert of(packets, "lcp") or of(packets, "pptp")
    assert sane(packets)


def test_data_packets_of_a_debugged_user_are_in_the_event_log(site: Site) -> None:
    """Decrypted, with their headers in words and octets, and nothing of what is in them."""
    site.headend.cli("debug", "--user", "alice", "--severity", "13", "--minutes", "5")
    ping = f"ping -n -c {PINGS} -i 0.05 -W 2 -s 300 -p c0ffee {INNER}"
    assert site.dial("alice", "secret12", "--exec", ping).wait(30) == 0
    site.headend.cli("debug", "--off")
    events = site.headend.json("events", "--class", "PPPDECODE", "--severity", "13")
    texts = [event["text"] for event in events if "data [" in event["text"]]
    for direction, ends in (("rcvd", f"-> {INNER}"), ("sent", f"ICMP {INNER} ->")):
        pings = [text for text in texts if f"{direction} data [" in text and ends in text]
        assert len(pings) == PINGS, texts
        assert all(", 328 octets]\n0000  45 00 01 48 " in text for text in pings)
    assert "c0 ff ee" not in "".join(texts)
