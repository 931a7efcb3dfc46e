"""The settings against the product's own tables: ranges, defaults, levels."""

from __future__ import annotations

from typing import Any

import pytest

from fastpptp.settings import attributes
from fastpptp.settings.attributes import Level
from fastpptp.settings.entries import LISTS

ALL, NOT_USER = "BGU", "BG"
IPV4 = (["10.1.2.3", "none"], ["10.1.2", "2001:db8::1", 7])
FLAG = ([True, False], ["yes", 1, None])

# Section or levels, label: default, values that are taken, values that are not.
PRODUCT: dict[tuple[str, str], tuple[Any, list[Any], list[Any]]] = {
    ("pptp", "Enabled"): (True, *FLAG),
    ("pptp", "Maximum Tunnel Idle Time"): (5, [1, 5, 86_400], [0, -1, "5 s", 2.5]),
    ("pptp", "Packet Window Size"): (16, [0, 32], [-1, 33, True]),
    ("pptp", "Limit Transmit to Window"): (False, *FLAG),
    ("pptp", "Max. Tunnels"): (0, [0, 1, 65_535], [-1, "many"]),
    ("pptp", "Max. Sessions/Tunnel"): (0, [0, 1, 65_535], [-1]),
    ("pptp", "Packet Processing Delay"): (1, [0, 65_535], [-1, 65_536]),
    ("pptp", "Acknowledgement Delay"): (500, [0, 50, 5000], [1, 49, 5001]),
    ("pptp", "Acknowledgement Timeout"): (3, [1, 10], [0, 11]),
    ("assignment", "Use Client Address"): (False, *FLAG),
    ("assignment", "Use Address from Authentication Server"): (False, *FLAG),
    ("assignment", "Use DHCP"): (False, *FLAG),
    ("assignment", "Use Address Pools"): (True, *FLAG),
    ("snmp", "Enabled"): (False, *FLAG),
    ("snmp", "Port"): (161, [1, 65_535], [0, 65_536, "snmp"]),
    ("events", "Severity to Log"): ("1-5", ["1-13", "none"], ["0-5", "1-14", "5-1"]),
    ("events", "Severity to Console"): ("1-3", ["1-13", "3"], ["0"]),
    ("events", "Severity to Syslog"): ("none", ["1-13"], ["x"]),
    ("events", "Severity to Email"): ("none", ["1-13"], ["x"]),
    ("events", "Severity to Trap"): ("none", ["1-13"], ["x"]),
    ("events", "Syslog Format"): ("Original", ["Cisco IOS Compatible"], ["RFC 5424"]),
    ("events", "Email Source Address"): ("none", ["vpn@example.com"], ["vpn", "a@b\nc"]),
    ("syslog_servers", "Syslog Server"): ("", ["192.0.2.9", "log.example.com", "/dev/log"], [""]),
    ("syslog_servers", "Port"): (514, [1, 65_535], [0, 65_536]),
    ("syslog_servers", "Facility"): (
        "Local 7", ["User", *(f"Local {number}" for number in range(8))], ["Local 8"],
    ),
    ("smtp_servers", "SMTP Server"): ("", ["mail.example.com"], ["", "/dev/log"]),
    ("email_recipients", "Max Severity"): (3, [1, 13], [0, 14]),
    ("trap_destinations", "Destination"): ("", ["192.0.2.9"], [""]),
    ("trap_destinations", "SNMP Version"): ("SNMPv2c", ["SNMPv1"], ["SNMPv4"]),
    ("trap_destinations", "Community"): ("public", ["x" * 64], ["", "x" * 65]),
    ("trap_destinations", "Port"): (162, [1, 65_535], [0, 65_536]),
    (ALL, "Access Hours"): (
        "No Restrictions", ["Never", "Business Hours", "x" * 48], ["", "x" * 49],
    ),
    (ALL, "Simultaneous Logins"): (3, [0, 3], [-1]),
    (NOT_USER, "Minimum Password Length"): (8, [1, 32], [0, 33]),
    (NOT_USER, "Allow Alphabetic-Only Passwords"): (True, *FLAG),
    (ALL, "Idle Timeout"): (30, [0, 30], [-1]),
    (ALL, "Maximum Connect Time"): (0, [0, 1], [-1]),
    (ALL, "Filter"): ("none", ["none"], []),
    (NOT_USER, "Primary DNS"): ("none", *IPV4),
    (NOT_USER, "Secondary DNS"): ("none", *IPV4),
    (NOT_USER, "Primary WINS"): ("none", *IPV4),
    (NOT_USER, "Secondary WINS"): ("none", *IPV4),
    (NOT_USER, "SEP Card Assignment"): (["1", "2", "3", "4"], [["1"], ["2", "4"]], [["0"], ["5"]]),
    (ALL, "Tunneling Protocols"): (
        ["PPTP", "L2TP", "IPSec"], [[], ["PPTP"], ["L2TP over IPSec"]], [["SSTP"]],
    ),
    (NOT_USER, "Strip Realm"): (False, *FLAG),
    (NOT_USER, "DHCP Network Scope"): ("none", ["10.1.2.0/24"], ["10.1.2.3/24"]),
    (ALL, "Use Client Address"): (False, *FLAG),
    (ALL, "PPTP Authentication Protocols"): (
        ["MSCHAPv2"], [[], ["PAP", "CHAP", "MSCHAPv1", "MSCHAPv2", "EAP Proxy"]], [["MSCHAPv3"]],
    ),
    (ALL, "PPTP Encryption"): (
        ["Required", "Require Stateless", "128-bit"],
        [[], ["Required", "Require Stateless", "40-bit", "56-bit", "128-bit"]],
        [["64-bit"]],
    ),
    (ALL, "PPTP Compression"): ("none", ["none", "MPPC"], ["LZS"]),
}  # fmt: skip
SCREENS = {**attributes.SECTIONS, **{table: of.attributes for table, of in LISTS.items()}}
LEVELS = {"B": Level.BASE, "G": Level.GROUP, "U": Level.USER}


def found(place: str, label: str) -> attributes.Attribute:
    section = SCREENS.get(place)
    declared = attributes.GROUP if section is None else section.values()
    (attribute,) = [attribute for attribute in declared if attribute.label == label]
    return attribute


@pytest.mark.parametrize(("place", "label"), PRODUCT)
def test_as_the_product_has_it(place: str, label: str) -> None:
    attribute = found(place, label)
    default, taken, refused = PRODUCT[place, label]
    assert attribute.default == default
    if place not in SCREENS:
        assert attribute.levels == {LEVELS[letter] for letter in place}
    for value in taken:
        assert attribute.kind.canonical(value) == value
    for value in refused:
        with pytest.raises(ValueError):
            attribute.kind.canonical(value)


def test_nothing_else_is_the_products() -> None:
    """What it does not have is ours, and says so; the sections of our own are ours as a whole."""
    known = set(PRODUCT) | {("system", a.label) for a in attributes.SYSTEM}
    known |= {("dhcp", a.label) for a in attributes.DHCP}
    known |= {("events", "Event Log Size")}
    known |= {("snmp", "Read Community")}  # the product has a list of them
    places = {label: place for place, label in PRODUCT}
    for section, declared in SCREENS.items():
        own = {a.label for a in declared.values() if not a.note.startswith(attributes.OURS)}
        assert {(section, label) for label in own} <= known
    for attribute in attributes.GROUP:
        if attribute.label not in places:
            assert attribute.note.startswith(attributes.OURS), attribute.name
