"""Kinds of values: what they take, what they say, and that plain and Python forms agree."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastpptp.events.routing import Severities
from fastpptp.ppp.auth.types import AuthMethod
from fastpptp.settings import attributes
from fastpptp.settings.entries import LISTS
from fastpptp.settings.hosts import Host, HostOrPath, MailAddress
from fastpptp.settings.kinds import (
    AUTHENTICATION_PROTOCOLS,
    Address,
    Choice,
    Flag,
    Integer,
    Kind,
    Network,
    Optional,
    Prefix,
    SeverityRange,
    Text,
    words,
)

EVERY = [a for section in attributes.SECTIONS.values() for a in section.values()]
EVERY += [*attributes.GROUP, *attributes.EVENT_CLASS]
EVERY += [a for of in LISTS.values() for a in of.optional.values() if a.default != ""]

DELAY = Integer(50, 5000, unit="ms", zero="at once")


@pytest.mark.parametrize(
    ("kind", "text", "plain"),
    [
        (Flag(), "Yes", True),
        (Flag(), "off", False),
        (Integer(0, 9), " 7 ", 7),
        (DELAY, "0", 0),
        (DELAY, "50", 50),
        (Text(1, 4), "abcd", "abcd"),
        (Choice(("Original", "Cisco IOS Compatible")), "original", "Original"),
        (words("PPTP", "L2TP"), "l2tp, pptp", ["PPTP", "L2TP"]),
        (words("PPTP", "L2TP"), "none", []),
        (AUTHENTICATION_PROTOCOLS, "mschapv2,PAP", ["PAP", "MSCHAPv2"]),
        (Address(), "172.16.1.1", "172.16.1.1"),
        (Optional(Address()), "None", "none"),
        (Optional(Network()), "10.0.0.0/8", "10.0.0.0/8"),
        (Prefix(), "2001:DB8::/48", "2001:db8::/48"),
        (SeverityRange(), "1-13", "1-13"),
        (SeverityRange(), "3", "3"),
        (SeverityRange(), "none", "none"),
        (Host(), "log.example.com", "log.example.com"),
        (Host(), "2001:db8::9", "2001:db8::9"),
        (Host(), "a" * 63, "a" * 63),
        (HostOrPath(), "/run/log", "/run/log"),
        (HostOrPath(), "192.0.2.9", "192.0.2.9"),
        (MailAddress(), "o.p+s@mail.example.com", "o.p+s@mail.example.com"),
    ],
)
def test_what_a_person_types(kind: Kind[Any], text: str, plain: object) -> None:
    assert kind.parse(text) == plain
    assert kind.canonical(plain) == plain


@pytest.mark.parametrize(
    ("kind", "raw", "says"),
    [
        (Flag(), 1, "true or false"),
        (Flag(), "yes", "true or false"),
        (Integer(1, 10, unit="s"), 11, "1 to 10 s"),
        (Integer(1, 10), True, "1 to 10"),
        (Integer(1, 10), "5", "1 to 10"),
        (Integer(1, 10), 5.0, "1 to 10"),
        (DELAY, 49, "50 to 5000 ms, 0 = at once"),
        (DELAY, -1, "50 to 5000 ms, 0 = at once"),
        (Text(1, 4), "", "1 to 4 printable characters"),
        (Text(1, 4), "a\n", "1 to 4 printable characters"),
        (Choice(("a", "b")), "c", "a | b"),
        (Choice(("a", "b")), 1, "a | b"),
        (words("a", "b"), ["a", "c"], "any of a, b"),
        (words("a", "b"), 3, "any of a, b"),
        (Address(), 1, "an IPv4 address such as 172.16.1.1"),
        (Address(), "172.16.1.256", "an IPv4 address such as 172.16.1.1"),
        (Optional(Address()), "x", "an IPv4 address such as 172.16.1.1, or none"),
        (Network(), 7, "an IPv4 network such as 172.16.1.0/24"),
        (Network(), "10.0.0.1/8", "an IPv4 network such as 172.16.1.0/24"),
        (Prefix(), 7, "an IPv6 prefix of 16 to 64 bits such as 2001:db8::/48"),
        (Prefix(), "2001:db8::/65", "an IPv6 prefix of 16 to 64 bits such as 2001:db8::/48"),
        (SeverityRange(), "5-1", "a range of severities within 1-13 such as 1-5, or none"),
        (SeverityRange(), "0-14", "a range of severities within 1-13 such as 1-5, or none"),
        (SeverityRange(), "a", "a range of severities within 1-13 such as 1-5, or none"),
        (SeverityRange(), ["1"], "a range of severities within 1-13 such as 1-5, or none"),
        *(
            (Host(), raw, "a host's name or address such as 192.0.2.9")
            for raw in (
                "",
                " ",
                3,
                "a b",
                "192.0.2",
                "192.0.2.256",
                "a..b",
                "-a",
                "a-",
                "a" * 64,
                "fe80::1%lo",
                "/dev/log",
                "a.b" * 100,
                "a:25",
                "ü.example",
            )
        ),
        *(
            (HostOrPath(), raw, HostOrPath.allowed)
            for raw in ("dev/log", "/a\n", "/" + "a" * 107, 3)
        ),
        *(
            (MailAddress(), raw, "an email address such as ops@example.com")
            for raw in (
                "",
                "a",
                "@example.com",
                "a@",
                "a b@c",
                "a@b@c",
                "a.@c",
                ".a@c",
                "a..b@c",
                "ü@c",
                "a@c\nBcc: x",
                "a" * 65 + "@c",
                "a@" + "c." * 130 + "c",
                "<a@c>",
                3,
            )
        ),
    ],
)
def test_what_is_refused(kind: Kind[Any], raw: object, says: str) -> None:
    with pytest.raises(ValueError) as caught:
        kind.load(raw)
    assert str(caught.value) == says == kind.allowed


@pytest.mark.parametrize("text", ["perhaps", "", "2"])
def test_flags_in_words(text: str) -> None:
    with pytest.raises(ValueError, match="yes or no"):
        Flag().parse(text)


def test_a_number_that_is_none() -> None:
    with pytest.raises(ValueError, match="1 to 10"):
        Integer(1, 10).parse("many")


def test_python_values() -> None:
    assert SeverityRange().load("2-4") == Severities(2, 4)
    assert SeverityRange().load(3) == Severities(3, 3)
    assert AUTHENTICATION_PROTOCOLS.load(["EAP Proxy"]) == {AuthMethod.EAP}
    assert Optional(Address()).dump(None) == "none"


@pytest.mark.parametrize("attribute", EVERY, ids=lambda a: a.name)
def test_defaults_are_valid_and_canonical(attribute: attributes.Attribute) -> None:
    assert attribute.kind.canonical(attribute.default) == attribute.default
    assert attribute.option == "--" + attribute.name.replace("_", "-")


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)


@given(st.sampled_from(EVERY), ANYTHING)
def test_nothing_but_a_value_error(attribute: attributes.Attribute, raw: object) -> None:
    with suppress(ValueError):
        plain = attribute.kind.canonical(raw)
        assert attribute.kind.canonical(plain) == plain
