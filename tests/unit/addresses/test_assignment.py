"""Methods in their order, grants, events."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address, IPv4Network, IPv6Network

import pytest

from fastpptp.addresses.assignment import Assignment
from fastpptp.addresses.pools import PoolAllocator, PrefixAllocator
from fastpptp.settings import profiles
from fastpptp.settings.draft import Draft
from fastpptp.settings.resolve import Effective, PolicySnapshot
from fastpptp.settings.tree import Configuration, PoolRange, UserEntry

FIRST = IPv4Address("172.16.1.10")
SERVER = IPv4Address("172.16.1.1")
OWN = IPv4Address("172.16.1.12")
PEER = IPv4Address("171.69.89.129")


@dataclass
class Person:
    user: str
    effective: Effective = field(default_factory=lambda: PolicySnapshot(Configuration()).base)
    address: IPv4Address | None = None


def policy(**methods: bool) -> PolicySnapshot:
    draft = Draft(profiles.default())
    draft.set_section("assignment", methods)
    draft.set_section("system", {"ipv6_prefix": "2001:db8::/62"})
    draft.set_user("pptpuser", {"ip_address": str(OWN)})
    return PolicySnapshot(draft.finish())


def willing(user: str) -> Person:
    effective = PolicySnapshot(Configuration()).base
    return Person(user, replace(effective, use_client_address=True))


def events(assigned: object) -> list[tuple[str, int]]:
    return [(event.cls, event.number) for event in assigned.events]  # type: ignore[attr-defined]


def test_the_first_client_gets_the_first_address() -> None:
    assigned = Assignment(policy()).lease(Person("ann"), None, 0.0, PEER)
    assert assigned.grant is not None
    assert (assigned.grant.address, assigned.grant.server_address) == (FIRST, SERVER)
    assert assigned.grant.method == "pool"
    assert assigned.grant.prefix == IPv6Network("2001:db8::/64")
    assert assigned.events[0].text() == "User [ann] address 172.16.1.10 assigned by pool"


def test_servers_come_from_the_effective_attributes() -> None:
    dns = (IPv4Address("8.8.8.8"),)
    person = Person("ann", replace(Person("x").effective, dns=dns, wins=dns * 2))
    grant = Assignment(policy()).lease(person, None, 0.0).grant
    assert grant is not None
    assert (grant.dns, grant.nbns) == (dns, dns * 2)


def test_used_up() -> None:
    assignment = Assignment(policy())
    granted = [assignment.lease(Person(f"u{n}"), None, 0.0).grant for n in range(11)]
    assert all(granted)
    assert assignment.in_use == 11
    refused = assignment.lease(Person("late"), None, 0.0)
    assert refused.grant is None
    assert refused.events[0].text() == (
        "The address pools are used up: 11 addresses are in use or kept for their users, "
        "1 more asked for since this was last told"
    )
    first = granted[0]
    assert first is not None
    assignment.release(first)
    again = assignment.lease(Person("late"), None, 0.0).grant
    assert again is not None
    assert again.address == FIRST
    assignment.release(first)
    assert assignment.in_use == 11, "a second release gave back another's lease"


@pytest.mark.parametrize(
    ("methods", "why"),
    [
        ({"pools": True}, "there is no address pool"),
        ({"pools": False, "from_client": True}, "no method that is on has one"),
    ],
)
def test_why_there_is_none(methods: dict[str, bool], why: str) -> None:
    tree = Configuration(sections={"assignment": methods})
    refused = Assignment(PolicySnapshot(tree)).lease(Person("ann"), None, 0.0)
    assert why in refused.events[0].text()


def test_a_flood_is_told_once_with_a_count() -> None:
    assignment = Assignment(policy())
    told = [
        event.text()
        for second in range(200)
        for event in assignment.lease(Person(f"u{second}"), None, float(second)).events
        if event.number == 104
    ]
    assert [text.split(", ")[1].split()[0] for text in told] == ["1", "60", "60", "60"]


def test_how_much_of_each_pool_is_in_use() -> None:
    pools = (PoolRange(FIRST, OWN), PoolRange(IPv4Address("10.0.0.1"), IPv4Address("10.0.0.3")))
    users = {"pptpuser": UserEntry("cisco123", address=OWN)}
    tree = Configuration(
        sections={"assignment": {"from_authentication_server": True}}, pools=pools, users=users
    )
    assignment = Assignment(PolicySnapshot(tree))

    def usage() -> list[tuple[int, int, int, int]]:
        return [(one.size, one.in_use, one.reserved, one.free) for one in assignment.pools()]

    assert usage() == [(3, 0, 1, 2), (3, 0, 0, 3)]
    for n in range(3):
        assignment.lease(Person(f"u{n}"), None, 0.0)
    assert usage() == [(3, 2, 1, 0), (3, 1, 0, 2)]
    assignment.lease(Person("pptpuser", address=OWN), None, 0.0)
    assert usage() == [(3, 3, 0, 0), (3, 1, 0, 2)]


def test_from_the_client() -> None:
    assignment = Assignment(policy(from_client=True))
    wanted = IPv4Address("172.16.1.18")
    granted = assignment.lease(willing("ann"), wanted, 0.0)
    assert granted.grant is not None
    assert (granted.grant.address, granted.grant.method) == (wanted, "the client")
    second = assignment.lease(willing("bob"), wanted, 0.0)
    assert second.grant is not None
    assert second.grant.address == FIRST
    assert events(second) == [("ADDRESS", 103), ("ADDRESS", 101)]


@pytest.mark.parametrize("wanted", ["0.0.0.0", "224.0.0.1", "127.0.0.1", "172.16.1.1", str(OWN)])
def test_addresses_that_a_client_cannot_have(wanted: str) -> None:
    """Not the server's, not another user's own, nothing that is no host's."""
    granted = Assignment(policy(from_client=True)).lease(willing("ann"), IPv4Address(wanted), 0.0)
    assert granted.grant is not None
    assert granted.grant.method == "pool"


