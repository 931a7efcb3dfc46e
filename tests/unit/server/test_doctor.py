"""What the doctor says of machines with one thing wrong each, and what to do."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from pathlib import Path
from typing import Any

import pytest

from fastpptp.backends.ruleset import Packet, refusing_chain
from fastpptp.bootstrap import Bootstrap
from fastpptp.recorder.usm import engine_id
from fastpptp.server.doctor import Facts, Finding, State
from fastpptp.server.doctor.checks import CHECKS
from fastpptp.server.doctor.facts import Device, Route
from fastpptp.server.doctor.network import OVERHEAD
from fastpptp.settings import profiles, toml
from fastpptp.settings.resolve import PolicySnapshot

Items = list[dict[str, Any]]

EVERYWHERE = IPv4Network("0.0.0.0/0")
OUTSIDE = Device("eth0", 1500, (IPv4Interface("192.0.2.1/24"),))
INSIDE = Device("eth1", 1500, (IPv4Interface("172.16.2.1/24"),))


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    made = tmp_path / "proc"
    (made / "self").mkdir(parents=True)
    (made / "self" / "status").write_text("CapEff:\tffffffff\n")
    for switch, value in (
        ("net/ipv4/ip_forward", 1), ("net/ipv4/conf/eth0/rp_filter", 1),
        ("net/ipv4/conf/all/rp_filter", 0), ("net/netfilter/nf_conntrack_count", 900),
        ("net/netfilter/nf_conntrack_max", 1000),
    ):  # fmt: skip
        (made / "sys" / switch).parent.mkdir(parents=True, exist_ok=True)
        (made / "sys" / switch).write_text(f"{value}\n")
    return made


@pytest.fixture
def facts(proc: Path, tmp_path: Path) -> Facts:
    """A machine on which all is well, with a running headend."""
    bootstrap = Bootstrap(listen=(IPv4Address("192.0.2.1"),), state_directory=tmp_path)
    return Facts(
        bootstrap, PolicySnapshot(profiles.default()), True, "", (OUTSIDE, INSIDE),
        (Route(EVERYWHERE, "eth0"),), [], proc=proc,
    )  # fmt: skip


def said(facts: Facts, check: str) -> list[Finding]:
    """What one check says; checks have the names of their functions, with spaces."""
    found: Iterator[Finding] = (f for c in CHECKS for f in c(facts))
    return [finding for finding in found if finding.check == check]


def with_system(facts: Facts, **system: Any) -> Facts:
    text = "[system]\n" + "".join(f"{name} = {value}\n" for name, value in system.items())
    return replace(facts, policy=PolicySnapshot(toml.loads(text)))


def with_pool(facts: Facts, first: str, last: str) -> Facts:
    text = f'[[pools]]\nfirst = "{first}"\nlast = "{last}"\n'
    return replace(facts, policy=PolicySnapshot(toml.loads(text)))


def chain(hook: str, policy: str = "drop", family: str = "inet") -> Items:
    made = {"family": family, "table": "filter", "name": hook, "hook": hook, "policy": policy}
    return [{"chain": made}]


def rule(hook: str, *steps: dict[str, Any]) -> Items:
    return [{"rule": {"family": "inet", "table": "filter", "chain": hook, "expr": list(steps)}}]


def match(left: dict[str, Any], right: object, op: str = "==") -> dict[str, Any]:
    return {"match": {"op": op, "left": left, "right": right}}


ACCEPT: dict[str, Any] = {"accept": None}
DROP: dict[str, Any] = {"drop": None}
L4 = {"meta": {"key": "l4proto"}}
PORT = {"payload": {"protocol": "tcp", "field": "dport"}}
STATE = {"ct": {"key": "state"}}
SOURCE = {"payload": {"protocol": "ip", "field": "saddr"}}


def test_a_machine_on_which_all_is_well(facts: Facts) -> None:
    found = [finding for check in CHECKS for finding in check(facts)]
    assert [f for f in found if f.state is not State.OK] == []
    assert not any(f.remedy for f in found)


@pytest.mark.parametrize(
    ("outer", "rules", "state"),
    [
        ("auto", chain("output"), State.OK),
        ("raw", chain("output"), State.OK),
        ("packet", chain("output"), State.WARNING),
        ("xdp", chain("output"), State.WARNING),
        ("xdp", chain("input"), State.OK),
    ],
)
def test_what_gre_goes_past(facts: Facts, outer: str, rules: Items, state: State) -> None:
    bootstrap = replace(facts.bootstrap, outer=outer)
    (found,) = said(replace(facts, firewall=rules, bootstrap=bootstrap), "outer")
    assert found.state is state


@pytest.mark.parametrize(
    ("rules", "packet", "refused"),
    [
        (chain("input"), Packet("gre"), True),
        (chain("input", "accept"), Packet("gre"), False),
        (chain("input", family="ip6"), Packet("gre"), False),
        (chain("forward"), Packet("gre"), False),
        (chain("input") + rule("input", match(L4, "gre"), ACCEPT), Packet("gre"), False),
        (chain("input") + rule("input", match(L4, {"set": ["esp", 47]}), ACCEPT), Packet("gre"),
         False),
        (chain("input") + rule("input", match(L4, "gre", "!="), ACCEPT), Packet("gre"), True),
        (chain("input") + rule("input", match(L4, "tcp"), ACCEPT), Packet("gre"), True),
        (chain("input") + rule("input", match(STATE, ["established", "related"], "in"), ACCEPT),
         Packet("gre"), True),
        (chain("input") + rule("input", match(PORT, 22), ACCEPT), Packet("tcp", 1723), True),
        (chain("input") + rule("input", match(PORT, {"range": [1700, 1800]}), ACCEPT),
         Packet("tcp", 1723), False),
        (chain("input") + rule("input", match(PORT, {"set": [22, 1723]}), ACCEPT),
         Packet("tcp", 1723), False),
        (chain("input") + rule("input", match(SOURCE, "192.0.2.9"), ACCEPT), Packet("gre"), False),
        (chain("input", "accept") + rule("input", match(SOURCE, "192.0.2.9"), DROP), Packet("gre"),
         False),
        (chain("input", "accept") + rule("input", match(L4, "gre"), DROP), Packet("gre"), True),
        (chain("input") + rule("input", {"jump": {"target": "x"}}) + rule("x", ACCEPT),
         Packet("gre"), False),
        (chain("input", "accept") + rule("input", {"jump": {"target": "x"}}) + rule("x", DROP),
         Packet("gre"), True),
        (chain("input") + rule("input", {"jump": {"target": "input"}}), Packet("gre"), True),
        (chain("forward") + rule("forward", match({"meta": {"key": "iifname"}}, "pptp*"), ACCEPT),
         Packet(device="pptp0"), False),
    ],
)  # fmt: skip
def test_rulesets(rules: Items, packet: Packet, refused: bool) -> None:
    hook = rules[0]["chain"]["hook"] if packet.device else "input"
    assert (refusing_chain(rules, hook, packet) is not None) is refused


def test_a_firewall_that_drops_gre(facts: Facts) -> None:
    rules = chain("input") + rule("input", match(PORT, 1723), ACCEPT)
    assert said(replace(facts, firewall=rules), "firewall") == [
        Finding(
            "firewall", State.FAILURE, "nftables' chain inet filter input drops GRE",
            "nft insert rule inet filter input meta l4proto gre accept",
        )
    ]  # fmt: skip


def test_a_firewall_that_forwards_nothing(facts: Facts) -> None:
    (found,) = said(replace(facts, firewall=chain("forward")), "firewall")
    assert found.what == (
        "nftables' chain inet filter forward drops what clients send to other networks"
    )
    assert found.remedy.startswith("nft insert rule inet filter forward iifname pptp0 accept")


def test_rules_that_cannot_be_had(facts: Facts) -> None:
    (found,) = said(replace(facts, firewall=None), "firewall")
    assert (found.state, found.what) == (
        State.WARNING,
        "nft could not be asked for its rules",
    )


def test_legacy_rules(facts: Facts) -> None:
    (facts.proc / "net").mkdir()
    (facts.proc / "net" / "ip_tables_names").write_text("filter\nnat\n")
    (found,) = said(facts, "firewall")
    assert found.what == "iptables-legacy has rules, which are not looked at here"


def test_no_forwarding(facts: Facts) -> None:
    (facts.proc / "sys/net/ipv4/ip_forward").write_text("0\n")
    (found,) = said(facts, "forwarding")
    assert found.what == (
        "net.ipv4.ip_forward is 0: clients reach this machine and nothing behind it"
    )
    (found,) = said(with_system(facts, forwarding="true"), "forwarding")
    assert found.state is State.OK


def test_reverse_path_filtering_with_two_ways_out(facts: Facts) -> None:
    two = replace(facts, routes=(*facts.routes, Route(EVERYWHERE, "eth1")))
    (found,) = said(two, "rp_filter")
    assert found.what == (
        "eth0: rp_filter is strict and there are 2 default routes; "
        "GRE that comes in by one and would be answered by the other is dropped"
    )
    assert found.remedy == "sysctl -w net.ipv4.conf.eth0.rp_filter=2"
    (facts.proc / "sys/net/ipv4/conf/all/rp_filter").write_text("2\n")  # the larger counts
    assert said(two, "rp_filter")[0].state is State.OK


def test_a_full_table_of_connections(facts: Facts) -> None:
    rules = chain("input", "accept") + rule("input", match(STATE, "invalid"), DROP)
    (found,) = said(replace(facts, firewall=rules), "conntrack")
    assert found.what == (
        "900 of 1000 connections are tracked; when the table is full, GRE is dropped"
    )
    (facts.proc / "sys/net/netfilter/nf_conntrack_count").write_text("10\n")
    (found,) = said(replace(facts, firewall=rules), "conntrack")
    assert (found.state, found.what) == (State.OK, "10 of 1000 connections are tracked")


def test_an_mtu_that_makes_fragments(facts: Facts) -> None:
    narrow = replace(facts, devices=(replace(OUTSIDE, mtu=1440), INSIDE))
    (found,) = said(narrow, "mtu")
    assert found.what == (
        "eth0 has MTU 1440; a full packet of a session needs 1444, and is sent in two fragments"
    )
    assert found.remedy == f"fastpptp system set --mru {1440 - OVERHEAD}"


def test_listening_everywhere_looks_at_the_default_route(facts: Facts) -> None:
    everywhere = replace(facts.bootstrap, listen=(IPv4Address(0),))
    narrow = replace(facts, bootstrap=everywhere, devices=(OUTSIDE, replace(INSIDE, mtu=576)))
    assert said(narrow, "mtu")[0].state is State.OK


def test_a_pool_with_our_own_address(facts: Facts) -> None:
    found = said(with_pool(facts, "172.16.2.1", "172.16.2.20"), "pools")
    assert found[0].what == (
        "pool 172.16.2.1-172.16.2.20 has 172.16.2.1, this machine's own address on eth1"
    )
    assert found[0].state is State.FAILURE


def test_a_pool_that_is_routed_elsewhere(facts: Facts) -> None:
    routed = replace(facts, routes=(*facts.routes, Route(IPv4Network("172.16.1.10/32"), "eth1")))
    (found,) = said(routed, "pools")
    assert found.what == (
        "pool 172.16.1.10-172.16.1.20: 172.16.1.10/32 is routed to eth1, not to the clients"
    )


def test_the_server_address_is_the_one_that_is_dialled(facts: Facts) -> None:
    (found,) = said(with_system(facts, server_address='"192.0.2.1"'), "server address")
    assert found.what == (
        "192.0.2.1 is the address that clients dial and the Server Address of IPCP too; "
        "Linux clients then send their GRE into its own tunnel"
    )


def test_no_store(facts: Facts) -> None:
    none = replace(facts, policy=None, store_problem="x does not exist\nMake it: fastpptp init")
    assert said(none, "store") == [
        Finding("store", State.FAILURE, "x does not exist", "Make it: fastpptp init")
    ]
    for check in CHECKS:
        list(check(none))  # the others do without


def test_a_key_that_others_can_read(facts: Facts) -> None:
    key = facts.bootstrap.key_path
    key.write_text("secret")
    key.chmod(0o640)
    (found,) = said(facts, "files")
    assert (found.what, found.remedy) == (
        f"{key} has mode 0640: others can read it",
        f"chmod 600 {key}",
    )
    key.chmod(0o600)
    assert said(facts, "files")[0].state is State.OK
    if os.geteuid() == 0:
        os.chown(key, 65534, -1)
        assert said(facts, "files")[0].what == (
            f"{key} belongs to nobody, the state directory to root"
        )


def test_a_clock_that_nobody_keeps(facts: Facts) -> None:
    assert said(replace(facts, clock_synchronized=False), "clock")[0].state is State.WARNING


def test_another_server_on_the_port(facts: Facts) -> None:
    stopped = replace(facts, running=False, bootstrap=replace(facts.bootstrap, port=1))
    (found,) = said(stopped, "port")
    assert found.what == "192.0.2.1 is not an address of this machine"


def test_the_port_for_dhcp(facts: Facts) -> None:
    assert said(facts, "dhcp") == []
    text = "[assignment]\ndhcp = true\n[dhcp]\nservers = ['192.0.2.67']\n"
    asking = replace(facts, policy=PolicySnapshot(toml.loads(text)))
    (running,) = said(asking, "dhcp")
    assert running.state is State.OK
    away = text + "relay_address = '192.0.2.99'\n"
    stopped = replace(asking, running=False, policy=PolicySnapshot(toml.loads(away)))
    (finding,) = said(stopped, "dhcp")
    assert finding.state is State.FAILURE
    assert finding.what == "UDP port 67 on 192.0.2.99: Cannot assign requested address"
    assert finding.remedy == "dhcp.relay_address must be an address of this machine."


def with_events(facts: Facts, text: str) -> Facts:
    return replace(facts, policy=PolicySnapshot(toml.loads(f'[events]\nsyslog = "1-3"\n{text}')))


def test_events_that_are_sent_to_nobody(facts: Facts) -> None:
    (found,) = said(with_events(facts, ""), "events")
    assert found == Finding(
        "events",
        State.WARNING,
        "events.syslog has no effect",
        "there is no syslog server: fastpptp syslog-server add",
    )
    (found,) = said(with_events(facts, '[syslog_servers.a]\nserver = "192.0.2.9"\n'), "events")
    assert (found.state, found.what) == (State.OK, "are sent to syslog server a")
    text = '[trap_destinations.a]\ndestination = "n"\nsnmp_version = "SNMPv3"\nuser = "u"\n'
    text += '[syslog_servers.a]\nserver = "192.0.2.9"\n'
    engine = said(with_events(facts, text), "events")[-1]
    assert engine.what == f"SNMPv3 managers know this machine as engine 0x{engine_id().hex()}"
    assert said(facts, "events") == []
    assert said(replace(facts, policy=None), "events") == []
