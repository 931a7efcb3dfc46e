"""The control API on its unix socket, through the command line's client and the command line."""

from __future__ import annotations

import asyncio
import json
import socket
import stat
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from scapy.layers.inet import ICMP

from fastpptp.admin import api, feed, listing, ranking, snapshot
from fastpptp.admin.api import AdminServer
from fastpptp.admin.client import AdminClient, AdminError
from fastpptp.admin.meter import Meter
from fastpptp.bootstrap import Bootstrap
from fastpptp.cli import cli
from fastpptp.errors import ConfigurationError, Problem, UnavailableError
from fastpptp.localtime import wall_clock
from fastpptp.server.ping import echo_request
from fastpptp.server.reloading import Reloaded, Reloading
from fastpptp.settings import profiles
from fastpptp.store import Store
from fastpptp.store.history import this_process
from tests.unit.server.support import Rig, link_config, running, until


class Served:
    """A Rig with its API on `path`."""

    def __init__(self, rig: Rig, path: Path) -> None:
        self.rig = rig
        self.path = path
        self.client = AdminClient(path)

    async def ask(self, call: Callable[..., Any], *words: Any, **named: Any) -> Any:
        return await asyncio.to_thread(call, *words, **named)

    async def cli(self, *words: str) -> tuple[int, str]:
        """Exit code and output of a command."""
        words = (*words, "--state-dir", str(self.path.parent))
        result = await asyncio.to_thread(CliRunner().invoke, cli, words)
        return result.exit_code, result.output

    async def raw(self, request: bytes) -> tuple[int, Any]:
        """Status and JSON of a request that the client would not make."""
        reader, writer = await asyncio.open_unix_connection(self.path)
        writer.write(request)
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
        head, _, body = answer.partition(b"\r\n\r\n")
        return int(head.split()[1]), json.loads(body)


@asynccontextmanager
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    async with running() as rig:
        server = AdminServer(rig.headend, tmp_path / "admin.sock", Reloading(rig.headend, None))
        await server.start()
        try:
            yield Served(rig, tmp_path / "admin.sock")
        finally:
            await server.stop()


def run(tmp_path: Path, test: Callable[[Served], Awaitable[None]]) -> None:
    async def whole() -> None:
        async with served(tmp_path) as made:
            await test(made)

    asyncio.run(whole())


def test_pools(tmp_path: Path) -> None:
    async def test(made: Served) -> None:
        await made.rig.dial_up()
        (pool,) = await made.ask(made.client.pools)
        assert pool == {
            "first": "172.16.1.10", "last": "172.16.1.20", "size": 11, "in_use": 1, "reserved": 0,
            "free": 10,
        }  # fmt: skip
        place = Bootstrap(state_directory=tmp_path)
        Store.create(place.store_url, place.key_path, profiles.default()).close()
        code, output = await made.cli("pool", "list")
        assert (code, output.splitlines()[1].split()[-4:]) == (0, ["11", "1", "0", "10"])

    run(tmp_path, test)


def test_the_socket_is_private_and_goes(tmp_path: Path) -> None:
    async def test(made: Served) -> None:
        assert stat.S_IMODE(made.path.stat().st_mode) == 0o600
        assert (await made.ask(made.client.version))["version"]

    run(tmp_path, test)
    assert not (tmp_path / "admin.sock").exists()


def test_sessions(tmp_path: Path) -> None:
    async def test(made: Served) -> None:
        assert await made.ask(made.client.sessions) == []
        await made.rig.dial_up()
        (row,) = await made.ask(made.client.sessions)
        assert row["user"] == "pptpuser"
        assert (row["group"], row["address"]) == ("pptpgroup", "172.16.1.10")
        assert row["client_type"] == "fastpptp"
        assert row["encryption"] == "MPPE 128-bit stateless"
        assert row["method"] == "MSCHAP-V2"
        found = await made.ask(made.client.session, row["id"])
        assert found["server_address"] == "172.16.1.1"
        assert found["counters"]["rx_packets"] == 0
        assert found["flow"] == "None"
        code, table = await made.cli("sessions")
        assert code == 0
        assert "pptpuser" in table
        assert "MPPE 128-bit stateless" in table
        assert found["compression"] is None

    run(tmp_path, test)


