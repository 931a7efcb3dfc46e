"""Base group -> group -> user."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastpptp.events.routing import NONE, Destination, Severities
from fastpptp.ppp.auth.types import AuthMethod
from fastpptp.settings import attributes, profiles
from fastpptp.settings.attributes import Level
from fastpptp.settings.hours import BUSINESS_HOURS
from fastpptp.settings.resolve import PolicySnapshot
from fastpptp.settings.tree import Configuration, GroupEntry, UserEntry, Values

WORDS = ("PAP", "CHAP", "MSCHAPv1", "MSCHAPv2")
SUBSETS = st.lists(st.sampled_from(WORDS), unique=True)
PROTOCOLS = "pptp_authentication_protocols"


def snapshot(base: Values, group: Values, user: Values) -> PolicySnapshot:
    return PolicySnapshot(
        Configuration(
            base=base,
            groups={"g": GroupEntry(attributes=group)},
            users={"u": UserEntry("cisco123", "g", attributes=user)},
        )
    )


def test_pptp_defaults_are_the_products() -> None:
    pptp = PolicySnapshot(Configuration()).pptp
    assert (pptp.enabled, pptp.maximum_tunnel_idle_time, pptp.packet_window_size) == (True, 5, 16)
    assert (pptp.limit_transmit_to_window, pptp.max_tunnels) == (False, 0)
    assert (pptp.max_sessions_per_tunnel, pptp.packet_processing_delay) == (0, 1)
    assert (pptp.acknowledgement_delay, pptp.acknowledgement_timeout) == (500, 3)


def test_general_defaults_are_the_products() -> None:
    base = PolicySnapshot(Configuration()).base
    assert base.access_hours.name == "No Restrictions"
    assert (base.simultaneous_logins, base.minimum_password_length) == (3, 8)
    assert (base.allow_alphabetic_only_passwords, base.idle_timeout) == (True, 30)
    assert (base.maximum_connect_time, base.filter, base.dns, base.wins) == (0, None, (), ())
    assert base.sep_card_assignment == {1, 2, 3, 4}
    assert base.tunneling_protocols == {"PPTP", "L2TP", "IPSec"}
    assert (base.strip_realm, base.dhcp_network_scope, base.use_client_address) == (
        False,
        None,
        False,
    )
    assert (base.compression, base.authentication_retries, base.password_expired) == (
        False,
        0,
        False,
    )


def test_the_default_profile() -> None:
    user = PolicySnapshot(profiles.default()).user("pptpuser")
    assert user is not None
    effective = user.effective
    assert (user.group, user.password) == ("pptpgroup", "cisco123")
    assert effective.authentication_protocols == {AuthMethod.MSCHAP_V2}
    assert (effective.encryption_required, effective.require_stateless) == (True, True)
    assert effective.key_lengths == {128}


def test_the_reference_profile() -> None:
    policy = PolicySnapshot(profiles.reference())
    three = {AuthMethod.PAP, AuthMethod.CHAP, AuthMethod.MSCHAP_V1}
    assert policy.base.authentication_protocols == three
    assert policy.base.key_lengths == {40, 128}
    assert not policy.base.encryption_required
    assert not policy.base.require_stateless
    group = policy.groups["pptpgroup"]
    assert group.authentication_protocols == three
    assert group.key_lengths == frozenset()
    assert [str(pool) for pool in policy.pools] == ["172.16.1.10-172.16.1.20"]
    assert policy.system.server_address == IPv4Address("172.16.1.1")
    assert (policy.assignment.pools, policy.assignment.from_client) == (True, False)


def test_the_references_add_mppe() -> None:
    tree = profiles.reference()
    policy = snapshot(tree.base, profiles.ADD_MPPE, {})
    group = policy.groups["g"]
    assert group.authentication_protocols == {AuthMethod.MSCHAP_V1}
    assert (group.encryption_required, group.key_lengths) == (True, {40, 128})


def test_each_level_overrides_the_one_above() -> None:
    policy = snapshot(
        {"idle_timeout": 1, "primary_dns": "1.1.1.1", "access_hours": "Never"},
        {"idle_timeout": 2, "secondary_dns": "2.2.2.2"},
        {"idle_timeout": 3, "access_hours": "Business Hours", "password_expired": True},
    )
    user = policy.user("u")
    assert user is not None
    assert [e.idle_timeout for e in (policy.base, policy.groups["g"], user.effective)] == [1, 2, 3]
    assert user.effective.dns == (IPv4Address("1.1.1.1"), IPv4Address("2.2.2.2"))
    assert user.effective.access_hours is BUSINESS_HOURS
    assert user.effective.password_expired
    assert not policy.groups["g"].access_hours.spans


def test_a_user_without_group_belongs_to_the_base_group() -> None:
    own = UserEntry("cisco123", attributes={"idle_timeout": 9})
    tree = Configuration(base={"idle_timeout": 7}, users={"u": UserEntry("cisco123"), "v": own})
    policy = PolicySnapshot(tree)
    user, other = policy.user("u"), policy.user("v")
    assert user is not None
    assert other is not None
    assert user.effective is policy.base
    assert other.effective.idle_timeout == 9
    assert policy.user("u") is user
    assert policy.user("U") is None
    assert policy.user_names() == ["u", "v"]


def test_hours_that_are_not_defined_let_nobody_in() -> None:
    policy = snapshot({"access_hours": "gone"}, {}, {})
    assert policy.base.access_hours.spans == ()


def test_the_password_is_not_shown() -> None:
    policy = PolicySnapshot(profiles.default())
    assert "cisco123" not in repr(policy.user("pptpuser"))
    assert "cisco123" not in repr(policy.tree)


def test_sections_and_events() -> None:
    tree = Configuration(
        sections={
            "system": {"ipv6_prefix": "2001:db8::/48"},
            "events": {"log": "1-6", "capacity": 200},
        },
        event_classes={"PPTP": {"log": "1-13"}, "PPP": {"enable": False, "log": "1-13"}},
    )
    policy = PolicySnapshot(tree)
    assert policy.system.ipv6_prefix == IPv6Network("2001:db8::/48")
    assert policy.events.capacity == 200
    assert policy.events.defaults[Destination.SYSLOG] == NONE
    assert policy.events.classes.keys() == {"PPTP"}
    assert policy.events.classes["PPTP"][Destination.LOG] == Severities(1, 13)
    assert policy.events.classes["PPTP"][Destination.CONSOLE] == Severities(1, 3)
    assert policy.events.sinks == ()


@given(base=SUBSETS, group=st.none() | SUBSETS, user=st.none() | SUBSETS)
def test_protocols_only_become_fewer(
    base: list[str], group: list[str] | None, user: list[str] | None
) -> None:
    def own(chosen: list[str] | None) -> Values:
        return {} if chosen is None else {PROTOCOLS: chosen}

    policy = snapshot({PROTOCOLS: base}, own(group), own(user))
    record = policy.user("u")
    assert record is not None
    expected = set(base)
    for chosen in (group, user):
        expected &= set(WORDS if chosen is None else chosen)
    kind = attributes.at(Level.BASE)[PROTOCOLS].kind
    assert record.effective.authentication_protocols == kind.load(sorted(expected))
    assert (
        record.effective.authentication_protocols
        <= policy.groups["g"].authentication_protocols
        <= policy.base.authentication_protocols
    )


LOGINS = st.dictionaries(
    st.sampled_from(["simultaneous_logins", "idle_timeout", "maximum_connect_time"]),
    st.integers(0, 60),
)


@given(base=LOGINS, group=LOGINS, user=LOGINS)
def test_the_nearest_level_that_sets_a_value_wins(
    base: dict[str, int], group: dict[str, int], user: dict[str, int]
) -> None:
    record = snapshot(base, group, user).user("u")
    assert record is not None
    for name in ("simultaneous_logins", "idle_timeout", "maximum_connect_time"):
        default = attributes.at(Level.BASE)[name].default
        expected = {name: default, **base, **group, **user}[name]
        assert getattr(record.effective, name) == expected


@pytest.mark.parametrize("level", list(Level))
def test_levels_as_the_product_marks_them(level: Level) -> None:
    declared = attributes.at(level)
    assert ("primary_dns" in declared) == (level is not Level.USER)
    assert ("password_expired" in declared) == (level is Level.USER)
    assert "idle_timeout" in declared
