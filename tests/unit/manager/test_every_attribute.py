"""Every declared attribute has an effect on a live session, at every level where it can be set.

The cases are found by iterating the declarations: an attribute without a proof fails.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from ipaddress import IPv4Address, IPv4Network, IPv6Network
from pathlib import Path
from random import Random
from typing import Any

import pytest

from fastpptp.addresses.dhcp import Asking
from fastpptp.errors import ConfigurationError
from fastpptp.manager import SessionManager, Workers
from fastpptp.ports import CallEvent, PacketFilter
from fastpptp.ppp.events import IpUp, LinkEnded
from fastpptp.settings import attributes
from fastpptp.settings.attributes import Level
from fastpptp.settings.check import check
from fastpptp.settings.resolve import PolicySnapshot
from fastpptp.settings.tree import (
    Configuration,
    FilterEntry,
    GroupEntry,
    UserEntry,
    Values,
)
from fastpptp.testing import LocalAnswers, ScriptedClient
from fastpptp.testing.answers import MONDAY_NOON
from fastpptp.testing.headend import CALM, MemoryHeadend, Weather
from tests.unit.manager.world import OPEN_BOXES, PEER, POOL, WORDS, client

TESTS = Path(__file__).parents[2]
OTHER = IPv4Address("171.69.89.130")
SUNDAY = datetime(2024, 1, 7, 12, 0)
NO_FILTERS: Mapping[str, FilterEntry] = {}
ALL_METHODS = list(WORDS.values())
MSCHAP = ["MSCHAPv1", "MSCHAPv2"]


@dataclass(frozen=True)
class Site:
    """Where the attribute under proof is set; what the others are, `headend` says."""

    name: str
    level: Level | None = None
    section: str = ""

    def headend(
        self,
        value: Any,
        *,
        base: Values | None = None,
        user: UserEntry | None = None,
        wall: datetime = MONDAY_NOON,
        gre: Weather = CALM,
        filters: Mapping[str, FilterEntry] = NO_FILTERS,
        workers: int = 1,
        **sections: Values,
    ) -> MemoryHeadend:
        """A headend with this value there, the attributes of `base` in the base group."""
        levels: dict[Level, dict[str, Any]] = {level: {} for level in Level}
        levels[Level.BASE] |= base or {}
        own: dict[str, dict[str, Any]] = {name: dict(values) for name, values in sections.items()}
        if self.level is not None:
            levels[self.level][self.name] = value
        else:
            own.setdefault(self.section, {})[self.name] = value
        who = user or UserEntry("cisco123", "pptpgroup")
        tree = Configuration(
            sections=own,
            base=levels[Level.BASE],
            groups={"pptpgroup": GroupEntry(attributes=levels[Level.GROUP])},
            users={
                "pptpuser": UserEntry(
                    who.password, who.group, who.address, who.netmask,
                    attributes={**who.attributes, **levels[Level.USER]},
                )
            },
            pools=(POOL,),
            filters=filters,
        )  # fmt: skip
        policy = PolicySnapshot(tree)
        manager = SessionManager(
            policy, rng=Random(1).randbytes, workers=Workers(workers, movable=workers > 1)
        )
        answers = LocalAnswers(policy, wall)
        return MemoryHeadend(manager, answers, seed=1, gre=gre, workers=workers)


Proof = Callable[[Site], None]
PROOFS: dict[str, Proof] = {}
# What only a real machine shows: the test file that does, in which the attribute is named.
ELSEWHERE: dict[str, str] = {
    "system.forwarding": "netns/test_passage.py",
    "system.nat": "netns/test_passage.py",
    "system.proxy_arp": "netns/test_inside.py",
}


ELSEWHERE |= {f"dhcp.{name}": "unit/server/test_dhcp.py" for name in attributes.SECTIONS["dhcp"]}
ELSEWHERE |= {f"snmp.{name}": "services/test_snmp.py" for name in attributes.SECTIONS["snmp"]}


def proves(*keys: str) -> Callable[[Proof], Proof]:
    def register(proof: Proof) -> Proof:
        for key in keys:
            PROOFS[key] = proof
        return proof

    return register


def declared() -> Iterable[tuple[str, Site]]:
    """`section.name` of every attribute that policy uses, once for each level of the groups'."""
    for section in ("pptp", "system", "assignment", "dhcp", "snmp"):
        for name in attributes.SECTIONS[section]:
            yield f"{section}.{name}", Site(name, section=section)
    for attribute in attributes.GROUP:
        for level in attribute.levels:
            yield f"group.{attribute.name}", Site(attribute.name, level)