@pytest.mark.parametrize("group", ["pptpgroup", None])
def test_everything_of_a_user_is_found_by_group_and_account(
    tmp_path: Path, group: str | None
) -> None:
    """A login that works and one that does not, both with a realm; and the base group's names."""

    async def test(made: Served) -> None:
        tree = profiles.default()
        users = {name: replace(user, group=group) for name, user in tree.users.items()}
        tree = replace(tree, users=users, base={**tree.base, "strip_realm": True})
        made.rig.database.policies.append(tree)
        await made.rig.headend.reload()
        client = await made.rig.dial_up(link_config("pptpuser@corp"))
        await made.rig.dial(link_config("CORP\\pptpuser", password="wrong"))
        await made.rig.dial(link_config("nobody@corp"))
        await until(lambda: made.rig.texts().count("PPP/9") == 2)
        name = group or "Base Group"
        assert await sessions(made, group=name) == [1]
        assert await sessions(made, group="another") == []
        assert await sessions(made, group="") == ([] if group else [1])
        assert await made.ask(made.client.logout, group=name) == [1]
        await until(lambda: client.client.calls[0].ended is not None)
        await until(lambda: "PPTP/35" in made.rig.texts())
        for words in {"group": name}, {"user": "pptpuser"}:
            page = await made.ask(made.client.events, **words)
            found = {f"{e['class']}/{e['number']} {e['user']}" for e in page["events"]}
            assert {"PPP/8 pptpuser@corp", "PPTP/35 pptpuser@corp"} <= found
            assert {"AUTH/5 CORP\\pptpuser", "PPP/9 CORP\\pptpuser"} <= found
            assert not any("nobody" in event for event in found)
        typed = (await made.ask(made.client.events, user="pptpuser@corp"))["events"]
        assert {event["user"] for event in typed} == {"pptpuser@corp"}
        assert {event["account"] for event in typed} == {"pptpuser"}

    run(tmp_path, test)


async def sessions(made: Served, **words: str) -> list[int]:
    return [row["id"] for row in await made.ask(made.client.sessions, **words)]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("", [1, 2]),
        ("--user pptpuser", [1, 2]),
        ("--user nobody", []),
        ("--group pptpgroup", [1, 2]),
        ("--group=", []),
        ("--client 127.0.0.0/8", [1, 2]),
        ("--client 192.0.2.1", []),
        ("--address 172.16.1.11", [2]),
        ("--address 172.16.1.0/24 --sort assigned-ip --reverse", [2, 1]),
        ("--method mschap-v2", [1, 2]),
        ("--method PAP", []),
        ("--encryption 128 --state UP", [1, 2]),
        ("--encryption none", []),
        ("--state closing", []),
        ("--sort Duration --reverse --user pptpuser", [2, 1]),
    ],
)
def test_sessions_are_filtered_and_sorted(tmp_path: Path, words: str, found: list[int]) -> None:
    async def test(made: Served) -> None:
        await made.rig.dial_up()
        await made.rig.dial_up()
        code, said = await made.cli("sessions", *words.split(), "--json")
        assert (code, [row["id"] for row in json.loads(said)]) == (0, found)

    run(tmp_path, test)


def test_columns(tmp_path: Path) -> None:
    async def test(made: Served) -> None:
        await made.rig.dial_up()
        code, said = await made.cli("sessions", "--columns", "user,Assigned IP,public-ip")
        assert code == 0
        assert said == "User      Assigned IP  Public IP\npptpuser  172.16.1.10  127.0.0.1\n"
        for option in ("--sort", "--columns"):
            code, said = await made.cli("sessions", option, "colour")
            assert code == 2
            assert "There is no column 'colour'. The columns are: ID, User," in said

    run(tmp_path, test)


def test_no_such_session(tmp_path: Path) -> None:
    async def test(made: Served) -> None:
        with pytest.raises(AdminError, match="there is no session 99"):
            await made.ask(made.client.session, 99)
        assert await made.cli("session", "99") == (1, "fastpptp: there is no session 99\n")
        code, text = await made.cli("logout", "99")
        assert code == 1
        assert "there is no session 99" in text

    run(tmp_path, test)


