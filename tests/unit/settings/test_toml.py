"""TOML: round trips, and the errors a person gets."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastpptp.errors import ConfigurationError
from fastpptp.settings import profiles, toml
from fastpptp.settings.check import check
from fastpptp.settings.reading import read_tree
from fastpptp.settings.tree import Configuration, GroupEntry, PoolRange, UserEntry

FULL = Configuration(
    sections={
        "pptp": {"enabled": False, "acknowledgement_delay": 0},
        "system": {"server_address": "10.1.0.1", "ipv6_prefix": "2001:db8::/48"},
        "assignment": {"from_client": True},
        "events": {"log": "1-13", "syslog_format": "Cisco IOS Compatible"},
    },
    base={"pptp_authentication_protocols": ["PAP", "MSCHAPv2"], "pptp_encryption": []},
    groups={"a group": GroupEntry(password="secret", attributes={"idle_timeout": 0})},
    users={
        'q"uo.te\\d': UserEntry(
            "pässwörd€",
            "a group",
            IPv4Address("10.9.9.9"),
            IPv4Address("255.255.255.0"),
            {"password_expired": True, "pptp_authentication_protocols": ["PAP"]},
        )
    },
    pools=(
        PoolRange(IPv4Address("10.1.0.10"), IPv4Address("10.1.0.20")),
        PoolRange(IPv4Address("10.2.0.10"), IPv4Address("10.2.0.20"), IPv4Address("10.2.0.1")),
    ),
    hours={"shop": ("Mon-Fri 09:00-18:00",)},
    event_classes={"PPTP": {"log": "1-13"}, "AUTH": {}},
    lists={
        "syslog_servers": (
            ("log host", {"server": "192.0.2.9", "transport": "TCP", "facility": "Local 0"}),
            ("a", {"server": "/dev/log", "transport": "unix"}),
        ),
        "smtp_servers": (
            ("b", {"server": "mail.example.com", "security": "TLS", "user": "u", "password": "p$"}),
            ("a", {"server": "2001:db8::25"}),
        ),
        "email_recipients": (("ops@example.com", {}), ("boss@example.com", {"max_severity": 1})),
        "trap_destinations": (("nms", {"destination": "nms", "community": "hush-hush"}),),
    },
)


@pytest.mark.parametrize("tree", [FULL, Configuration(), profiles.default(), profiles.reference()])
def test_round_trip(tree: Configuration) -> None:
    text = toml.dumps(tree)
    assert toml.loads(text) == tree
    assert toml.dumps(toml.loads(text)) == text


def test_an_old_password_survives_stricter_rules() -> None:
    before = replace(profiles.default(), base={"minimum_password_length": 20})
    assert toml.loads(toml.dumps(before), before=before) == before


NAMES = st.text(min_size=1, max_size=12).filter(lambda s: s.isprintable() and s == s.strip())
PASSWORDS = st.text(min_size=8, max_size=40)


@given(st.dictionaries(NAMES, PASSWORDS, max_size=4))
def test_any_name_and_password_survives(people: dict[str, str]) -> None:
    tree = Configuration(users={name: UserEntry(word) for name, word in people.items()})
    assert toml.loads(toml.dumps(tree)) == tree


def errors(text: str) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        toml.loads(text, "vpn.toml")
    return [str(problem) for problem in caught.value.problems]


def test_syntax_has_line_and_column() -> None:
    (problem,) = errors("[pptp]\nenabled = yes\n")
    assert problem.startswith("vpn.toml:2:11: Invalid value")
    (problem,) = errors("[pptp]\nenabled = ")
    assert problem.startswith("vpn.toml:2:")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[pptp]\nmax_tunnel = 3", ["pptp.max_tunnel: unknown key (did you mean max_tunnels?)"]),
        (
            "[pptp]\nacknowledgement_delay = 20",
            ["pptp.acknowledgement_delay: 20 is not valid (allowed: 50 to 5000 ms, 0 = at once)"],
        ),
        ("[ppttp]", ["ppttp: unknown key (did you mean pptp?)"]),
        ("pptp = 3", ["pptp: is not a table (write [pptp])"]),
        ("groups = []", ["groups: is not a table (write [groups])"]),
        ("[users]\nu = 3", ["users.u: is not a table (write [users.u])"]),
        ("pools = 3", ["pools: is not an array of tables (write [[pools]])"]),
        ("pools = [3]", ["pools[1]: is not a table (write [[pools]])"]),
        ('[[pools]]\nfirst = "10.0.0.1"', ["pools[1].last: is missing (an address)"]),
        (
            "[groups.g]\npassword_expired = true",
            ["groups.g.password_expired: cannot be set in a group"],
        ),
        (
            '[users.u]\npassword = "cisco123"\nstrip_realm = true',
            ["users.u.strip_realm: cannot be set in a user"],
        ),
        (
            '[users.u]\npasword = "cisco123"',
            ["users.u.pasword: unknown key (did you mean password?)"],
        ),
        ("[users.u]\npassword = 3\ngroup = 4", [
            "users.u.password: it is not valid (allowed: 1 to 256 characters)",
            "users.u.group: 4 is not valid (allowed: 1 to 32 printable characters, or none)",
        ]),
        ('[groups.g]\npassword = "abc"', [
            "groups.g.password: it is not valid (allowed: 4 to 32 characters)",
        ]),
        ('[groups.g]\ntype = "Eternal"', [
            "groups.g.type: 'Eternal' is not valid (allowed: Internal | External)",
        ]),
        ("[events.classes]\nPPTTP = {}", [
            "events.classes.PPTTP: unknown key (did you mean PPTP?)",
        ]),
        ("[events.classes]\nPPTP = 3", ["events.classes.PPTP: is not a table"]),
        ("[access_hours]\nshop = 3", ["access_hours.shop: is not a list of texts"]),
        ("[smtp_servers.a]", ["smtp_servers.a.server: is missing (a host's name or address such as "
                              "192.0.2.9)"]),
        ("[syslog_servers]\na = 3", [
            "syslog_servers.a: is not a table (write [syslog_servers.a])",
        ]),
        ('[trap_destinations.a]\ndestination = "a b"\ncommunity = 3', [
            "trap_destinations.a.destination: 'a b' is not valid (allowed: a host's name or "
            "address such as 192.0.2.9)",
            "trap_destinations.a.community: it is not valid (allowed: 1 to 64 characters)",
        ]),
        ("[users.u]", ["users.u.password: is missing (a user needs a password)"]),
    ],
)  # fmt: skip
def test_values_have_a_key_path(text: str, expected: list[str]) -> None:
    assert errors(text) == expected


def test_all_that_is_wrong_is_told() -> None:
    text = '[pptp]\nenabled = 3\n[users.u]\nip_address = "x"\nidle_timeout = -1\n[zzz]\n'
    assert len(errors(text)) == 4


KEYS = st.sampled_from(
    ["pptp", "users", "groups", "pools", "events", "classes", "base_group", "access_hours",
     "password", "idle_timeout", "first", "PPTP", "enabled", "x"]
)  # fmt: skip
TREES = st.recursive(
    st.booleans() | st.integers() | st.text(max_size=6) | st.lists(st.text(max_size=3)),
    lambda inner: st.dictionaries(KEYS, inner, max_size=4) | st.lists(inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(KEYS, TREES))
def test_nothing_but_configuration_errors(raw: dict[str, object]) -> None:
    with suppress(ConfigurationError):
        check(read_tree(raw))