CASES = sorted(declared(), key=lambda case: (case[0], str(case[1].level)))


@pytest.mark.parametrize(
    ("key", "site"), CASES, ids=[f"{key}-{site.level.value}" if site.level else key
                                 for key, site in CASES]
)  # fmt: skip
def test_effect(key: str, site: Site) -> None:
    if key in ELSEWHERE:
        assert site.name in (TESTS / ELSEWHERE[key]).read_text()
    else:
        assert key in PROOFS, f"{key} is declared and no test proves what it does"
        PROOFS[key](site)


def test_no_proof_of_what_is_not_declared() -> None:
    assert {key for key, _ in CASES} == PROOFS.keys() | ELSEWHERE.keys()


# What the proofs look at.


def dial(
    memory: MemoryHeadend, peer: IPv4Address = PEER, seconds: float = 5, **options: Any
) -> ScriptedClient:
    dialled = memory.dial(client(**options), peer)
    memory.run(seconds)
    return dialled


def is_up(memory: MemoryHeadend, peer: IPv4Address = PEER, **options: Any) -> bool:
    return dial(memory, peer, **options).calls[0].is_up


def error(dialled: ScriptedClient) -> int:
    """The MS-CHAP code that the client was told."""
    ended = dialled.calls[0].last(LinkEnded)
    assert ended is not None
    return ended.error


def rejections(memory: MemoryHeadend) -> list[str]:
    """AUTH/5's reasons."""
    return [e.fields["reason"] for e in memory.events if (e.cls, e.number) == ("AUTH", 5)]


def ip(dialled: ScriptedClient) -> IpUp:
    found = dialled.calls[0].last(IpUp)
    assert found is not None
    return found


def call(memory: MemoryHeadend) -> Any:
    (found,) = memory.dataplane.calls.values()
    return found


def reason(memory: MemoryHeadend) -> str:
    (event,) = [e for e in memory.events if (e.cls, e.number) == ("AUTH", 28)]
    return event.text().rpartition("Reason: ")[2]


# General tab.


def asked_by_dhcp(memory: MemoryHeadend) -> list[Asking]:
    """What DHCP servers were asked for by a client that then got an address from the pools."""
    assert is_up(memory)
    assert isinstance(memory.answers, LocalAnswers)
    return memory.answers.asked


@proves("group.access_hours")
def access_hours(site: Site) -> None:
    outside = site.headend("Business Hours", wall=SUNDAY)
    assert error(dial(outside)) == 646
    assert rejections(outside) == ["Outside of the access hours"]
    assert not is_up(site.headend("Never"))
    ending = site.headend("Business Hours", wall=MONDAY_NOON.replace(hour=16, minute=50))
    dialled = dial(ending)
    ending.run(590)
    assert dialled.calls[0].is_up
    ending.run(20)
    assert not dialled.calls[0].is_up
    assert "PPP/105" in ending.texts()
    assert reason(ending) == "Access Hours ended"


@proves("group.simultaneous_logins")
def simultaneous_logins(site: Site) -> None:
    memory = site.headend(1)
    assert is_up(memory)
    assert not is_up(memory, OTHER)
    assert rejections(memory) == ["Simultaneous logins exceeded for user"]
    disabled = site.headend(0)
    assert error(dial(disabled)) == 647
    assert rejections(disabled) == ["Login is disabled"]


EXPIRED = UserEntry("cisco123", "pptpgroup", attributes={"password_expired": True})


def changes_to(memory: MemoryHeadend, password: str) -> bool:
    """Whether a user whose password has expired may change it to this one."""
    return is_up(memory, new_password=password)


