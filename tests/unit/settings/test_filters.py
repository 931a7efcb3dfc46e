"""Traffic filters as configuration: what rules may say, in which words, and what comes of it."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastpptp.errors import ConfigurationError
from fastpptp.ports import ANY, PacketFilter, PacketRule
from fastpptp.settings import toml
from fastpptp.settings.draft import Draft
from fastpptp.settings.filters import packet_filter, rule_text
from fastpptp.settings.matching import Addresses, IpProtocol, Matching, Span
from fastpptp.settings.resolve import PolicySnapshot
from fastpptp.settings.tree import EMPTY, Configuration, FilterEntry

MATCHING, PORTS = Matching(), Span(65535)

TEXT = """
[filters.web]
description = "the web alone"
default_action = "Drop and Log"
fragments = false

[[filters.web.rules]]
name = "requests"
action = "Forward"
protocol = "TCP"
source_address = "172.16.1.0/24"
destination_address = "10.0.0.0 0.255.0.255"
destination_port = "80-443"

[[filters.web.rules]]
name = "replies"
direction = "Outbound"
action = "Forward and Log"
protocol = "TCP"
tcp_connection = "Established"
source_port = 80

[[filters.web.rules]]
name = "pings"
action = "Forward"
protocol = "ICMPv6"
source_address = "2001:db8::/32"
icmp_type = 128

