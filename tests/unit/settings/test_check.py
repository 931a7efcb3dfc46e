"""What is refused, and in which words. All problems are told at once."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address
from typing import Any

import pytest

from fastpptp.errors import ConfigurationError
from fastpptp.settings import profiles
from fastpptp.settings.check import check
from fastpptp.settings.tree import Configuration, GroupEntry, PoolRange, UserEntry, Values

ENCRYPTION = "pptp_encryption"
PROTOCOLS = "pptp_authentication_protocols"
NEEDS_KEYS = (
    "pptp_encryption: Required, but the authentication protocols yield no keys "
    "(set pptp_authentication_protocols to MSCHAPv1, MSCHAPv2 or both, without PAP and CHAP)"
)


def problems(tree: Configuration, before: Configuration | None = None) -> list[str]:
    try:
        check(tree, before or Configuration())
    except ConfigurationError as error:
        return [str(problem) for problem in error.problems]
    return []


def group(own: Values, name: str = "g", **identity: str) -> Configuration:
    return replace(profiles.reference(), groups={
        **profiles.reference().groups, name: GroupEntry(attributes=own, **identity)
    })  # fmt: skip


def user(password: str = "cisco123", name: str = "u", **rest: Any) -> Configuration:
    return replace(profiles.reference(), users={name: UserEntry(password, **rest)})


def pools(*ranges: tuple[str, ...], **system: str) -> Configuration:
    made = tuple(PoolRange(*map(IPv4Address, range_)) for range_ in ranges)
    return Configuration(pools=made, sections={"system": system})


def test_what_ships_is_valid() -> None:
    for make in profiles.PROFILES.values():
        assert problems(make("cisco123")) == []
    assert problems(group(profiles.ADD_MPPE)) == []
    assert problems(Configuration()) == []


@pytest.mark.parametrize(
    ("tree", "expected"),
    [
        (
            group({PROTOCOLS: ["PAP", "MSCHAPv2"]}),
            ["groups.g.pptp_authentication_protocols: MSCHAPv2 is not allowed by the base group "
             "(allowed: PAP, CHAP, MSCHAPv1)"],
        ),
        (
            group({PROTOCOLS: []}),
            ["groups.g.pptp_authentication_protocols: allows no protocol at all "
             "(check one, or inherit)"],
        ),
        (group({ENCRYPTION: ["Required", "128-bit"]}), ["groups.g." + NEEDS_KEYS]),
        (
            group({ENCRYPTION: ["Required"], PROTOCOLS: ["MSCHAPv1"]}),
            ["groups.g.pptp_encryption: Required without a key length "
             "(add 40-bit or 56-bit or 128-bit)"],
        ),
        (
            group({}, type="External"),
            ["groups.g.type: External needs a RADIUS server and none can be configured "
             "(allowed: Internal)"],
        ),
        (group({}, name="None"), ["groups.None: would be no group (choose another name)"]),
        (
            group({"sep_card_assignment": []}),
            ["groups.g.sep_card_assignment: names no card (check at least one of 1 to 4)"],
        ),
        (
            group({"pptp_compression": "MPPC"}),
            ["groups.g.pptp_compression: MPPC is not available (allowed: none)"],
        ),
        (
            group({}, name="x" * 33),
            [f"groups.{'x' * 33}: is not a name "
             "(1 to 32 printable characters, no space at its ends)"],
        ),
        (
            group({"access_hours": "Lunch"}),
            ["groups.g.access_hours: 'Lunch' is not defined "
             "(allowed: No Restrictions, Never, Business Hours)"],
        ),
        (
            Configuration(base={PROTOCOLS: [], ENCRYPTION: ["Required", "40-bit"]}),
            ["base_group." + NEEDS_KEYS],
        ),
        (
            Configuration(base={PROTOCOLS: ["EAP Proxy"]}),
            ["base_group.pptp_authentication_protocols: "
             "EAP Proxy needs a RADIUS server and none can be configured (leave EAP Proxy out)"],
        ),
    ],
)  # fmt: skip
def test_groups(tree: Configuration, expected: list[str]) -> None:
    assert problems(tree) == expected


def test_an_anonymous_base_group_is_allowed() -> None:
    assert problems(Configuration(base={PROTOCOLS: [], ENCRYPTION: []})) == []


def test_nothing_can_be_more_than_nothing() -> None:
    tree = Configuration(
        base={PROTOCOLS: [], ENCRYPTION: []},
        groups={"g": GroupEntry(attributes={PROTOCOLS: ["PAP"]})},
    )
    assert problems(tree) == [
        "groups.g.pptp_authentication_protocols: PAP is not allowed by the base group "
        "(allowed: nothing)"
    ]


@pytest.mark.parametrize(
    ("tree", "expected"),
    [
        (
            user("short"),
            ["users.u.password: the password has 5 characters "
             "(8 to 256: Minimum Password Length, default)"],
        ),
        (
            user("x" * 257),
            ["users.u.password: the password has 257 characters "
             "(8 to 256: Minimum Password Length, default)"],
        ),
        (user(""), ["users.u.password: is missing (a user needs a password)"]),
        (
            user(name=" u"),
            ["users. u: is not a name (1 to 64 printable characters, no space at its ends)"],
        ),
        (user(group="gg"), ["users.u.group: there is no group 'gg' (allowed: pptpgroup)"]),
        (
            user(group="pptpgroup", attributes={PROTOCOLS: ["MSCHAPv2"]}),
            ["users.u.pptp_authentication_protocols: MSCHAPv2 is not allowed by the group "
             "pptpgroup (allowed: PAP, CHAP, MSCHAPv1)"],
        ),
        (
            user(attributes={PROTOCOLS: ["CHAP"], ENCRYPTION: ["Required", "40-bit"]}),
            ["users.u." + NEEDS_KEYS],
        ),
        (
            user(netmask=IPv4Address("255.255.255.0")),
            ["users.u.subnet_mask: is set without ip_address (set both or none)"],
        ),
        (
            user(address=IPv4Address("10.0.0.1"), netmask=IPv4Address("255.0.255.0")),
            ["users.u.subnet_mask: 255.0.255.0 is not a mask (such as 255.255.255.0)"],
        ),
        (
            user(address=IPv4Address("172.16.1.1")),
            ["users.u.ip_address: 172.16.1.1 is the server's own (choose another)"],
        ),
        (
            user(address=IPv4Address("224.0.0.5")),
            ["users.u.ip_address: 224.0.0.5 cannot be a host's address (a unicast address)"],
        ),
    ],
)  # fmt: skip
def test_users(tree: Configuration, expected: list[str]) -> None:
    assert problems(tree) == expected


def test_two_users_with_one_address() -> None:
    entry = UserEntry("cisco123", address=IPv4Address("10.0.0.1"))
    assert problems(Configuration(users={"a": entry, "b": entry})) == [
        "users.b.ip_address: 10.0.0.1 is the user a's (choose another)"
    ]


def test_letters_only() -> None:
    tree = Configuration(
        base={"allow_alphabetic_only_passwords": False}, users={"u": UserEntry("abcdefgh")}
    )
    assert problems(tree) == [
        "users.u.password: the password has letters only "
        "(add a digit or a sign: Allow Alphabetic-Only Passwords, from base group)"
    ]


def test_password_rules_hold_for_new_passwords_only() -> None:
    before = user()
    stricter = replace(before, base={**before.base, "minimum_password_length": 10})
    assert problems(stricter, before) == []
    assert problems(replace(stricter, users={"u": UserEntry("cisco1234")}), before) == [
        "users.u.password: the password has 9 characters "
        "(10 to 256: Minimum Password Length, from base group)"
    ]


@pytest.mark.parametrize(
    ("tree", "expected"),
    [
        (
            pools(("10.0.0.9", "10.0.0.1")),
            ["pools[1]: 10.0.0.9-10.0.0.1 is reversed (write 10.0.0.1-10.0.0.9)"],
        ),
        (
            pools(("10.0.0.1", "10.0.0.9"), ("10.0.0.9", "10.0.0.12")),
            ["pools[2]: 10.0.0.9-10.0.0.12 overlaps pools[1] 10.0.0.1-10.0.0.9 (part them)"],
        ),
        (
            pools(("172.16.1.1", "172.16.1.9")),
            ["pools[1]: 172.16.1.1-172.16.1.9 holds the server address 172.16.1.1 "
             "(leave it out)"],
        ),
        (
            pools(("10.0.0.1", "10.0.0.9", "10.0.0.5")),
            ["pools[1]: 10.0.0.1-10.0.0.9 holds the server address 10.0.0.5 (leave it out)"],
        ),
        (
            pools(("10.0.0.1", "10.0.0.9"), server_address="0.0.0.0"),
            ["system.server_address: 0.0.0.0 cannot be a host's address (a unicast address)"],
        ),
        (
            Configuration(sections={"assignment": {"dhcp": True}}),
            ["assignment.dhcp: there is no DHCP server to ask (name at least one in dhcp.servers)"],
        ),
        (
            Configuration(sections={"assignment": {"pools": False}}),
            ["assignment: every method is off (turn on at least one, such as pools)"],
        ),
        (
            Configuration(hours={"Never": ("Mon 09:00-10:00",)}),
            ["access_hours.Never: is built in (choose another name)"],
        ),
        (
            Configuration(hours={"x": ("soon",)}),
            ["access_hours.x: cannot be read (allowed: days and times such as "
             "`Mon-Fri 09:00-17:00` or `Sat,Sun 00:00-24:00`)"],
        ),
    ],
)  # fmt: skip
def test_pools_assignment_hours(tree: Configuration, expected: list[str]) -> None:
    assert problems(tree) == expected


def test_everything_is_told_at_once() -> None:
    tree = Configuration(
        sections={"assignment": {"dhcp": True}},
        groups={"g": GroupEntry("External", attributes={"sep_card_assignment": []})},
        users={"u": UserEntry("x", "nobody")},
    )
    assert len(problems(tree)) == 4


def test_a_password_is_judged_by_the_rules_of_its_own_group() -> None:
    tree = Configuration(
        base={"minimum_password_length": 4},
        groups={"g": GroupEntry(attributes={"minimum_password_length": 12})},
        users={"u": UserEntry("cisco123", "g"), "v": UserEntry("cisco123")},
    )
    assert problems(tree) == [
        "users.u.password: the password has 8 characters "
        "(12 to 256: Minimum Password Length, from group g)"
    ]