def test_user_and_system_must_both_allow_the_clients_address() -> None:
    wanted = IPv4Address("172.16.1.18")
    for assignment, person in (
        (Assignment(policy(from_client=True)), Person("ann")),
        (Assignment(policy()), willing("ann")),
    ):
        grant = assignment.lease(person, wanted, 0.0).grant
        assert grant is not None
        assert grant.address == FIRST


def test_from_the_authentication_server() -> None:
    assignment = Assignment(policy(from_authentication_server=True))
    person = Person("pptpuser", address=OWN)
    granted = assignment.lease(person, None, 0.0)
    assert granted.grant is not None
    assert (granted.grant.address, granted.grant.method) == (OWN, "the authentication server")
    second = assignment.lease(person, None, 0.0)
    assert second.grant is not None
    assert second.grant.address == FIRST
    assert events(second) == [("ADDRESS", 103), ("ADDRESS", 101)]
    others = [assignment.lease(Person(f"u{n}"), None, 0.0).grant for n in range(10)]
    assert others[-1] is None, "a user's own address went out from the pool"


def test_a_users_address_is_ignored_with_a_warning() -> None:
    granted = Assignment(policy()).lease(Person("pptpuser", address=OWN), None, 0.0)
    assert granted.grant is not None
    assert granted.grant.address == FIRST
    assert events(granted) == [("CONFIG", 103), ("ADDRESS", 101)]


def test_networks_behind_the_peer() -> None:
    """But not where this machine is attached itself."""
    inside, behind = IPv4Network("10.1.0.0/16"), IPv4Network("192.168.7.0/24")
    person = Person("ann", replace(Person("x").effective, static_routes=(inside, behind)))
    attached = [IPv6Network("2001:db8::/32"), IPv4Network("10.1.2.0/24")]
    assigned = Assignment(policy(), lambda: attached).lease(person, None, 0.0)
    assert assigned.grant is not None
    assert assigned.grant.networks == (behind,)
    assert assigned.events[-1].text() == (
        "User [ann] the network 10.1.0.0/16 behind it is not routed: this machine is itself "
        "attached to 10.1.2.0/24"
    )


def test_update_keeps_what_is_out() -> None:
    assignment = Assignment(policy())
    grant = assignment.lease(Person("ann"), None, 0.0).grant
    assert grant is not None
    other = PoolRange(IPv4Address("10.0.0.1"), IPv4Address("10.0.0.2"), IPv4Address("10.0.0.254"))
    assignment.update(PolicySnapshot(Configuration(pools=(other,))))
    moved = assignment.lease(Person("bob"), None, 0.0).grant
    assert moved is not None
    assert (str(moved.address), str(moved.server_address)) == ("10.0.0.1", "10.0.0.254")
    assert moved.prefix is None
    assignment.release(grant)
    assignment.release(moved)
    assert assignment.in_use == 0


def test_pools_and_prefixes_as_such() -> None:
    pools = PoolAllocator([PoolRange(FIRST, FIRST)], {FIRST})
    assert pools.lease() is None
    assert pools.claim(FIRST)
    assert pools.leased == {FIRST}
    assert pools.pool_of(SERVER) is None
    prefixes = PrefixAllocator(IPv6Network("2001:db8::/63"))
    leased = [prefixes.lease("a"), prefixes.lease("b"), prefixes.lease("c")]
    assert [str(p) for p in leased] == ["2001:db8::/64", "2001:db8:0:1::/64", "None"]
    assert leased[0] is not None
    prefixes.release(leased[0], "a")
    assert prefixes.lease("c") == leased[0]