[base_group]
filter = "web"
"""


def number(address: str) -> int:
    return int(IPv6Address(address) if ":" in address else IPv4Address(address))


def test_what_the_dataplane_gets() -> None:
    policy = PolicySnapshot(toml.loads(TEXT))
    assert policy.base.filter == "web"
    assert policy.filters == {
        "web": PacketFilter(
            (
                PacketRule(
                    "requests", True, True, version=4, protocol=6,
                    source=(number("172.16.1.0"), number("255.255.255.0")),
                    destination=(number("10.0.0.0"), number("255.0.255.0")),
                    second=(80, 443),
                ),
                PacketRule(
                    "replies", False, True, log=True, protocol=6, established=True, first=(80, 80)
                ),
                PacketRule(
                    "pings", True, True, version=6, protocol=58,
                    source=(number("2001:db8::"), number("ffff:ffff::")), first=(128, 128),
                ),
            ),
            forward=False, log=True, fragments=False,
        )
    }  # fmt: skip
    assert packet_filter(FilterEntry()) == PacketFilter()


def test_it_is_written_as_it_was_read() -> None:
    tree = toml.loads(TEXT)
    assert toml.loads(toml.dumps(tree)) == tree
    assert rule_text(tree.filters["web"].rules[0]) == (
        "requests: Inbound Forward TCP from 172.16.1.0/24 to 10.0.0.0 0.255.0.255 port 80-443"
    )
    assert rule_text(tree.filters["web"].rules[1]) == (
        "replies: Outbound Forward and Log TCP from any port 80 to any Established"
    )
    assert rule_text(tree.filters["web"].rules[2]) == (
        "pings: Inbound Forward ICMPv6 type 128 from 2001:db8::/32 to any"
    )


# Kinds.


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("any", "any"),
        ("ANY", "any"),
        ("10.1.2.3", "10.1.2.3"),
        ("10.1.2.3/32", "10.1.2.3"),
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("10.0.0.0 0.255.255.255", "10.0.0.0/8"),
        ("10.0.0.1 0.0.0.254", "10.0.0.1 0.0.0.254"),
        ("0.0.0.0 255.255.255.255", "0.0.0.0/0"),
        ("2001:db8::/32", "2001:db8::/32"),
        ("::1 ::fffe", "::1 ::fffe"),
    ],
)
def test_addresses(typed: str, kept: str) -> None:
    assert MATCHING.parse(typed) == kept
    assert MATCHING.canonical(kept) == kept


@pytest.mark.parametrize(
    "typed",
    ["", "ten", "10.0.0.1/8", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/255.0.0.0", "10.0.0.0/",
     "10.0.0.1 0.0.0.255", "10.0.0.0 ::1", "10.0.0.0 0.0.0.0 0.0.0.0", "2001:db8::1/64", "/8"],
)  # fmt: skip
def test_what_is_no_address(typed: str) -> None:
    with pytest.raises(ValueError, match="an address and a wildcard mask"):
        MATCHING.parse(typed)


@given(st.sampled_from((4, 6)), st.integers(0), st.integers(0))
def test_every_wildcard_mask_is_kept(version: int, address: int, wildcard: int) -> None:
    every = (1 << (32 if version == 4 else 128)) - 1
    made = Addresses(version, address & every & ~(wildcard & every), wildcard & every)
    assert MATCHING.load(MATCHING.dump(made)) == made


@pytest.mark.parametrize(
    ("typed", "kept"),
    [("any", "any"), ("0-65535", "any"), ("25", "25"), ("25-25", "25"), ("20 - 21", "20-21")],
)
def test_ports(typed: str, kept: str) -> None:
    assert PORTS.parse(typed) == kept


@pytest.mark.parametrize("raw", ["", "-", "1-", "2-1", "65536", "x", "-1", True, 1.5, None, "²"])
def test_what_is_no_port(raw: object) -> None:
    with pytest.raises(ValueError, match="within 0-65535"):
        PORTS.load("1--2" if raw is True or raw == "1-" else raw)


@pytest.mark.parametrize(
    ("typed", "kept"), [("tcp", "TCP"), ("6", "TCP"), ("icmpv6", "ICMPv6"), ("132", "132")]
)
def test_protocols(typed: str, kept: str) -> None:
    assert IpProtocol().parse(typed) == kept


@pytest.mark.parametrize("raw", ["", "256", "-1", "sctp", None])
def test_what_is_no_protocol(raw: object) -> None:
    with pytest.raises(ValueError, match="a number 0 to 255"):
        IpProtocol().load(raw)


# What does not go together.


def refused(*rules: dict[str, Any], name: str = "web") -> str:
    draft = Draft(EMPTY)
    draft.add_filter(name, {"rules": list(rules)})
    with pytest.raises(ConfigurationError) as caught:
        draft.finish()
    return str(caught.value)


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"source_port": "25"}, ".source_port: is set for any protocol "
         "(set the protocol to TCP or UDP)"),
        ({"protocol": "ICMP", "destination_port": "25"}, ".destination_port: is set for the "
         "protocol ICMP (set the protocol to TCP or UDP)"),
        ({"protocol": "132", "icmp_type": 8}, ".icmp_type: is set for the protocol 132 "
         "(set the protocol to ICMP or ICMPv6)"),
        ({"protocol": "UDP", "tcp_connection": "Established"}, ".tcp_connection: is Established "
         "for the protocol UDP (set the protocol to TCP)"),
        ({"source_address": "10.0.0.1", "destination_address": "::1"}, ": its addresses are of "
         "IPv4 and of IPv6, and no packet has both (make a rule for each)"),
        ({"protocol": "ICMP", "source_address": "::1"}, ".source_address: is of IPv6, and ICMP "
         "of IPv4 (choose another protocol or address)"),
        ({"protocol": "ICMPv6", "destination_address": "10.0.0.1"}, ".destination_address: is of "
         "IPv4, and ICMPv6 of IPv6 (choose another protocol or address)"),
    ],
)  # fmt: skip
def test_what_does_not_go_together(rule: dict[str, Any], said: str) -> None:
    assert refused({"name": "r", **rule}) == f"filters.web.rules[1]{said}"


def test_names_and_numbers() -> None:
    assert "filters.none: would be no filter" in refused(name="none")
    assert "filters. x: is not a name" in refused(name=" x")
    assert "rules[2].name: 'r' is the name of rules[1] already" in refused(
        {"name": "r"}, {"name": "r"}
    )
    assert "web: has 257 rules (at most 256)" in refused(*({"name": str(k)} for k in range(257)))
    with pytest.raises(ConfigurationError, match=r"web.rules\[1\].name: is missing"):
        Draft(EMPTY).add_filter("web", {"rules": [{}]})
    with pytest.raises(ConfigurationError, match="is not an array of tables"):
        Draft(EMPTY).add_filter("web", {"rules": {}})
    with pytest.raises(ConfigurationError, match="is not a table"):
        Draft(EMPTY).add_filter("web", {"rules": ["all"]})
    many = Configuration(filters={str(k): FilterEntry() for k in range(1025)})
    with pytest.raises(ConfigurationError, match="are 1025 "):
        Draft(many).finish()


def test_a_filter_that_is_used_is_not_deleted() -> None:
    draft = Draft(EMPTY)
    draft.add_filter("web", {})
    draft.add_group("staff", {"filter": "web"})
    draft.add_user("bob", {"password": "secret12", "filter": "web"})
    draft.finish()
    with pytest.raises(ConfigurationError) as caught:
        draft.delete_filter("web")
    assert str(caught.value) == (
        "filters.web: is used by groups.staff, users.bob (choose others there first)"
    )
    with pytest.raises(ConfigurationError, match=r"groups.staff.filter: there is no filter 'web'"):
        Draft(Configuration(groups=draft.tree.groups)).finish()


# Editing.


def rules(draft: Draft) -> list[Any]:
    return [rule["name"] for rule in draft.tree.filters["web"].rules]


def test_rules_are_edited_by_name_and_place() -> None:
    draft = Draft(EMPTY)
    draft.add_filter("web", {})
    for name, place in (("b", None), ("c", None), ("a", 1)):
        draft.add_rule("web", {"name": name}, place)
    assert rules(draft) == ["a", "b", "c"]
    draft.move_rule("web", "a", 3)
    assert rules(draft) == ["b", "c", "a"]
    draft.set_rule("web", "c", {"action": "Forward", "protocol": "UDP"}, ["direction"])
    draft.set_rule("web", "c", {"name": "d"}, ["protocol"])
    assert draft.tree.filters["web"].rules[1] == {"name": "d", "action": "Forward"}
    draft.delete_rule("web", "b")
    assert rules(draft) == ["d", "a"]
    draft.set_filter("web", {"default_action": "Forward"}, ["fragments"])
    assert [str(change) for change in draft.changes] == [
        "filters.web: not set -> defined",
        "filters.web.default_action: Drop, default -> Forward",
        "filters.web.rules[1]: not set -> d: Inbound Forward any from any to any",
        "filters.web.rules[2]: not set -> a: Inbound Drop any from any to any",
    ]


@pytest.mark.parametrize("place", [0, 2])
def test_a_place_that_is_not_there(place: int) -> None:
    draft = Draft(EMPTY)
    draft.add_filter("web", {"rules": [{"name": "a"}]})
    with pytest.raises(ConfigurationError, match=f"there is no place {place} \\(1 to 1\\)"):
        draft.move_rule("web", "a", place)
    with pytest.raises(ConfigurationError, match=r"rules.b: does not exist"):
        draft.delete_rule("web", "b")


def test_a_rule_cannot_lose_its_name() -> None:
    draft = Draft(EMPTY)
    draft.add_filter("web", {"rules": [{"name": "a"}]})
    draft.set_rule("web", "a", {}, ["name"])
    with pytest.raises(ConfigurationError, match="is not a name"):
        draft.finish()


def test_no_ports_are_every_port() -> None:
    (rule,) = packet_filter(FilterEntry(rules=({"name": "r", "protocol": "ICMP"},))).rules
    assert (rule.first, rule.second) == (ANY, ANY)
