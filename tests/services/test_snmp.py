"""The SNMP agent of a running headend, read and written with net-snmp's own tools.

What they read is held against the command line's own screens, value by value.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fastpptp.admin.client import AdminClient
from fastpptp.bootstrap import Bootstrap
from fastpptp.events.causes import Cause
from fastpptp.snmp.notices import Failure
from fastpptp.store import Store
from tests import hosts as test_hosts
from tests.cannot import cannot
from tests.headend import INNER, Headend
from tests.hosts import Host, Hosts
from tests.load import PASSWORD, USERS, Load

MIBS = Path(__file__).resolve().parents[2] / "docs" / "mibs"
NAMES = ("-M", str(MIBS), "-m", "FASTPPTP-MIB")
PRODUCT = ".1.3.6.1.4.1.3076"
END = "No more variables left"
SERVER, SECOND = "192.0.2.1", "198.51.100.1"
ALICE, BOB = "192.0.2.2", "198.51.100.2"
READ, WRITE = "s3cret-read", "s3cret-write"
USER = ("-v3", "-l", "authPriv", "-u", "operator", "-a", "SHA", "-A", "authentic1", "-x", "AES",
        "-X", "private12")  # fmt: skip
WAIT = 20.0

CONFIGURATION = f"""
[base_group]
pptp_authentication_protocols = ["MSCHAPv2"]
pptp_encryption = ["Required", "128-bit"]
simultaneous_logins = 1000
idle_timeout = 0

[groups.staff]

[users.alice]
password = "{PASSWORD}"

[users.bob]
group = "staff"
password = "{PASSWORD}"

[[pools]]
first = "172.16.1.10"
last = "172.16.1.250"

[system]
server_address = "172.16.1.1"

[snmp]
enabled = true
read_community = "{READ}"
write_community = "{WRITE}"
user = "operator"
authentication_password = "authentic1"
privacy_password = "private12"
""" + "".join(f'\n[users.{user}]\npassword = "{PASSWORD}"\n' for user in USERS)


def missing() -> str:
    reason = test_hosts.missing()
    if not reason and shutil.which("snmpbulkwalk") is None:
        return "net-snmp's tools are missing (Debian: snmp)"
    return reason


class Site:
    """A headend whose agent answers, and alice and bob, who are up."""

    def __init__(self, headend: Headend, alice: Host, bob: Host) -> None:
        self.headend = headend
        self.admin = AdminClient(headend.state / "admin.sock")
        self.clients = {"alice": alice, "bob": bob}

    def tool(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """A tool of net-snmp on the headend's host."""
        return self.headend.host.run(*words, check=check)

    def values(self, *words: str) -> dict[str, str]:
        """What a tool reads: values by names, numbers for the names of values."""
        said = self.tool(words[0], *NAMES, "-OQes", *words[1:]).stdout
        pairs = (line.partition(" = ") for line in said.splitlines() if END not in line)
        return {name: value.strip('"') for name, _, value in pairs}

    def walk(self, oid: str, *more: str) -> dict[str, str]:
        return self.values("snmpbulkwalk", "-v2c", "-c", READ, *more, SERVER_AGENT, oid)

    def get(self, name: str, *who: str) -> str:
        (value,) = self.values(
            "snmpget", *(who or ("-v2c", "-c", READ)), SERVER_AGENT, name
        ).values()
        return value

    def refused(self, *words: str) -> str:
        """What a tool says that fails."""
        done = self.tool(words[0], *NAMES, *words[1:], check=False)
        assert done.returncode != 0, done.stdout
        return done.stdout + done.stderr

    def dial(self, user: str) -> dict[str, Any]:
        """Have a user dial in; its session once it is up."""
        server = SERVER if user == "alice" else SECOND
        mode = ("--stateful",) if user == "bob" else ()
        self.clients[user].start(
            sys.executable, "-m", "fastpptp", "dial", server, "--user", user,
            "--password", PASSWORD, *mode,
        )  # fmt: skip
        self.headend.wait(lambda: self.up(user), f"has no session of {user}")
        return self.up(user)[0]

    def set(self, **values: object) -> None:
        """Change the agent's settings as `fastpptp snmp set` does."""
        place = Bootstrap(state_directory=self.headend.state)
        with Store.open(place.store_url, place.key_path) as store, store.edit() as draft:
            draft.set_section("snmp", values)
        self.admin.reload()

    def up(self, user: str) -> list[dict[str, Any]]:
        return self.admin.sessions(user=user, state="up")

    def event(self, text: str) -> None:
        """Until there is such an event."""
        self.headend.wait(lambda: any(text in line for line in self.events()), f"has no {text!r}")

    def events(self) -> Iterator[str]:
        for event in self.admin.events(per_page=10_000)["events"]:
            yield f"{event['class']}/{event['number']} {event['text']}"