@pytest.mark.parametrize(
    ("words", "ends"),
    [
        (["1"], True),
        (["--user", "pptpuser"], True),
        (["--group", "pptpgroup"], True),
        (["--address", "172.16.1.10"], True),
        (["--address", "127.0.0.1"], True),
        (["--all"], True),
        (["--address", "172.16.1.11"], False),
        (["--user", "nobody"], False),
        (["--group", ""], False),
    ],
)
def test_logout(tmp_path: Path, words: list[str], ends: bool) -> None:
    async def test(made: Served) -> None:
        client = await made.rig.dial_up()
        code, said = await made.cli("logout", *words, "--json")
        assert (code, json.loads(said)) == (0, [1] if ends else [])
        told = [r.text() for r in made.rig.log if (r.cls, r.number) == ("CONFIG", 104)]
        assert told == [f"Administrator {this_process()}: sessions logged out: 1"] * ends
        if ends:
            await until(lambda: client.client.calls[0].ended is not None)
        else:
            assert client.client.calls[0].is_up

    run(tmp_path, test)


def test_events(tmp_path: Path) -> None:
    async def test(made: Served) -> None:
        await made.rig.dial_up()
        found = await made.ask(made.client.events, **{"class": "PPTP,AUTH", "severity": "4"})
        assert [f"{e['class']}/{e['number']}" for e in found["events"]] == [
            "PPTP/47", "PPTP/42", "AUTH/22",
        ]  # fmt: skip
        _, said = await made.cli("events", "--class", "PPTP")
        lines = said.splitlines()
        assert lines[0].endswith("SEV=4 PPTP/47 RPT=1 127.0.0.1")
        assert lines[1] == "Tunnel to peer 127.0.0.1 established"
        newest = json.loads((await made.cli("events", "--newest-first", "--json"))[1])
        oldest = json.loads((await made.cli("events", "--json"))[1])
        assert newest == oldest[::-1]
        last = json.loads((await made.cli("events", "--per-page", "2", "--json"))[1])
        assert last == oldest[-2:]
        page = json.loads((await made.cli("events", "--per-page", "2", "--page", "1", "--json"))[1])
        assert page == oldest[:2]
        assert "page 1 of" in (await made.cli("events", "--per-page", "2", "--page", "1"))[1]
        assert (await made.cli("events", "clear"))[0] == 0
        (left,) = (await made.ask(made.client.events))["events"]
        assert left["text"] == f"Administrator {this_process()}: event log cleared"

    run(tmp_path, test)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("events", "--severity", "0-5"), "severity: '0-5' is not valid (allowed: 1 to 13"),
        (("events", "--client", "x"), "client: 'x' is not valid (allowed: an IPv4 address"),
        (("sessions", "--client", "x"), "client: 'x' is not valid (allowed: an IPv4 address"),
        (("sessions", "--state", "x"), "state: 'x' is not valid (allowed: connecting, "),
        (("sessions", "--method", "x"), "method: 'x' is not valid (allowed: PAP, "),
        (("logout", "--address", "x"), "address: 'x' is not valid (allowed: an IPv4 address"),
    ],
)
def test_wrong_filters(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    async def test(made: Served) -> None:
        code, text = await made.cli(*words)
        assert code == 4
        assert said in text

    run(tmp_path, test)


def test_statistics(tmp_path: Path) -> None:
    async def test(made: Served) -> None:
        await made.rig.dial_up()
        found = await made.ask(made.client.statistics)
        assert (found["active_sessions"], found["total_tunnels"]) == (1, 1)
        assert found["by_encryption"] == {"MPPE 128-bit stateless": 1}
        assert "Sessions with MSCHAP-V2: " in (await made.cli("statistics"))[1]
        assert found["since_installation"]["total_tunnels"] == 1
        said = (await made.cli("statistics"))[1]
        assert "Total sessions:" in said.partition("Since the installation\n")[2]

    run(tmp_path, test)


async def pass_traffic(made: Served, **counters: int) -> None:
    """Have the dataplane's row of the only session count this more."""
    (view,) = made.rig.headend.manager.sessions()
    row = made.rig.dataplane.stats[view.local_call_id]
    for name, value in counters.items():
        row[name] += value


def test_pptp_statistics(tmp_path: Path) -> None:
    async def test(made: Served) -> None:
        await made.rig.dial_up()
        await pass_traffic(made, rx_octets=1000, tx_packets=7, rx_discards=2, tx_zlb=3, flow=2)
        found = await made.ask(made.client.pptp_statistics)
        totals = found["totals"]
        assert [totals[f"{count}_sessions"] for count in ("total", "active", "peak", "limit")] == [
            1, 1, 1, 65_535,
        ]  # fmt: skip
        assert totals["limit_tunnels"] is None
        # SCCRQ, OCRQ, and Set-Link-Info if the client sends it; SCCRP and OCRP.
        assert totals["control_received_packets"] >= 2
        assert totals["control_sent_packets"] == 2
        assert totals["control_sent_octets"] == 156 + 32
        assert totals["control_received_discards"] == 0
        assert totals["payload_received_octets"] == 1000
        assert (totals["payload_received_discards"], totals["payload_sent_packets"]) == (2, 7)
        (row,) = found["sessions"]
        assert (row["user"], row["peer"], row["flow"]) == ("pptpuser", "127.0.0.1", "Peer")
        assert (row["tx_zlb"], row["local_window"], row["local_delay"]) == (3, 16, 1)
        code, said = await made.cli("statistics", "pptp")
        assert code == 0
        lines = [line.split() for line in said.splitlines()]
        assert ["Sessions", "1", "1", "1", "65535"] in lines
        assert ["Tunnels", "1", "1", "1", "unlimited"] in lines
        assert ["Payload", "received", "1000", "0", "2"] in lines
        assert lines[-1][:5] == ["1", "127.0.0.1", "pptpuser", "1000", "0"]

    run(tmp_path, test)


def test_a_malformed_control_message_is_a_discard(tmp_path: Path) -> None:
    async def test(made: Served) -> None:
        reader, writer = await asyncio.open_connection(*made.rig.address)
        writer.write(bytes(200))
        await reader.read()
        writer.close()
        totals = (await made.ask(made.client.pptp_statistics))["totals"]
        assert totals["control_received_discards"] == 1
        assert totals["control_received_octets"] == 200

    run(tmp_path, test)


def test_reset_and_restore(tmp_path: Path) -> None:
    async def test(made: Served) -> None:
        await made.rig.dial_up()
        await pass_traffic(made, rx_octets=1000, rx_packets=10)
        code, said = await made.cli("statistics", "--reset", "--json")
        assert code == 0
        assert json.loads(said)["payload_received_octets"] == 0
        await pass_traffic(made, rx_octets=5)
        found = await made.ask(made.client.pptp_statistics)
        assert found["reset_at"]
        assert found["totals"]["payload_received_octets"] == 5
        assert found["totals"]["total_sessions"] == 0
        assert found["totals"]["active_sessions"] == found["totals"]["peak_sessions"] == 1
        assert (found["sessions"][0]["rx_octets"], found["sessions"][0]["rx_packets"]) == (5, 0)
        assert (await made.ask(made.client.sessions))[0]["rx_octets"] == 5
        assert (await made.ask(made.client.session, 1))["counters"]["rx_octets"] == 5
        assert "Counted since the reset at " in (await made.cli("statistics", "pptp"))[1]
        assert made.rig.headend.payload()["payload_received_octets"] == 1005
        await made.cli("statistics", "--restore")
        found = await made.ask(made.client.pptp_statistics)
        assert (found["reset_at"], found["totals"]["total_sessions"]) == (None, 1)
        assert found["totals"]["payload_received_octets"] == 1005
        assert found["sessions"][0]["rx_octets"] == 1005

    run(tmp_path, test)


def test_a_reset_is_for_one_administrator(tmp_path: Path) -> None:
    async def test(made: Served) -> None:
        await made.rig.dial_up()
        meter = Meter(made.rig.headend)
        meter.reset("alice", datetime.now(UTC))
        assert meter.totals("alice")["total_sessions"] == 0
        assert meter.totals("bob")["total_sessions"] == 1

    run(tmp_path, test)


def test_ended_sessions(tmp_path: Path) -> None:
    async def test(made: Served) -> None:
        assert await made.cli("sessions", "--ended", "--json") == (0, "[]\n")
        await made.rig.dial_up()
        await pass_traffic(made, rx_octets=1000)
        await made.cli("logout", "1")
        await made.rig.dial_up()
        await until(lambda: not made.rig.headend.manager.holdings()["closing_calls"])
        (row,) = (await made.ask(made.client.ended))["ended"]
        assert (row["id"], row["user"], row["group"]) == (1, "pptpuser", "pptpgroup")
        assert (row["address"], row["encryption"]) == ("172.16.1.10", "MPPE 128-bit stateless")
        assert (row["cause"], row["reason"]) == ("admin-logout", "Administrator Reset")
        assert (row["state"], row["rx_octets"], row["duration"]) == ("ended", 1000, 0)
        assert row["login_time"] <= row["ended_at"]
        code, said = await made.cli("sessions", "--ended", "--columns", "user,reason")
        assert (code, said.splitlines()[1]) == (0, "pptpuser  Administrator Reset")
        code, said = await made.cli("sessions", "--ended", "--columns", "client-type")
        assert (code, said) == (0, "Client Type\nfastpptp\n")
        assert (await made.cli("sessions", "--ended", "--user", "x", "--json"))[1] == "[]\n"
        found = await made.ask(made.client.statistics)
        assert found["ended"] == {"admin-logout": 1}
        await made.ask(made.client.logout, all=True, edited=True)
        await until(lambda: not made.rig.headend.manager.holdings()["closing_calls"])
        (row, _) = (await made.ask(made.client.ended))["ended"]
        assert (row["cause"], row["acct_terminate_cause"]) == ("account-changed", "Admin-Reset")
        found = await made.ask(made.client.events, **{"class": "PPTP"})
        causes = [e["cause"] for e in found["events"] if e["number"] == 35]
        assert causes == ["admin-logout", "account-changed"]
        code, said = await made.cli("events", "--cause", "account-changed", "--json")
        told = [f"{event['class']}/{event['number']}" for event in json.loads(said)]
        assert (code, told) == (0, ["PPTP/35", "AUTH/28"])
        code, said = await made.cli("events", "--cause", "boredom")
        assert (code, "cause: 'boredom' is not valid" in said) == (4, True)
        code, said = await made.cli("sessions", "--ended", "--cause", "Admin-Logout", "--json")
        assert [row["id"] for row in json.loads(said)] == [1]
        assert (await made.cli("sessions", "--ended", "--cause", "idle-timeout", "--json"))[1] == (
            "[]\n"
        )
        code, said = await made.cli("sessions", "--ended", "--cause", "tunnel-idle")
        assert code == 4
        assert "cause: 'tunnel-idle' is not valid (allowed: the code of a cause that ends" in said
        code, said = await made.cli("sessions", "--cause", "idle-timeout")
        assert (code, "--cause, --page and --per-page go with --ended" in said) == (2, True)

    run(tmp_path, test)


@pytest.mark.parametrize("what", ["data", "duration", "throughput"])
def test_top_ten(tmp_path: Path, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(made: Served) -> None:
        for _ in range(2):
            await made.rig.dial_up()

        def traffic(seconds: float) -> None:
            """The second session carries 1,000 octets while throughput is measured."""
            second = list(made.rig.headend.manager.sessions())[1]
            made.rig.dataplane.stats[second.local_call_id]["rx_octets"] += 1000

        traffic(0)
        monkeypatch.setattr(time, "sleep", traffic)
        monkeypatch.setattr(ranking, "LEAST", 0)
        code, said = await made.cli("sessions", "--top", what, "--json")
        rows = json.loads(said)
        assert code == 0
        values = [row[what] for row in rows]
        assert values == sorted(values, reverse=True)
        if what != "duration":
            assert [row["id"] for row in rows] == [2, 1]
        code, said = await made.cli("sessions", "--top", what, "--columns", f"user,{what}")
        assert (code, said.split()[:2]) == (0, ["User", what.capitalize()])
        assert (await made.cli("sessions", "--top", what, "--watch"))[0] == 2

    run(tmp_path, test)


def test_top_without_a_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(made: Served) -> None:
        await made.rig.dial_up()
        monkeypatch.setattr(time, "sleep", lambda seconds: None)
        code, said = await made.cli("top", "--count", "2")
        assert code == 0
        assert "sessions 1 (peak 1)" in said
        assert "172.16.1.10" in said
        assert len(max(said.splitlines(), key=len)) <= 80
        code, said = await made.cli("top", "--json")
        assert json.loads(said)["sessions"][0]["throughput"] == 0

    run(tmp_path, test)


def test_ping_a_client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers: list[float | OSError | None] = [0.002, None, None, OSError(99, "no such address")]

    async def ping(source: IPv4Address, target: IPv4Address, timeout: float) -> float | None:
        assert (str(source), str(target)) == ("172.16.1.1", "172.16.1.10")
        found = answers.pop(0)
        if isinstance(found, OSError):
            raise found
        return found

    async def test(made: Served) -> None:
        monkeypatch.setattr(api, "ping", ping)
        words = ("ping-client", "pptpuser", "--interval", "0.01")
        assert await made.cli(*words) == (1, "fastpptp: pptpuser has no session\n")
        await made.rig.dial_up()
        code, said = await made.cli(*words, "--count", "2", "--json")
        found = json.loads(said)
        assert (code, found["rtt_ms"], found["received"]) == (0, [2.0, None], 1)
        code, said = await made.cli("ping-client", "1", "--count", "1")
        assert code == 1
        assert said.startswith("172.16.1.10 1: no reply\n1 sent, 0 received\n")
        assert "172.16.1.10 (session 1) does not answer" in said
        code, said = await made.cli("ping-client", "1", "--count", "1")
        assert (code, "no ping can be sent from 172.16.1.1" in said) == (3, True)
        assert (await made.cli("ping-client", "9"))[1] == "fastpptp: there is no session 9\n"
        await made.rig.dial_up()
        assert "pptpuser has sessions 1, 2: say which" in (await made.cli(*words))[1]

    run(tmp_path, test)


def test_the_echo_request_is_one() -> None:
    packet = ICMP(echo_request(bytes.fromhex("12340001") + b"abcd"))
    assert (packet.type, packet.code, packet.id, packet.seq) == (8, 0, 0x1234, 1)
    told = packet.chksum
    del packet.chksum
    assert ICMP(bytes(packet)).chksum == told


def test_reload(tmp_path: Path) -> None:
    async def test(made: Served) -> None:
        made.rig.database.policies.append(profiles.default())
        assert await made.ask(made.client.reload) == {"revision": 7, "restart": []}
        made.rig.database.policies.append(ConfigurationError(Problem("a.b", "is wrong", "right")))
        with pytest.raises(ConfigurationError) as caught:
            await made.ask(made.client.reload)
        assert caught.value.problems == (Problem("a.b", "is wrong", "right"),)
        made.rig.database.policies.append(UnavailableError("store: locked", "try again"))
        with pytest.raises(UnavailableError, match="store: locked\ntry again"):
            await made.ask(made.client.reload)
        made.rig.database.policies.append(profiles.default())
        assert await made.cli("reload") == (0, "Revision 7 holds.\n")

    run(tmp_path, test)


def test_the_command_line_pokes_the_headend(tmp_path: Path) -> None:
    async def test(made: Served) -> None:
        assert (await made.cli("init"))[0] == 0
        made.rig.database.policies.append(profiles.default())
        code, said = await made.cli("config", "set", "pptp.max_tunnels", "5")
        assert (code, said) == (0, "pptp.max_tunnels is set. It holds now.\n")
        made.rig.database.policies.append(UnavailableError("no"))
        made.rig.database.policies.append(ConfigurationError(Problem("x", "is wrong")))
        await made.cli("config", "set", "pptp.max_tunnels", "6")
        code, said = await made.cli("config", "set", "pptp.max_tunnels", "7")
        assert said == "pptp.max_tunnels is set. The running headend refused: x: is wrong\n"

    run(tmp_path, test)


@pytest.mark.parametrize(
    ("words", "name", "ends"),
    [
        (("user", "delete", "pptpuser", "--logout"), "pptpuser", True),
        (("user", "delete", "pptpuser"), "pptpuser", False),
        (("user", "set", "pptpuser", "--simultaneous-logins", "0", "--logout"), "pptpuser", True),
        (("user", "set", "pptpuser", "--simultaneous-logins", "0"), "pptpuser", False),
        (("user", "rename", "pptpuser", "x", "--logout"), "CORP\\pptpuser", True),
        (("group", "set", "pptpgroup", "--simultaneous-logins", "0", "--logout"), "pptpuser", True),
        (("group", "set", "pptpgroup", "--idle-timeout", "0"), "pptpuser", False),
        (("config", "set", "base_group.idle_timeout", "7", "--logout"), "pptpuser", True),
        (("config", "set", "base_group.idle_timeout", "7"), "pptpuser", False),
        (("config", "import", "/dev/null", "--yes", "--logout"), "pptpuser", True),
        (("config", "import", "/dev/null", "--yes"), "pptpuser", False),
    ],
)
def test_an_edit_ends_sessions_when_it_is_asked_to(
    tmp_path: Path, words: tuple[str, ...], name: str, ends: bool
) -> None:
    async def test(made: Served) -> None:
        tree = profiles.default()
        tree = replace(tree, base={**tree.base, "strip_realm": True})
        made.rig.database.policies.append(tree)
        await made.rig.headend.reload()
        client = await made.rig.dial_up(link_config(name))
        assert (await made.cli("init"))[0] == 0
        made.rig.database.policies.append(tree)
        code, said = await made.cli(*words, "--json")
        assert code == 0, said
        assert json.loads(said).get("logged_out") == ([1] if ends else None)
        if ends:
            await until(lambda: client.client.calls[0].ended is not None)
        else:
            assert client.client.calls[0].is_up

    run(tmp_path, test)


def post(body: bytes) -> bytes:
    return b"POST /v1/logout HTTP/1.0\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /v1/nothing HTTP/1.0\r\n\r\n", 404),
        (b"PUT /v1/sessions HTTP/1.0\r\n\r\n", 405),
        (b"GET /v1/events?word=1 HTTP/1.0\r\n\r\n", 422),
        (b"GET /v1/events?newest=yes HTTP/1.0\r\n\r\n", 422),
        (b"GET /v1/events?class=PTPP HTTP/1.0\r\n\r\n", 422),
        (b"GET /v1/events?page=0 HTTP/1.0\r\n\r\n", 422),
        (post(b"{"), 422),
        (post(b"[]"), 422),
        (post(b"{}"), 422),
        (post(b'{"session": 1, "all": true}'), 422),
        (post(b'{"all": false}'), 422),
        (post(b'{"session": true}'), 422),
        (post(b'{"user": 1}'), 422),
        (post(b'{"all": true, "edited":1}'), 422),
        (post(b'{"user": "\\udcff"}'), 422),
    ],
)
def test_wrong_requests(tmp_path: Path, request_: bytes, status: int) -> None:
    async def test(made: Served) -> None:
        await made.rig.dial_up()
        got, answer = await made.raw(request_)
        assert got == status
        assert "CONFIG/104" not in made.rig.texts()
        assert answer["error"]

    run(tmp_path, test)