@proves("group.minimum_password_length")
def minimum_password_length(site: Site) -> None:
    assert not changes_to(site.headend(10, user=EXPIRED), "nine-9999")
    assert changes_to(site.headend(9, user=EXPIRED), "nine-9999")


@proves("group.allow_alphabetic_only_passwords")
def allow_alphabetic_only_passwords(site: Site) -> None:
    assert not changes_to(site.headend(False, user=EXPIRED), "abcdefghij")
    assert changes_to(site.headend(True, user=EXPIRED), "abcdefghij")


@proves("group.password_expired")
def password_expired(site: Site) -> None:
    memory = site.headend(True)
    assert error(dial(memory)) == 648
    assert rejections(memory) == ["Password has expired"]
    assert is_up(site.headend(False))


@proves("group.idle_timeout")
def idle_timeout(site: Site) -> None:
    memory = site.headend(7)
    dialled = dial(memory)
    assert call(memory).policy.idle_timeout == 7 * 60_000
    memory.dataplane.raise_event(call(memory).handle, CallEvent.IDLE)
    memory.carry_out([])
    memory.run(30)
    assert not dialled.calls[0].is_up
    assert reason(memory) == "Idle Timeout"


@proves("group.maximum_connect_time")
def maximum_connect_time(site: Site) -> None:
    memory = site.headend(2)
    dialled = dial(memory)
    memory.run(110)
    assert dialled.calls[0].is_up
    memory.run(20)
    assert not dialled.calls[0].is_up
    assert reason(memory) == "Max time exceeded"


@proves("group.primary_dns", "group.secondary_dns")
def dns(site: Site) -> None:
    assert ip(dial(site.headend("10.9.9.1"))).dns == (IPv4Address("10.9.9.1"),)


@proves("group.primary_wins", "group.secondary_wins")
def wins(site: Site) -> None:
    assert ip(dial(site.headend("10.9.9.3"))).nbns == (IPv4Address("10.9.9.3"),)


@proves("group.tunneling_protocols")
def tunneling_protocols(site: Site) -> None:
    memory = site.headend(["L2TP", "IPSec"])
    assert error(dial(memory)) == 649
    assert rejections(memory) == ["PPTP is not among the tunneling protocols"]


@proves("group.strip_realm")
def strip_realm(site: Site) -> None:
    for name in ("pptpuser@example.com", "EXAMPLE\\pptpuser"):
        assert is_up(site.headend(True), user=name)
    assert not is_up(site.headend(False), user="pptpuser@example.com")


@proves("group.static_routes")
def static_routes(site: Site) -> None:
    memory = site.headend(["10.20.0.0/16", "2001:db8:20::/48"])
    dial(memory)
    routes = [f"{address}/{length}" for address, length in call(memory).policy.routes]
    assert routes == ["10.20.0.0/16", "2001:db8:20::/48"]


# PPTP/L2TP tab.


@proves("group.use_client_address")
def use_client_address(site: Site) -> None:
    wanted = IPv4Address("10.7.7.7")
    methods = {"from_client": True}
    taken = dial(site.headend(True, assignment=methods), request_address=wanted)
    assert ip(taken).local == wanted
    refused = dial(site.headend(False, assignment=methods), request_address=wanted)
    assert ip(refused).local == POOL.first


@proves("group.pptp_authentication_protocols")
def pptp_authentication_protocols(site: Site) -> None:
    base = {"pptp_encryption": []} | (
        {} if site.level is Level.BASE else {"pptp_authentication_protocols": ALL_METHODS}
    )
    for method, word in WORDS.items():
        assert is_up(site.headend([word], base=base), methods=[method])
        others = [other for other in WORDS if other is not method]
        memory = site.headend([word], base=base)
        assert not is_up(memory, methods=others)
        assert "PPP/12" in memory.texts()