SERVER_AGENT = "127.0.0.1"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One for all tests here, each of which leaves it as it was, but for counters."""
    reason = missing()
    if reason:
        cannot(reason)
    with Hosts() as hosts:
        server, alice, bob = hosts.add("server"), hosts.add("alice"), hosts.add("bob")
        hosts.join(server, f"{SERVER}/24", alice, f"{ALICE}/24")
        hosts.join(server, f"{SECOND}/24", bob, f"{BOB}/24")
        state = tmp_path_factory.mktemp("snmp") / "state"
        with Headend(server, state, SERVER, SECOND) as headend:
            headend.import_configuration(CONFIGURATION)
            made = Site(headend, alice, bob)
            made.dial("alice")
            made.dial("bob")
            alice.run("ping", "-q", "-c", "5", "-i", "0.05", "-s", "700", INNER)
            bob.run("ping", "-q", "-c", "2", "-i", "0.05", INNER)
            yield made


# Column of the MIB, and field of `fastpptp statistics pptp --json`.
STATISTICS = {
    "UserName": "user", "LocalWindowSize": "local_window", "PeerWindowSize": "peer_window",
    "LocalPpd": "local_delay", "PeerPpd": "peer_delay", "RecvOctets": "rx_octets",
    "RecvPackets": "rx_packets", "RecvDiscards": "rx_discards", "RecvZLB": "rx_zlb",
    "SendOctets": "tx_octets", "SendPackets": "tx_packets", "SendZLB": "tx_zlb",
    "AckTimeouts": "ack_timeouts", "OutOfWindow": "out_of_window",
    "OutOfSequence": "out_of_sequence", "TunnelPeerIpAddr": "peer",
}  # fmt: skip
# ... and of `fastpptp session ID --json`.
DETAIL = {"LocalCallId": "local_call_id", "PeerCallId": "peer_call_id", "Serial": "serial"}
TOTALS = {
    "TotalTunnels": "total_tunnels", "ActiveTunnels": "active_tunnels",
    "MaxTunnels": "peak_tunnels", "TotalSessions": "total_sessions",
    "ActiveSessions": "active_sessions", "MaxSessions": "peak_sessions",
    **{f"Control{way}{unit}": f"control_{name}_{unit.lower()}"
       for way, name in (("Recv", "received"), ("Send", "sent")) for unit in ("Octets", "Packets")},
    **{f"Payload{way}{unit}": f"payload_{name}_{unit.lower()}"
       for way, name in (("Recv", "received"), ("Send", "sent")) for unit in ("Octets", "Packets")},
    "ControlRecvDiscards": "control_received_discards",
    "PayloadRecvDiscards": "payload_received_discards",
}  # fmt: skip


def settled(site: Site) -> tuple[dict[str, str], dict[str, Any]]:
    """A walk, and statistics that were the same before and after it."""
    end = time.monotonic() + WAIT
    while time.monotonic() < end:
        before = site.headend.json("statistics", "pptp")
        time.sleep(1.1)  # what was kept is stale
        walked = site.walk(PRODUCT)
        if site.headend.json("statistics", "pptp") == before:
            return walked, before
    raise AssertionError("the counters do not come to rest")


def test_everything_is_what_the_screens_have(site: Site) -> None:
    walked, shown = settled(site)
    for column, field in TOTALS.items():
        assert walked[f"alPptpStats{column}.0"] == str(shown["totals"][field]), column
    assert len(shown["sessions"]) == 2
    for row in shown["sessions"]:
        number, detail = row["id"], site.admin.session(row["id"])
        assert row["rx_octets"] > 100
        session = {
            name.removeprefix("alPptpStatsSession").removesuffix(f".{number}"): value
            for name, value in walked.items()
            if name.startswith("alPptpStatsSession") and name.endswith(f".{number}")
        }
        assert len(session) == 29
        assert {column: session[column] for column in (*STATISTICS, *DETAIL)} == {
            **{column: str(row[field]) for column, field in STATISTICS.items()},
            **{column: str(detail[field]) for column, field in DETAIL.items()},
        }
        assert (session["LocalFlowOff"], session["PeerFlowOff"]) == ("2", "2")
        assert session["ConnectSpeed"] == "100000000"
        assert walked[f"alPppStatsMppeStatus.{number}"] == "1"
        assert walked[f"alPppStatsOctetsSent.{number}"] == str(row["tx_octets"])
        active = {
            column: walked[f"alActiveSession{column}.{number}"]
            for column in ("UserName", "IpAddress", "PublicIpAddress", "GroupName", "SepId")
        }
        assert active == {
            "UserName": row["user"], "IpAddress": detail["address"], "GroupName":
            detail["group"] or "", "PublicIpAddress": row["peer"], "SepId": str(detail["worker"]),
        }  # fmt: skip


def test_tunnels(site: Site) -> None:
    walked = site.walk(f"{PRODUCT}.2.1.2.3.2")
    for peer, local in ((ALICE, SERVER), (BOB, SECOND)):
        tunnel = {
            name.removeprefix("alPptpStatsTunnel").removesuffix(f".{peer}"): value
            for name, value in walked.items()
            if name.endswith(f".{peer}")
        }
        assert len(tunnel) == 12
        assert (tunnel["PeerIpAddr"], tunnel["LocalIpAddr"]) == (peer, local)
        assert (tunnel["PeerVendorName"], tunnel["ActiveSessions"]) == ("fastpptp", "1")
        assert tunnel["PeerProtVers"].split() == ["01", "00"]


def test_encryption_and_the_lists(site: Site) -> None:
    walked = site.walk(f"{PRODUCT}.2.1.2.17")
    rows = {row["user"]: row for row in site.admin.sessions()}
    kinds = {user: walked[f"alActiveSessionEncrType.{row['id']}"] for user, row in rows.items()}
    words = {user: row["encryption"] for user, row in rows.items()}
    assert words == {"alice": "MPPE 128-bit stateless", "bob": "MPPE 128-bit stateful"}
    assert kinds == {"alice": "7", "bob": "8"}
    assert walked["alActiveSessionCount.0"] == "2"
    for of in ("Data", "Throughput"):
        assert walked[f"alActiveSession{of}UserName.1"] == "alice"
        assert walked[f"alActiveSession{of}UserName.2"] == "bob"
        assert f"alActiveSession{of}UserName.3" not in walked
    assert walked["alActiveSessionDurationUserName.1"] == "alice"
    age = int(walked[f"alActiveSessionConnectTime.{rows['bob']['id']}"])
    assert abs(age - rows["bob"]["duration"]) <= 3


def test_events_are_counted(site: Site) -> None:
    walked = site.walk(f"{PRODUCT}.2.1.2.4")
    repeats = {}
    for event in site.admin.events(**{"class": "PPTP"})["events"]:
        repeats[event["number"]] = event["repeat"]
    assert repeats[42] >= 2
    assert walked["alEventStatsCount.1.42"] == str(repeats[42])
    assert walked["alEventStatsEventNumber.1.42"] == "42"


def test_the_system_group_and_versions(site: Site) -> None:
    """With SNMPv1, v2c and v3; and a table as a table."""
    for who in (("-v1", "-c", READ), ("-v2c", "-c", WRITE), USER):
        assert site.get(".1.3.6.1.2.1.1.2.0", *who) == "altigaRoot.1.2.1.1.1.2"
    assert re.match(r"fastpptp \d", site.get(".1.3.6.1.2.1.1.1.0"))
    before = site.get(".1.3.6.1.2.1.1.3.0")
    time.sleep(0.1)
    assert site.get(".1.3.6.1.2.1.1.3.0") > before
    said = site.refused("snmpget", "-v1", "-c", READ, SERVER_AGENT, ".1.3.6.1.2.1.1.9.0")
    assert "(noSuchName)" in said
    table = site.tool("snmptable", "-v2c", "-c", READ, *NAMES, "-Cf", ";", SERVER_AGENT,
                      "FASTPPTP-MIB::alPptpStatsTunnelTable").stdout  # fmt: skip
    rows = [line.split(";") for line in table.splitlines() if ";" in line]
    assert [row[1] for row in rows] == ["alPptpStatsTunnelPeerIpAddr", ALICE, BOB]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("-a", "SHA", "-A", "authentic2", "-x", "AES", "-X", "private12"),
         "Authentication failure"),
        (("-a", "SHA", "-A", "authentic1", "-x", "AES", "-X", "private13"), "Decryption error"),
        (("-a", "SHA", "-A", "authentic1", "-l", "authNoPriv"), "Unsupported security level"),
        (("-u", "nobody", "-a", "SHA", "-A", "authentic1", "-x", "AES", "-X", "private12"),
         "Unknown user name"),
    ],
)  # fmt: skip
def test_wrong_users_are_told_so(site: Site, words: tuple[str, ...], said: str) -> None:
    who = ("-v3", "-l", "authPriv", "-u", "operator", *words, "-r", "0", "-t", "5")
    assert said in site.refused("snmpget", *who, SERVER_AGENT, ".1.3.6.1.2.1.1.1.0")
    site.event("a wrong SNMPv3 user, password or security level")


def test_a_wrong_community_gets_no_answer(site: Site) -> None:
    counted = int(site.get(".1.3.6.1.2.1.11.4.0"))
    for version in ("-v1", "-v2c"):
        said = site.refused(
            "snmpwalk", version, "-c", "public", "-r", "0", "-t", "0.3", SERVER_AGENT, PRODUCT
        )
        assert "Timeout: No Response" in said
    assert int(site.get(".1.3.6.1.2.1.11.4.0")) == counted + 2
    site.event("SNMP/100 SNMP manager 127.0.0.1 is refused: a wrong community (")


def status(row: int | str, table: str = "Session") -> str:
    return f"alPptpStats{table}RowStatus.{row}"


def test_a_session_is_ended_by_who_may(site: Site) -> None:
    number = site.up("alice")[0]["id"]
    order = (SERVER_AGENT, status(number), "i", "6")
    said = site.refused("snmpset", "-v2c", "-c", READ, *order)
    assert "Reason: noAccess" in said
    assert "(noSuchName)" in site.refused("snmpset", "-v1", "-c", READ, *order)
    who = ("-v2c", "-c", WRITE, SERVER_AGENT)
    assert "wrongValue" in site.refused("snmpset", *who, status(number), "i", "1")
    numeric = f"{PRODUCT}.2.1.2.3.3.1.1.{number}"
    said = site.tool("snmpset", "-m", "", *who, numeric, "s", "6", check=False).stderr
    assert "wrongType" in said
    assert "noCreation" in site.refused("snmpset", *who, status(4711), "i", "6")
    assert "notWritable" in site.refused(
        "snmpset", *who, "alPptpStatsSessionUserName." + str(number), "s", "x"
    )
    # All is judged before anything is done.
    assert "noCreation" in site.refused("snmpset", *who, *order[1:], status(4711), "i", "6")
    assert site.up("alice")[0]["id"] == number
    site.tool("snmpset", *NAMES, *who, *order[1:])
    causes = [(number, Cause.ADMIN_LOGOUT.code)]
    site.headend.wait(
        lambda: [(row["id"], row["cause"]) for row in site.admin.ended()["ended"][:1]] == causes,
        "still has the session",
    )
    assert status(number) not in site.walk(f"{PRODUCT}.2.1.2.3.3")
    site.event(f"sessions logged out: {number}")
    site.event(f"SNMP/103 SNMP manager 127.0.0.1 set {status(number)} to destroy")
    site.dial("alice")


def test_a_tunnel_is_ended_with_snmpv3(site: Site) -> None:
    site.tool("snmpset", *NAMES, *USER, SERVER_AGENT, status(BOB, "Tunnel"), "i", "6")
    site.headend.wait(lambda: not site.admin.sessions(user="bob"), "still has the session")
    assert status(BOB, "Tunnel") not in site.walk(f"{PRODUCT}.2.1.2.3.2")
    site.event(f"tunnels to peer {BOB} closed: 1")
    site.dial("bob")


def test_walks_while_sessions_come_and_go(site: Site, tmp_path: Path) -> None:
    """Names rise from line to line, whatever the table does meanwhile."""
    words = ("--source", ALICE, "--sessions", "40", "--in-flight", "4", "--calls", "2")
    counts: list[int] = []
    with Load(site.clients["alice"], tmp_path / "load.log", SERVER, *words) as load:
        end = time.monotonic() + WAIT
        while max(counts, default=0) < 40 or counts[-1] >= 40:
            assert time.monotonic() < end, counts
            said = site.tool("snmpbulkwalk", "-v2c", "-c", READ, "-On", "-Cr25", SERVER_AGENT,
                             f"{PRODUCT}.2.1.2").stdout  # fmt: skip
            lines = (line for line in said.splitlines() if END not in line)
            names = [line.split(" = ")[0] for line in lines if line.startswith(".")]
            oids = [tuple(map(int, name[1:].split("."))) for name in names]
            assert oids == sorted(set(oids))
            counts.append(sum(name.startswith(f"{PRODUCT}.2.1.2.3.3.1.2.") for name in names))
            if counts[-1] >= 40:
                load.stop()


def answers(site: Site, agent: str = SERVER_AGENT, within: float = WAIT) -> bool:
    """An agent that is just being started has what it was asked meanwhile in its socket."""
    words = ("snmpget", "-v2c", "-c", READ, "-r", "0", "-t", str(within), agent)
    return site.tool(*words, ".1.3.6.1.2.1.1.5.0", check=False).returncode == 0


def silent(site: Site, agent: str = SERVER_AGENT) -> bool:
    return not answers(site, agent, 0.5)


def agent_pid(site: Site) -> int:
    process = site.headend.process
    assert process is not None
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    (found,) = [
        int(pid)
        for pid in children
        if b"fastpptp.snmp" in Path("/proc", pid, "cmdline").read_bytes()
    ]
    return found


# Any octets, and parts of a real request, as fast as they can be sent.
HOSTILE = """
import random, socket, sys
target, request = ("127.0.0.1", 161), bytes.fromhex(sys.argv[1])
chosen, sender = random.Random(1), socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for number in range(6000):
    wrong = bytearray(request)
    for _ in range(chosen.randrange(4)):
        wrong[chosen.randrange(len(wrong))] = chosen.randrange(256)
    kinds = (chosen.randbytes(chosen.randrange(1500)), wrong[: chosen.randrange(len(wrong))], wrong)
    sender.sendto(kinds[number % 3], target)