async def never() -> Reloaded:
    raise AssertionError


class TestSocket:
    def test_a_running_headend_is_told_of(self, tmp_path: Path) -> None:
        async def test(made: Served) -> None:
            with pytest.raises(UnavailableError, match="a headend is already running"):
                await AdminServer(made.rig.headend, made.path, never).start()

        run(tmp_path, test)

    def test_it_stays_with_the_headend_that_was_there_first(self, tmp_path: Path) -> None:
        async def test(made: Served) -> None:
            second = AdminServer(made.rig.headend, made.path, never)
            with pytest.raises(UnavailableError):
                await second.start()
            await second.stop()
            assert (await made.ask(made.client.version))["version"]

        run(tmp_path, test)

    def test_a_stale_one_is_replaced(self, tmp_path: Path) -> None:
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(str(tmp_path / "admin.sock"))

        async def test(made: Served) -> None:
            await made.ask(made.client.version)

        run(tmp_path, test)

    @pytest.mark.parametrize(
        ("name", "said"),
        [("x" * 120, "path is longer than 107 octets"), ("none/admin.sock", "cannot be made")],
    )
    def test_a_path_that_does_not_do(self, tmp_path: Path, name: str, said: str) -> None:
        async def test() -> None:
            async with running() as rig:
                with pytest.raises(UnavailableError, match=said):
                    await AdminServer(rig.headend, tmp_path / name, never).start()

        asyncio.run(test())