@proves("group.pptp_encryption")
def pptp_encryption(site: Site) -> None:
    base = {"pptp_authentication_protocols": MSCHAP}
    required = site.headend(["Required", "128-bit"], base=base)
    assert not is_up(required, bits=[40])
    assert "PPP/6" in required.texts()
    for box in OPEN_BOXES:
        memory = site.headend(["Required", "Require Stateless", box], base=base)
        assert is_up(memory, stateless=False)
        (view,) = memory.manager.sessions()
        assert str(view.encryption) == f"MPPE {box} stateless"
    stateful = site.headend(["Required", "128-bit"], base=base)
    assert is_up(stateful, stateless=False)
    (view,) = stateful.manager.sessions()
    assert str(view.encryption) == "MPPE 128-bit stateful"
    assert is_up(site.headend([], base=base), bits=[])


@proves("group.authentication_retries")
def authentication_retries(site: Site) -> None:
    again = {"password": "wrong", "retry_passwords": ("cisco123",)}
    assert is_up(site.headend(1), **again)
    assert not is_up(site.headend(0), **again)


# Configuration | System | Tunneling Protocols | PPTP.


@proves("pptp.enabled")
def enabled(site: Site) -> None:
    assert not dial(site.headend(False)).established
    memory = site.headend(True)
    dialled = dial(memory)
    policy = PolicySnapshot(Configuration(sections={"pptp": {"enabled": False}}))
    memory.carry_out(memory.manager.update(policy, memory.clock()))
    memory.run(10)
    assert not dialled.calls[0].is_up
    assert not list(memory.manager.sessions())


@proves("pptp.maximum_tunnel_idle_time")
def maximum_tunnel_idle_time(site: Site) -> None:
    dialled = dial(site.headend(9), calls=0, seconds=8)
    assert dialled.established
    assert dialled.ended is None
    assert dial(site.headend(9), calls=0, seconds=10).ended is not None


@proves("pptp.packet_window_size")
def packet_window_size(site: Site) -> None:
    memory = site.headend(23)
    assert dial(memory).calls[0].call.peer_window == 23
    assert call(memory).spec.receive_window == 23


@proves("pptp.limit_transmit_to_window")
def limit_transmit_to_window(site: Site) -> None:
    memory = site.headend(True)
    dial(memory)
    spec = call(memory).spec
    assert (spec.limit_transmit_to_window, spec.peer_window) == (True, 64)


@proves("pptp.max_tunnels")
def max_tunnels(site: Site) -> None:
    memory = site.headend(1)
    assert is_up(memory)
    assert not dial(memory, OTHER).established


@proves("pptp.max_sessions_per_tunnel")
def max_sessions_per_tunnel(site: Site) -> None:
    dialled = dial(site.headend(2), calls=3)
    assert [made.is_up for made in dialled.calls] == [True, True, False]


@proves("pptp.packet_processing_delay")
def packet_processing_delay(site: Site) -> None:
    assert dial(site.headend(77)).calls[0].call.peer_processing_delay == 77


@proves("pptp.acknowledgement_delay", "pptp.acknowledgement_timeout")
def acknowledgements(site: Site) -> None:
    """How the worker keeps these: tests/unit/dataplane/test_sequence.py."""
    memory = site.headend(7 if site.name.endswith("timeout") else 70)
    dial(memory)
    spec = call(memory).spec
    assert (spec.ack_timeout == 7000) or (spec.ack_delay == 70)


@proves("group.pptp_compression")
def pptp_compression(site: Site) -> None:
    """Kept for when there is MPPC; until then it cannot be turned on, and the C bit is NAKed."""
    with pytest.raises(ConfigurationError, match="MPPC"):
        check(Configuration(base={site.name: "MPPC"}))
    assert is_up(site.headend("none"))


@proves("group.filter")
def traffic_filter(site: Site) -> None:
    """The dataplane's tests show what a filter lets pass; here it is the call's, and follows."""
    memory = site.headend("web", filters={"web": FilterEntry()})
    dial(memory)
    assert call(memory).policy.filter == "web"
    assert memory.dataplane.filters == {"web": PacketFilter()}
    same = memory.manager.policy.tree
    forward = FilterEntry({"default_action": "Forward"})
    memory.carry_out(
        memory.manager.update(PolicySnapshot(replace(same, filters={"web": forward})), 9)
    )
    assert memory.dataplane.filters == {"web": PacketFilter(forward=True)}
    without = Configuration(base={}, groups={"pptpgroup": GroupEntry()}, users={
        "pptpuser": UserEntry("cisco123", "pptpgroup")}, pools=(POOL,))  # fmt: skip
    memory.carry_out(memory.manager.update(PolicySnapshot(without), 9))
    assert call(memory).policy.filter is None