"""
# A GetBulk of SNMPv2c with a community that is none.
REQUEST = (
    "302b02010104067075626c6963a51e0204123456780201000201643010300e060a2b0601040198040201020500"
)


def test_datagrams_of_any_octets(site: Site) -> None:
    """The agent lives, answers, holds no more, and the log has a line for each kind of failure."""
    pid = agent_pid(site)
    before, told = resident(pid), len(list(site.events()))
    site.tool(sys.executable, "-c", HOSTILE, REQUEST)
    site.headend.wait(lambda: not silent(site), "is not answered for any more")
    assert agent_pid(site) == pid
    assert resident(pid) - before < 4096
    assert len(list(site.events())) - told <= len(Failure)
    assert int(site.get(".1.3.6.1.2.1.11.6.0")) > 1000


def resident(pid: int) -> int:
    """Anonymous memory of a process, KiB."""
    found = re.search(r"RssAnon:\s*(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1])


def test_an_agent_that_is_killed_is_started_again(site: Site) -> None:
    os.kill(agent_pid(site), signal.SIGKILL)
    assert answers(site)
    site.event("SNMP/102 The SNMP agent ended and is started again: SIGKILL")


def test_settings_hold_at_once(site: Site) -> None:
    """Managers, address, port, on and off; a port that is taken is told."""
    headend = site.headend
    site.set(managers=["203.0.113.0/24"])
    assert silent(site)
    site.event("its address is none of the managers'")
    networks = ["203.0.113.0/24", "127.0.0.0/8", "192.0.2.0/24", "198.51.100.0/24"]
    site.set(managers=networks, address="0.0.0.0", port=1161)
    assert silent(site)
    for address in (SERVER, SECOND, "127.0.0.1"):
        assert answers(site, f"{address}:1161")
    # From outside: the address that was asked answers, though the way back begins at another.
    alice = site.clients["alice"]
    alice.route(SECOND, "via", SERVER)
    alice.run("snmpget", "-v2c", "-c", READ, f"{SECOND}:1161", ".1.3.6.1.2.1.1.5.0")
    site.set(enabled=False)
    assert silent(site, "127.0.0.1:1161")
    taken = headend.host.start("socat", "-u", "UDP4-RECV:161", "OPEN:/dev/null")
    headend.wait(lambda: "161" in headend.host.run("ss", "-Hlun").stdout, "port is not taken")
    site.set(enabled=True, port=161)
    site.event("SNMP/101 The SNMP agent does not run: it cannot be asked on 0.0.0.0:161")
    taken.terminate()
    taken.wait(10)
    site.event("SNMP/104 The SNMP agent runs now")
    site.set(address="127.0.0.1", managers=[])
    assert answers(site)


def test_the_mib_is_read_without_a_complaint() -> None:
    if reason := missing():
        cannot(reason)
    done = subprocess.run(
        ["snmptranslate", *NAMES, "-Pw", "-On", "FASTPPTP-MIB::alEventStatsCount.7.5"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == f"{PRODUCT}.2.1.2.4.2.1.3.7.5"
    assert done.stderr == ""
