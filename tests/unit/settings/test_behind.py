"""Networks behind users: what they may not overlap, in exact words."""

from __future__ import annotations

from typing import Any

import pytest

from fastpptp.errors import ConfigurationError
from fastpptp.settings import toml
from fastpptp.settings.draft import Draft
from fastpptp.settings.resolve import PolicySnapshot
from fastpptp.settings.tree import Configuration

TREE = """
[system]
server_address = "10.0.0.1"

[base_group]
dhcp_network_scope = "10.3.0.0/24"

[groups.branch]
dhcp_network_scope = "10.4.0.0/24"

[users.ann]
password = "secret12"
ip_address = "10.2.0.5"

[users.bob]
password = "secret12"
ip_address = "10.8.0.1"
static_routes = ["10.8.0.0/16", "10.8.1.0/24"]

[[pools]]
first = "10.1.0.10"
last = "10.1.0.20"
"""
WHERE = "users.ann.static_routes: "
CHOOSE = " (choose what nothing else has)"
SUCH = " cannot be behind a user (such as 192.168.7.0/24)"


def edited(routes: Any, **system: Any) -> Configuration:
    draft = Draft(toml.loads(TREE))
    draft.set_section("system", system)
    draft.set_user("ann", {"static_routes": routes})
    return draft.finish()


@pytest.mark.parametrize(
    ("route", "said"),
    [
        ("10.1.0.16/28", WHERE + "10.1.0.16/28 overlaps pools[1] 10.1.0.10-10.1.0.20" + CHOOSE),
        ("10.0.0.0/24", WHERE + "10.0.0.0/24 overlaps the server address 10.0.0.1" + CHOOSE),
        ("10.3.0.0/16", WHERE + "10.3.0.0/16 overlaps base_group.dhcp_network_scope 10.3.0.0/24"
         + CHOOSE),
        ("10.4.0.128/25", WHERE + "10.4.0.128/25 overlaps groups.branch.dhcp_network_scope "
         "10.4.0.0/24" + CHOOSE),
        ("10.8.1.0/25", WHERE + "10.8.1.0/25 overlaps 10.8.0.0/16 behind the user bob" + CHOOSE),
        ("2001:db8:7::/64", WHERE + "2001:db8:7::/64 is IPv6, which sessions do not have "
         "(set system.ipv6_prefix)"),
        ("127.0.0.0/8", WHERE + "127.0.0.0/8" + SUCH),
        ("224.0.0.0/8", WHERE + "224.0.0.0/8" + SUCH),
    ],
)  # fmt: skip
def test_what_is_refused(route: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        edited([route])
    assert str(caught.value) == said


@pytest.mark.parametrize("raw", ["10.5.0.1/24", "x", 7, ["10.5.0.0/24", 8], ["10.5.0.0/24"] * 65])
def test_what_is_no_list_of_networks(raw: object) -> None:
    with pytest.raises(ConfigurationError, match=r"networks such as 192.168.7.0/24, at most 64"):
        edited(raw)


def test_another_users_address_and_the_ipv6_prefix() -> None:
    draft = Draft(toml.loads(TREE))
    draft.set_section("system", {"ipv6_prefix": "2001:db8:7::/48"})
    draft.set_user("bob", {"static_routes": ["10.2.0.0/24", "2001:db8::/32"]})
    with pytest.raises(ConfigurationError) as caught:
        draft.finish()
    assert str(caught.value).splitlines() == [
        "users.bob.static_routes: 10.2.0.0/24 overlaps the user ann's IP Address 10.2.0.5" + CHOOSE,
        "users.bob.static_routes: 2001:db8::/32 overlaps system.ipv6_prefix 2001:db8:7::/48"
        + CHOOSE,
    ]


def test_what_is_accepted() -> None:
    """A user's own address may lie in its network, and a network may hold another of its own."""
    tree = edited("10.2.0.0/16, 10.2.3.0/24,2001:db8:8::/64", ipv6_prefix="2001:db8:7::/48")
    user = PolicySnapshot(tree).user("ann")
    assert user is not None
    assert [str(network) for network in user.effective.static_routes] == [
        "10.2.0.0/16", "10.2.3.0/24", "2001:db8:8::/64",
    ]  # fmt: skip
    assert toml.loads(toml.dumps(tree)) == tree