def test_sessions_are_watched_until_ctrl_c(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    turns: list[float] = []

    def sleep(seconds: float) -> None:
        turns.append(seconds)
        if len(turns) == 3:
            raise KeyboardInterrupt

    async def test(made: Served) -> None:
        await made.rig.dial_up()
        monkeypatch.setattr(time, "sleep", sleep)
        code, said = await made.cli("sessions", "--watch")
        assert (code, turns) == (0, [1, 1, 1])
        assert "pptpuser" in said

    run(tmp_path, test)


def test_the_snapshot(tmp_path: Path) -> None:
    """It has what the screens have, and is not touched by what an administrator has reset."""

    async def test(made: Served) -> None:
        await made.rig.dial_up()
        await pass_traffic(made, rx_octets=5000, tx_packets=3, mppe_resets_sent=2, flow=3)
        await made.ask(made.client.reset)
        found = await made.ask(made.client.snapshot)
        (row,), (tunnel,) = found.sessions, found.tunnels
        detail = await made.ask(made.client.session, row.id)
        for name in (
            "id",
            "user",
            "group",
            "client_type",
            "worker",
            "local_call_id",
            "serial",
            "peer_call_id",
            "local_window",
            "peer_window",
            "local_delay",
            "peer_delay",
        ):
            assert getattr(row, name) == detail[name], name
        assert (str(IPv4Address(row.peer)), str(IPv4Address(row.address))) == (
            detail["peer"], detail["address"],
        )  # fmt: skip
        assert (row.bits, row.stateless) == (128, True)
        assert datetime.fromisoformat(detail["login_time"]).timestamp() == pytest.approx(
            row.login_time, abs=1
        )
        assert 0 <= row.age < 10
        assert (row.rx_octets, row.tx_packets, row.mppe_resets_sent, row.flow) == (5000, 3, 2, 3)
        assert row.connect_speed == 100_000_000
        assert (tunnel.vendor, tunnel.sessions, tunnel.version) == ("fastpptp", 1, 0x0100)
        assert (tunnel.peer, tunnel.local) == (row.peer, int(IPv4Address("127.0.0.1")))
        assert ("PPTP", 42, 1) in found.events
        await made.ask(made.client.restore)
        totals = (await made.ask(made.client.pptp_statistics))["totals"]
        assert totals.items() <= found.totals.items()
        assert found.totals["payload_sent_resets"] == 2

    run(tmp_path, test)


def test_many_sessions_in_a_snapshot_leave_others_their_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between two lines others run, and may end the sessions that are to come."""
    monkeypatch.setattr(listing, "BATCH", 1)

    async def test(made: Served) -> None:
        headend = made.rig.headend
        await made.rig.dial_up()
        await made.rig.dial_up()
        kinds = []
        async for line in feed.lines(headend, {}, wall_clock()):
            kind, rows = json.loads(line)
            kinds.append((kind, len(rows)))
            if kind == "sessions":
                headend.logout(lambda view: True)
                await until(lambda: not headend.manager.session_ids())
        assert kinds[2:] == [
            ("tunnels", 1), ("tunnels", 1), ("sessions", 1), ("sessions", 0), ("end", 0),
        ]  # fmt: skip

    run(tmp_path, test)


def test_a_snapshot_that_ends_too_soon() -> None:
    with pytest.raises(UnavailableError, match="ends too soon"):
        snapshot.read([b'["head",["1","host",1.0,{}]]\n', b'["events",[]]\n'])


def test_tunnels_are_stopped(tmp_path: Path) -> None:
    async def test(made: Served) -> None:
        await made.rig.dial_up()
        assert await made.ask(made.client.stop_tunnels, "192.0.2.1") == 0
        assert made.rig.headend.manager.tunnels()
        assert await made.ask(made.client.stop_tunnels, "127.0.0.1") == 1
        await until(lambda: not made.rig.headend.manager.holdings()["connections"])
        (ended,) = (await made.ask(made.client.ended))["ended"]
        assert ended["cause"] == "admin-logout"
        events = (await made.ask(made.client.events, **{"class": "CONFIG"}))["events"]
        assert "tunnels to peer 127.0.0.1 closed: 1" in events[-1]["text"]
        with pytest.raises(ConfigurationError, match="whose tunnels"):
            await made.ask(made.client._ask, "POST", "/tunnels/stop", {"session": 1})

    run(tmp_path, test)


def test_long_lists_leave_others_their_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A session that ends between two turns is not in them, and what is sent stays JSON."""
    monkeypatch.setattr(listing, "BATCH", 1)

    async def test(made: Served) -> None:
        headend = made.rig.headend
        assert await made.ask(made.client.sessions) == []
        for _ in range(3):
            await made.rig.dial_up()
        assert [row["id"] for row in await made.ask(made.client.sessions)] == [1, 2, 3]
        assert await made.ask(made.client.sessions, user="nobody") == []
        found = await made.ask(made.client.pptp_statistics)
        assert [row["id"] for row in found["sessions"]] == [1, 2, 3]
        assert found["totals"]["active_sessions"] == 3
        look = headend.manager.session

        def looked(number: int) -> Any:
            if number == 2:
                headend.logout(lambda view: view.id == 3)
                headend.stop_tunnels(IPv4Address("127.0.0.1"))
            return look(number)

        monkeypatch.setattr(headend.manager, "session", looked)
        assert [row["id"] for row in await made.ask(made.client.sessions)] == [1]

    run(tmp_path, test)