@proves("group.sep_card_assignment")
def sep_card_assignment(site: Site) -> None:
    for card in (1, 2, 3):
        memory = site.headend([str(card)], workers=3)
        dial(memory)
        assert call(memory).worker == card - 1


@proves("group.dhcp_network_scope")
def dhcp_network_scope(site: Site) -> None:
    (asked,) = asked_by_dhcp(site.headend("10.0.0.0/24", assignment={"dhcp": True}))
    assert asked.scope == IPv4Network("10.0.0.0/24")


@proves("assignment.dhcp")
def dhcp(site: Site) -> None:
    """How servers are asked: tests/unit/server/test_dhcp.py."""
    assert asked_by_dhcp(site.headend(True)) == [Asking("pptpuser", None, PEER)]
    assert asked_by_dhcp(site.headend(False)) == []


# Our own.


@proves("system.server_address")
def server_address(site: Site) -> None:
    assert ip(dial(site.headend("10.1.1.1"))).peer == IPv4Address("10.1.1.1")


@proves("system.ipv6_prefix")
def ipv6_prefix(site: Site) -> None:
    memory = site.headend("2001:db8:7::/48")
    dial(memory, ipv6=True)
    assert call(memory).policy.peer_prefix == IPv6Network("2001:db8:7::/64")
    assert call(memory).gates == {4, 6}


@proves("system.mru")
def mru(site: Site) -> None:
    memory = site.headend(1111)
    dialled = dial(memory)
    assert dialled.calls[0].link.peer_mru == 1111


@proves("system.echo_interval", "system.echo_failures")
def echoes(site: Site) -> None:
    """What the worker does with them: tests/unit/dataplane/test_lcp.py."""
    memory = site.headend(17)
    dial(memory)
    policy = call(memory).policy
    assert (policy.echo_interval == 17_000) or (policy.echo_failures == 17)


@proves("system.handshakes_in_flight", "system.handshakes_per_source")
def handshakes(site: Site) -> None:
    memory = site.headend(1)
    dialled = dial(memory, calls=2, seconds=0)
    assert dialled.calls[1].ended is not None
    assert "PPTP/103" in memory.texts()


@proves("system.no_gre_warning")
def no_gre_warning(site: Site) -> None:
    memory = site.headend(4, gre=Weather(loss=1.0))
    dial(memory, seconds=3.9)
    assert "PPTP/114" not in memory.texts()
    memory.run(0.2)
    assert "PPTP/114" in memory.texts()


@proves("system.reorder_packets", "system.reorder_time")
def reordering(site: Site) -> None:
    """What the worker does with them: tests/unit/dataplane/test_sequence.py."""
    memory = site.headend(9)
    dial(memory)
    spec = call(memory).spec
    assert getattr(spec, site.name) == 9


@proves("system.client_to_client")
def client_to_client(site: Site) -> None:
    for value in (True, False):
        memory = site.headend(value)
        dial(memory)
        assert call(memory).policy.client_to_client is value


# Address assignment.


@proves("assignment.from_client")
def from_client(site: Site) -> None:
    wanted = IPv4Address("10.7.7.7")
    for value, address in ((True, wanted), (False, POOL.first)):
        memory = site.headend(value, base={"use_client_address": True})
        assert ip(dial(memory, request_address=wanted)).local == address


@proves("assignment.from_authentication_server")
def from_authentication_server(site: Site) -> None:
    own = IPv4Address("172.16.9.9")
    user = UserEntry("cisco123", "pptpgroup", address=own)
    for value, address in ((True, own), (False, POOL.first)):
        assert ip(dial(site.headend(value, user=user))).local == address


@proves("assignment.pools")
def from_pools(site: Site) -> None:
    memory = site.headend(False, assignment={"from_authentication_server": True})
    assert not is_up(memory)
    assert "ADDRESS/100" in memory.texts()
    assert ip(dial(site.headend(True))).local == POOL.first
