"""Every setting, declared once: from here come validation, the command line and TOML.

Names are the product's labels in snake_case; sections are tables of the TOML tree. The
attributes of the section `group` are set or inherited level by level: base group,
group, user.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum, IntEnum
from types import MappingProxyType
from typing import Any

from fastpptp.settings.kinds import (
    AUTHENTICATION_PROTOCOLS,
    Address,
    Choice,
    Flag,
    Integer,
    Kind,
    Network,
    Optional,
    Plain,
    Prefix,
    SeverityRange,
    Text,
    words,
)


class Level(Enum):
    """Where an inherited attribute can be set."""

    BASE = "base group"
    GROUP = "group"
    USER = "user"


class Touches(IntEnum):
    """When a change takes effect."""

    NOW = 0
    NEXT_SESSION = 1
    RESTART = 2

    @property
    def words(self) -> str:
        return ("now", "next session", "restart")[self]


@dataclass(frozen=True, slots=True)
class Attribute:
    """One setting. `default` is plain; `levels` is empty outside the section `group`."""

    name: str
    label: str
    kind: Kind[Any]
    default: Plain
    levels: frozenset[Level] = frozenset()
    touches: Touches = Touches.NEXT_SESSION
    help: str = ""

    @property
    def option(self) -> str:
        """Its name on the command line."""
        return "--" + self.name.replace("_", "-")


ALL_LEVELS = frozenset(Level)
NOT_USER = frozenset({Level.BASE, Level.GROUP})
USER_ONLY = frozenset({Level.USER})

REQUIRED = "Required"
REQUIRE_STATELESS = "Require Stateless"
KEY_LENGTHS: Mapping[str, int] = MappingProxyType({"40-bit": 40, "56-bit": 56, "128-bit": 128})

PPTP = (
    Attribute("enabled", "Enabled", Flag(), True, touches=Touches.NOW,
              help="serve PPTP; off ends every PPTP session"),
    Attribute("maximum_tunnel_idle_time", "Maximum Tunnel Idle Time",
              Integer(1, 86_400, unit="s"), 5, touches=Touches.NOW,
              help="a control connection with no session is closed after it"),
    Attribute("packet_window_size", "Packet Window Size", Integer(0, 4096, unit="packets"), 16,
              help="the receive window that is advertised"),
    Attribute("limit_transmit_to_window", "Limit Transmit to Window", Flag(), False,
              help="obey the peer's receive window when sending"),
    Attribute("max_tunnels", "Max. Tunnels", Integer(0, 65_535, zero="unlimited"), 0,
              touches=Touches.NOW, help="further control connections are refused"),
    Attribute("max_sessions_per_tunnel", "Max. Sessions/Tunnel",
              Integer(0, 65_535, zero="unlimited"), 0, touches=Touches.NOW,
              help="further calls on a tunnel are refused"),
    Attribute("packet_processing_delay", "Packet Processing Delay",
              Integer(0, 65_535, unit="tenths of a second"), 1,
              help="sent in the call messages"),
    Attribute("acknowledgement_delay", "Acknowledgement Delay",
              Integer(50, 5000, unit="ms", zero="at once"), 500,
              help="how long an acknowledgement waits for data to ride on"),
    Attribute("acknowledgement_timeout", "Acknowledgement Timeout", Integer(1, 10, unit="s"), 3,
              help="after it an unacknowledged window re-opens"),
)  # fmt: skip

SYSTEM = (
    Attribute("server_address", "Server Address", Address(), "172.16.1.1",
              help="our address inside the tunnels, told in IPCP"),
    Attribute("proxy_arp", "Proxy ARP", Choice(("auto", "on", "off")), "auto", touches=Touches.NOW,
              help="answer ARP for sessions: auto = inside networks that this machine is attached "
                   "to, on = on every Ethernet device"),
    Attribute("ipv6_prefix", "IPv6 Prefix", Optional(Prefix()), "none",
              help="each session gets a /64 of it"),
    Attribute("mru", "MRU", Integer(576, 1500, unit="octets"), 1400,
              help="largest PPP information field that is asked for and sent"),
    Attribute("echo_interval", "Echo Interval", Integer(1, 3600, unit="s", zero="no echoes"), 30,
              help="between LCP Echo-Requests on a silent link"),
    Attribute("echo_failures", "Echo Failures", Integer(1, 20), 3,
              help="unanswered LCP Echo-Requests that end a session"),
    Attribute("handshakes_in_flight", "Handshakes in Flight",
              Integer(1, 65_535), 1000, touches=Touches.NOW,
              help="sessions that may be in negotiation at once; further calls are refused"),
    Attribute("handshakes_per_source", "Handshakes in Flight per Source",
              Integer(1, 65_535), 256, touches=Touches.NOW,
              help="the same for one peer address; many clients can be behind one NAT"),
    Attribute("no_gre_warning", "No GRE Warning", Integer(1, 3600, unit="s"), 10,
              help="after this long without GRE from the peer an event names the firewall"),
    Attribute("reorder_packets", "Reorder Packets",
              Integer(0, 32, unit="packets", zero="drop late ones"), 32,
              help="early packets that are held for a late one"),
    Attribute("reorder_time", "Reorder Time", Integer(0, 100, unit="ms"), 5,
              help="how long they are held"),
    Attribute("client_to_client", "Client to Client", Flag(), True,
              help="sessions may exchange packets with each other"),
    Attribute("forwarding", "Forwarding", Flag(), False, touches=Touches.NOW,
              help="switch this machine's forwarding on while the headend runs"),
    Attribute("nat", "Network Address Translation", Flag(), False, touches=Touches.NOW,
              help="clients reach other networks under this machine's own address"),
)  # fmt: skip

ASSIGNMENT = (
    Attribute("from_client", "Use Client Address", Flag(), False,
              help="first: the address that the client asks for"),
    Attribute("from_authentication_server", "Use Address from Authentication Server",
              Flag(), False, help="second: the user's IP Address"),
    Attribute("dhcp", "Use DHCP", Flag(), False, help="third: a DHCP server"),
    Attribute("pools", "Use Address Pools", Flag(), True, help="last: the address pools"),
)  # fmt: skip

DESTINATIONS = (
    Attribute("log", "Severity to Log", SeverityRange(), "1-5", touches=Touches.NOW),
    Attribute("console", "Severity to Console", SeverityRange(), "1-3", touches=Touches.NOW),
    Attribute("syslog", "Severity to Syslog", SeverityRange(), "none", touches=Touches.NOW),
    Attribute("email", "Severity to Email", SeverityRange(), "none", touches=Touches.NOW),
    Attribute("trap", "Severity to Trap", SeverityRange(), "none", touches=Touches.NOW),
)
EVENTS = (
    *DESTINATIONS,
    Attribute("capacity", "Event Log Size", Integer(100, 1_000_000, unit="events"), 10_000,
              touches=Touches.NOW, help="the newest events that are kept"),
    Attribute("syslog_format", "Syslog Format", Choice(("Original", "Cisco IOS Compatible")),
              "Original", touches=Touches.NOW),
)  # fmt: skip
EVENT_CLASS = (
    Attribute("enable", "Enable", Flag(), True, touches=Touches.NOW,
              help="the ranges below replace the defaults for this class"),
    *DESTINATIONS,
)  # fmt: skip

_GENERAL = (
    Attribute("access_hours", "Access Hours", Text(1, 48), "No Restrictions", ALL_LEVELS,
              help="No Restrictions | Never | Business Hours | a named set of hours"),
    Attribute("simultaneous_logins", "Simultaneous Logins",
              Integer(0, 65_535, zero="login disabled"), 3, ALL_LEVELS),
    Attribute("minimum_password_length", "Minimum Password Length", Integer(1, 32), 8, NOT_USER),
    Attribute("allow_alphabetic_only_passwords", "Allow Alphabetic-Only Passwords",
              Flag(), True, NOT_USER),
    Attribute("idle_timeout", "Idle Timeout", Integer(0, 35_791, unit="minutes", zero="never"),
              30, ALL_LEVELS),
    Attribute("maximum_connect_time", "Maximum Connect Time",
              Integer(0, 35_791, unit="minutes", zero="unlimited"), 0, ALL_LEVELS),
    Attribute("filter", "Filter", Choice(("none",), "none: there are no traffic filters"),
              "none", ALL_LEVELS),
    Attribute("primary_dns", "Primary DNS", Optional(Address()), "none", NOT_USER),
    Attribute("secondary_dns", "Secondary DNS", Optional(Address()), "none", NOT_USER),
    Attribute("primary_wins", "Primary WINS", Optional(Address()), "none", NOT_USER),
    Attribute("secondary_wins", "Secondary WINS", Optional(Address()), "none", NOT_USER),
    Attribute("sep_card_assignment", "SEP Card Assignment", words("1", "2", "3", "4"),
              ["1", "2", "3", "4"], NOT_USER,
              help="dataplane workers that may own the session"),
    Attribute("tunneling_protocols", "Tunneling Protocols",
              words("PPTP", "L2TP", "IPSec", "L2TP over IPSec"), ["PPTP", "L2TP", "IPSec"],
              ALL_LEVELS, help="without PPTP a login is refused; the others are kept, not served"),
    Attribute("strip_realm", "Strip Realm", Flag(), False, NOT_USER,
              help="user@realm and DOMAIN\\user are authenticated as user"),
    Attribute("dhcp_network_scope", "DHCP Network Scope", Optional(Network()), "none", NOT_USER),
)  # fmt: skip

_PPTP_TAB = (
    Attribute("use_client_address", "Use Client Address", Flag(), False, ALL_LEVELS,
              help="accept the address the client asks for; the system's method must be on too"),
    Attribute("pptp_authentication_protocols", "PPTP Authentication Protocols",
              AUTHENTICATION_PROTOCOLS, ["MSCHAPv2"], ALL_LEVELS),
    Attribute("pptp_encryption", "PPTP Encryption",
              words(REQUIRED, REQUIRE_STATELESS, *KEY_LENGTHS),
              [REQUIRED, REQUIRE_STATELESS, "128-bit"], ALL_LEVELS),
    Attribute("pptp_compression", "PPTP Compression",
              Choice(("none",), "none: MPPC is not available"), "none", ALL_LEVELS),
    Attribute("authentication_retries", "Authentication Retries", Integer(0, 10), 0, ALL_LEVELS,
              help="further tries on the same link after a wrong password"),
    Attribute("password_expired", "Password Expired", Flag(), False, USER_ONLY,
              help="the next login must change the password"),
)  # fmt: skip

GROUP = (*_GENERAL, *_PPTP_TAB)


def named(attributes: Iterable[Attribute]) -> Mapping[str, Attribute]:
    """Attributes by their names."""
    return MappingProxyType({attribute.name: attribute for attribute in attributes})


def at(level: Level) -> Mapping[str, Attribute]:
    """The inherited attributes that can be set at this level, by name."""
    return LEVELS[level]


SECTIONS: Mapping[str, Mapping[str, Attribute]] = MappingProxyType(
    {
        "pptp": named(PPTP),
        "system": named(SYSTEM),
        "assignment": named(ASSIGNMENT),
        "events": named(EVENTS),
    }
)
EVENT_CLASS_ATTRIBUTES = named(EVENT_CLASS)
LEVELS: Mapping[Level, Mapping[str, Attribute]] = MappingProxyType(
    {level: named(a for a in GROUP if level in a.levels) for level in Level}
)
