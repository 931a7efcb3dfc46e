"""Traffic filters on live sessions: whose holds, what is logged of them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6

from fastpptp.effects import SetFilters
from fastpptp.manager.filterlog import packet_text
from fastpptp.ports import FilterLog
from fastpptp.session import Cause
from fastpptp.settings.resolve import PolicySnapshot
from fastpptp.settings.tree import FilterEntry
from fastpptp.testing import MemoryHeadend
from tests.unit.manager.world import PEER, client, only_session, policy, world

BOTH = {"of-all": FilterEntry(), "of-one": FilterEntry()}


def with_filters(base: str, user: str | None) -> PolicySnapshot:
    tree = policy().tree
    entry = tree.users["pptpuser"]
    own = {} if user is None else {"filter": user}
    return PolicySnapshot(
        replace(
            tree,
            filters=BOTH,
            base={**tree.base, "filter": base},
            users={"pptpuser": replace(entry, attributes={**entry.attributes, **own})},
        )
    )


def held(memory: MemoryHeadend) -> str | None:
    (call,) = memory.dataplane.calls.values()
    assert only_session(memory).filter == call.policy.filter
    return call.policy.filter


def up(chosen: PolicySnapshot) -> MemoryHeadend:
    memory = world(chosen)
    dialled = memory.dial(client(), PEER)
    memory.run(1)
    assert dialled.calls[0].is_up
    return memory


def test_the_users_own_comes_before_the_base_groups() -> None:
    assert held(up(with_filters("of-all", None))) == "of-all"
    assert held(up(with_filters("of-all", "of-one"))) == "of-one"
    assert held(up(with_filters("of-all", "none"))) is None


def test_a_session_follows_at_once() -> None:
    memory = up(with_filters("of-all", "of-one"))
    memory.carry_out(memory.manager.update(with_filters("of-all", None), memory.clock()))
    assert held(memory) == "of-all"
    effects = memory.manager.update(policy(), memory.clock())
    assert isinstance(effects[0], SetFilters)  # first: what no one has any more is dropped by it
    memory.carry_out(effects)
    assert held(memory) is None
    assert memory.manager.update(policy(), memory.clock()) == []


def without(user: bool, filters: bool) -> PolicySnapshot:
    tree = with_filters("of-all", "of-one").tree
    return PolicySnapshot(
        replace(
            tree,
            filters=BOTH if filters else {"of-all": BOTH["of-all"]},
            users=tree.users if user else {},
        )
    )


def test_whose_user_is_deleted_keeps_its_filter_though_that_is_deleted_too() -> None:
    """Without it, the session would pass nothing; with another's, what nobody has decided."""
    memory = up(with_filters("of-all", "of-one"))
    for chosen in (without(user=False, filters=True), without(user=False, filters=False)):
        memory.carry_out(memory.manager.update(chosen, memory.clock()))
        assert held(memory) == "of-one"
    assert not [c for c in memory.dataplane.commands if c[0] == "set_filters" and len(c[1]) < 2]
    memory.carry_out(memory.manager.terminate_all(Cause.ADMIN_LOGOUT, memory.clock()))
    memory.run(5)
    (effect,) = memory.manager.update(without(user=False, filters=False), memory.clock())
    assert isinstance(effect, SetFilters)
    assert list(effect.filters) == ["of-all"]


def test_what_is_logged() -> None:
    memory = up(with_filters("of-all", None))
    packet = bytes(IP(src="172.16.1.10", dst="10.0.0.1") / TCP(sport=1025, dport=25))
    handle = only_session(memory).handle
    hit = FilterLog(handle, "of-all", None, True, False, 40, 7, packet)
    memory.carry_out(memory.manager.filter_logged(hit, memory.clock()))
    (event,) = [event for event in memory.events if event.cls == "FILTER"]
    assert event.text() == (
        "User [pptpuser] Filter [of-all] Rule [Default Action]: inbound packet dropped\n"
        "TCP 172.16.1.10 port 1025 -> 10.0.0.1 port 25, 40 octets; "
        "7 more before it were not logged"
    )
    gone = hit._replace(handle=99)
    assert memory.manager.filter_logged(gone, memory.clock()) == []


@pytest.mark.parametrize(
    ("packet", "said"),
    [
        (IPv6(src="::1", dst="::2") / UDP(sport=1, dport=2), "UDP ::1 port 1 -> ::2 port 2"),
        (IP(src="10.0.0.1", dst="10.0.0.2", proto=6, frag=3) / bytes(20),
         "TCP 10.0.0.1 -> 10.0.0.2"),
        (IP(src="10.0.0.1", dst="10.0.0.2", proto=17) / b"\0\1\0", "UDP 10.0.0.1 -> 10.0.0.2"),
        (IP(src="10.0.0.1", dst="10.0.0.2", proto=132) / bytes(9), "132 10.0.0.1 -> 10.0.0.2"),
    ],
)  # fmt: skip
def test_packets_in_words(packet: IP, said: str) -> None:
    assert packet_text(bytes(packet)) == said
