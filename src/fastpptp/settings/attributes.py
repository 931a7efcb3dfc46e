"""Every setting, declared once: validation, the command line, TOML and docs/settings.md follow.

Names are the product's labels in snake_case; sections are tables of the TOML tree. What stands
on the tabs of a group is set or inherited level by level: base group, group, user.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum, IntEnum
from types import MappingProxyType
from typing import Any

from fastpptp.events.routing import SyslogFormat
from fastpptp.settings.hosts import MailAddress
from fastpptp.settings.kinds import (
    AUTHENTICATION_PROTOCOLS,
    Address,
    AnyNetwork,
    Choice,
    Flag,
    Integer,
    Kind,
    Listed,
    Network,
    Optional,
    Plain,
    Prefix,
    Secret,
    SeverityRange,
    Text,
    words,
)
from fastpptp.settings.matching import EVERY, MOST_PORTS, IpProtocol, Matching, Span


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
    """One setting. `default` is plain; `levels` is empty for what no group or user has.

    `note` is where it comes from if that is not the product alone: an RFC, or OURS.
    """

    name: str
    label: str
    kind: Kind[Any]
    default: Plain
    levels: frozenset[Level] = frozenset()
    touches: Touches = Touches.NEXT_SESSION
    help: str = ""
    note: str = ""

    @property
    def option(self) -> str:
        """Its name on the command line."""
        return "--" + self.name.replace("_", "-")


@dataclass(frozen=True, slots=True)
class Screen:
    """A section's noun on the command line, and the product's name for its screen."""

    command: str
    title: str


ALL_LEVELS = frozenset(Level)
NOT_USER = frozenset({Level.BASE, Level.GROUP})
GROUP_ONLY = frozenset({Level.GROUP})
USER_ONLY = frozenset({Level.USER})

OURS = "ours"
REQUIRED = "Required"
REQUIRE_STATELESS = "Require Stateless"
KEY_LENGTHS: Mapping[str, int] = MappingProxyType({"40-bit": 40, "56-bit": 56, "128-bit": 128})
INTERNAL = "Internal"
EXTERNAL = "External"
MAX_GROUP_NAME = 32
MAX_PASSWORD = 256  # RFC 2759 section 8: NtPasswordHash of 0 to 256 characters

PPTP = (
    Attribute("enabled", "Enabled", Flag(), True, touches=Touches.NOW,
              help="serve PPTP; off ends every PPTP session"),
    Attribute("maximum_tunnel_idle_time", "Maximum Tunnel Idle Time",
              Integer(1, 86_400, unit="s"), 5, touches=Touches.NOW,
              help="a control connection with no session is closed after it"),
    Attribute("packet_window_size", "Packet Window Size", Integer(0, 32, unit="packets"), 16,
              help="the receive window that is advertised", note="RFC 2637 section 4.2"),
    Attribute("limit_transmit_to_window", "Limit Transmit to Window", Flag(), False,
              help="obey the peer's receive window when sending", note="RFC 2637 section 4.2"),
    Attribute("max_tunnels", "Max. Tunnels", Integer(0, 65_535, zero="unlimited"), 0,
              touches=Touches.NOW, help="further control connections are refused",
              note="RFC 2637 section 2.2: result 2, error 4"),
    Attribute("max_sessions_per_tunnel", "Max. Sessions/Tunnel",
              Integer(0, 65_535, zero="unlimited"), 0, touches=Touches.NOW,
              help="further calls on a tunnel are refused",
              note="RFC 2637 section 2.8: result 2, error 4"),
    Attribute("packet_processing_delay", "Packet Processing Delay",
              Integer(0, 65_535, unit="tenths of a second"), 1,
              help="sent in the call messages", note="RFC 2637 section 2.8"),
    Attribute("acknowledgement_delay", "Acknowledgement Delay",
              Integer(50, 5000, unit="ms", zero="at once"), 500,
              help="how long an acknowledgement waits for data to ride on",
              note="RFC 2637 section 4.2.5"),
    Attribute("acknowledgement_timeout", "Acknowledgement Timeout", Integer(1, 10, unit="s"), 3,
              help="after it an unacknowledged window re-opens", note="RFC 2637 section 4.4"),
)  # fmt: skip

SYSTEM = (
    Attribute("server_address", "Server Address", Address(), "172.16.1.1",
              help="our address inside the tunnels, told in IPCP",
              note="RFC 1332 section 3.3; the product tells the address that the call came in on"),
    Attribute("proxy_arp", "Proxy ARP", Choice(("auto", "on", "off")), "auto", touches=Touches.NOW,
              help="answer ARP for sessions: auto = inside networks that this machine is attached "
                   "to, on = on every Ethernet device", note=f"{OURS}; RFC 1027"),
    Attribute("ipv6_prefix", "IPv6 Prefix", Optional(Prefix()), "none",
              help="each session gets a /64 of it", note=f"{OURS}; RFC 5072"),
    Attribute("mru", "MRU", Integer(576, 1500, unit="octets"), 1400,
              help="largest PPP information field that is asked for and sent",
              note=f"{OURS}; RFC 1661 section 6.1"),
    Attribute("echo_interval", "Echo Interval", Integer(1, 3600, unit="s", zero="no echoes"), 30,
              help="between LCP Echo-Requests on a silent link",
              note=f"{OURS}; RFC 1661 section 5.8"),
    Attribute("echo_failures", "Echo Failures", Integer(1, 20), 3,
              help="unanswered LCP Echo-Requests that end a session",
              note=f"{OURS}; RFC 1661 section 5.8"),
    Attribute("handshakes_in_flight", "Handshakes in Flight",
              Integer(1, 65_535), 1000, touches=Touches.NOW,
              help="sessions that may be in negotiation at once; further calls are refused",
              note=OURS),
    Attribute("handshakes_per_source", "Handshakes in Flight per Source",
              Integer(1, 65_535), 256, touches=Touches.NOW,
              help="the same for one peer address; many clients can be behind one NAT", note=OURS),
    Attribute("no_gre_warning", "No GRE Warning", Integer(1, 3600, unit="s"), 10,
              help="after this long without GRE from the peer an event names the firewall",
              note=OURS),
    Attribute("reorder_packets", "Reorder Packets",
              Integer(0, 32, unit="packets", zero="drop late ones"), 32,
              help="early packets that are held for a late one",
              note=f"{OURS}; RFC 2637 section 4.3"),
    Attribute("reorder_time", "Reorder Time", Integer(0, 100, unit="ms"), 5,
              help="how long they are held", note=OURS),
    Attribute("client_to_client", "Client to Client", Flag(), True,
              help="sessions may exchange packets with each other", note=OURS),
    Attribute("forwarding", "Forwarding", Flag(), False, touches=Touches.NOW,
              help="switch this machine's forwarding on while the headend runs", note=OURS),
    Attribute("nat", "Network Address Translation", Flag(), False, touches=Touches.NOW,
              help="clients reach other networks under this machine's own address", note=OURS),
)  # fmt: skip

ASSIGNMENT = (
    Attribute("from_client", "Use Client Address", Flag(), False,
              help="first: the address that the client asks for"),
    Attribute("from_authentication_server", "Use Address from Authentication Server",
              Flag(), False, help="second: the user's IP Address"),
    Attribute("dhcp", "Use DHCP", Flag(), False, help="third: a DHCP server"),
    Attribute("pools", "Use Address Pools", Flag(), True, help="last: the address pools"),
)  # fmt: skip

DHCP = (
    Attribute("servers", "DHCP Servers", Listed(Address(), 8), [],
              help="all are asked, and the first that offers an address is taken"),
    Attribute("relay_address", "Relay Address", Optional(Address()), "none",
              help="our address that servers answer to, on UDP port 67; "
                   "none = the one towards each server"),
    Attribute("timeout", "Timeout", Integer(1, 10, unit="s"), 2,
              help="how long the first answer is waited for; each retry waits twice as long"),
    Attribute("retries", "Retries", Integer(0, 4), 2,
              help="how often the servers are asked again"),
    Attribute("send_host_name", "Send Host Name", Flag(), False,
              help="tell servers the user's name as host name (option 12)"),
)  # fmt: skip

SNMP = (
    Attribute("enabled", "Enabled", Flag(), False, touches=Touches.NOW,
              help="run the SNMP agent", note="the product has it on"),
    Attribute("address", "Address", Address(), "127.0.0.1", touches=Touches.NOW,
              help="our address that is asked; 0.0.0.0 is every one", note=OURS),
    Attribute("port", "Port", Integer(1, 65_535), 161, touches=Touches.NOW,
              help="UDP port that is asked"),
    Attribute("read_community", "Read Community", Optional(Secret(1, 32)), "none",
              touches=Touches.NOW, help="who knows it may read, with SNMPv1 or SNMPv2c",
              note="SNMPv1 and v2c send it in the clear"),
    Attribute("write_community", "Write Community", Optional(Secret(1, 32)), "none",
              touches=Touches.NOW, help="who knows it may read, and end sessions and tunnels",
              note=OURS),
    Attribute("user", "SNMPv3 User", Optional(Text(1, 32)), "none", touches=Touches.NOW,
              help="who may ask with SNMPv3, and with a privacy password end sessions and tunnels",
              note=f"{OURS}; RFC 3414"),
    Attribute("authentication_password", "SNMPv3 Authentication Password",
              Optional(Secret(8, 64)), "none", touches=Touches.NOW,
              help="of that user: HMAC-SHA-96", note=f"{OURS}; RFC 3414"),
    Attribute("privacy_password", "SNMPv3 Privacy Password", Optional(Secret(8, 64)), "none",
              touches=Touches.NOW, help="of that user: AES-128; with it nothing goes unencrypted",
              note=f"{OURS}; RFC 3826"),
    Attribute("managers", "Managers", Listed(Network(), 16), [], touches=Touches.NOW,
              help="networks that may ask; none is every one", note=OURS),
)  # fmt: skip

DESTINATIONS = (
    Attribute("log", "Severity to Log", SeverityRange(), "1-5", touches=Touches.NOW,
              help="events that the event log keeps"),
    Attribute("console", "Severity to Console", SeverityRange(), "1-3", touches=Touches.NOW,
              help="events that go to standard error"),
    Attribute("syslog", "Severity to Syslog", SeverityRange(), "none", touches=Touches.NOW,
              help="events that go to the syslog servers"),
    Attribute("email", "Severity to Email", SeverityRange(), "none", touches=Touches.NOW,
              help="events that go to the email recipients, each up to its Max Severity"),
    Attribute("trap", "Severity to Trap", SeverityRange(), "none", touches=Touches.NOW,
              help="events that go to the trap destinations"),
)  # fmt: skip
EVENTS = (
    *DESTINATIONS,
    Attribute("capacity", "Event Log Size", Integer(100, 1_000_000, unit="events"), 10_000,
              touches=Touches.NOW, help="the newest events that are kept",
              note="the product keeps 2,048"),
    Attribute("syslog_format", "Syslog Format", Choice([each.value for each in SyslogFormat]),
              SyslogFormat.ORIGINAL.value, touches=Touches.NOW,
              help="how an event is written in one line"),
    Attribute("email_source_address", "Email Source Address", Optional(MailAddress()), "none",
              touches=Touches.NOW,
              help="the From of messages; none = fastpptp at this host's name"),
)  # fmt: skip
EVENT_CLASS = (
    Attribute("enable", "Enable", Flag(), True, touches=Touches.NOW,
              help="the ranges below replace the defaults for this class"),
    *DESTINATIONS,
)  # fmt: skip

POOL = (
    Attribute("first", "First", Address(), "", help="the first address of the range"),
    Attribute("last", "Last", Address(), "", help="the last address of the range"),
    Attribute("server_address", "Server Address", Optional(Address()), "none",
              help="our address for this pool; none is the system's", note=OURS),
)  # fmt: skip

INBOUND, OUTBOUND = "Inbound", "Outbound"
DROP, FORWARD, LOG = "Drop", "Forward", "Log"
ACTION = Choice((DROP, FORWARD, f"{DROP} and {LOG}", f"{FORWARD} and {LOG}"))
ESTABLISHED = "Established"

FILTER = (
    Attribute("description", "Description", Text(0, 255), "", touches=Touches.NOW,
              help="a remark"),
    Attribute("default_action", "Default Action", ACTION, DROP, touches=Touches.NOW,
              help="what is done with a packet that no rule concerns"),
    Attribute("source_routing", "Source Routing", Flag(), False, touches=Touches.NOW,
              help="let source-routed packets pass if the rules do", note="RFC 791, 5095"),
    Attribute("fragments", "Fragments", Flag(), True, touches=Touches.NOW,
              help="let fragments pass if the rules do", note="RFC 1858, 3128"),
)  # fmt: skip

RULE = (
    Attribute("name", "Rule Name", Text(1, 48), "", touches=Touches.NOW,
              help="unique in its filter"),
    Attribute("direction", "Direction", Choice((INBOUND, OUTBOUND)), INBOUND, touches=Touches.NOW,
              help="Inbound: from the client; Outbound: to the client"),
    Attribute("action", "Action", ACTION, DROP, touches=Touches.NOW,
              help="what is done with a packet that the rule concerns"),
    Attribute("protocol", "Protocol", IpProtocol(), EVERY, touches=Touches.NOW,
              help="the IP protocol; with IPv6 what follows the extension headers"),
    Attribute("tcp_connection", "TCP Connection", Choice((ESTABLISHED, "Don't Care")),
              "Don't Care", touches=Touches.NOW,
              help="Established: only segments with ACK or RST"),
    Attribute("source_address", "Source Address", Matching(), EVERY, touches=Touches.NOW,
              help="where a packet comes from"),
    Attribute("destination_address", "Destination Address", Matching(), EVERY,
              touches=Touches.NOW, help="where it goes to"),
    Attribute("source_port", "TCP/UDP Source Port", Span(MOST_PORTS), EVERY, touches=Touches.NOW,
              help="with TCP and UDP"),
    Attribute("destination_port", "TCP/UDP Destination Port", Span(MOST_PORTS), EVERY,
              touches=Touches.NOW, help="with TCP and UDP"),
    Attribute("icmp_type", "ICMP Packet Type", Span(255), EVERY, touches=Touches.NOW,
              help="with ICMP and ICMPv6"),
    Attribute("icmp_code", "ICMP Packet Code", Span(255), EVERY, touches=Touches.NOW,
              help="with ICMP and ICMPv6", note=OURS),
)  # fmt: skip

_IDENTITY = (
    Attribute("type", "Type", Choice((INTERNAL, EXTERNAL)), INTERNAL, GROUP_ONLY,
              help="where its users are kept; External needs a RADIUS server: refused until one "
                   "can be configured"),
    Attribute("password", "Password", Secret(4, 32), "", GROUP_ONLY,
              help="the group's password; PPTP does not use it"),
    Attribute("password", "Password", Secret(1, MAX_PASSWORD), "", USER_ONLY,
              help="the user's password; the rules of its group hold",
              note="RFC 2759 section 8: at most 256 characters"),
    Attribute("group", "Group", Optional(Text(1, MAX_GROUP_NAME)), "none", USER_ONLY,
              help="the group that the user belongs to; none is the base group"),
    Attribute("ip_address", "IP Address", Optional(Address()), "none", USER_ONLY,
              help="the user's own address, given where assignment from the authentication "
                   "server is on"),
    Attribute("subnet_mask", "Subnet Mask", Optional(Address()), "none", USER_ONLY,
              help="of the IP Address"),
)  # fmt: skip

_GENERAL = (
    Attribute("access_hours", "Access Hours", Text(1, 48), "No Restrictions", ALL_LEVELS,
              help="No Restrictions | Never | Business Hours | a named set of hours"),
    Attribute("simultaneous_logins", "Simultaneous Logins",
              Integer(0, 65_535, zero="login disabled"), 3, ALL_LEVELS,
              help="sessions that a user may have at once"),
    Attribute("minimum_password_length", "Minimum Password Length",
              Integer(1, 32, unit="characters"), 8, NOT_USER,
              help="holds for a new password; a user keeps the one it has"),
    Attribute("allow_alphabetic_only_passwords", "Allow Alphabetic-Only Passwords",
              Flag(), True, NOT_USER,
              help="off: a new password needs a digit or a sign"),
    Attribute("idle_timeout", "Idle Timeout", Integer(0, 35_791, unit="minutes", zero="never"),
              30, ALL_LEVELS, help="a session that carries nothing is ended after it"),
    Attribute("maximum_connect_time", "Maximum Connect Time",
              Integer(0, 35_791, unit="minutes", zero="unlimited"), 0, ALL_LEVELS,
              help="a session is ended after it"),
    Attribute("filter", "Filter", Optional(Text(1, 48)), "none", ALL_LEVELS, Touches.NOW,
              help="the traffic filter: what the session may send and receive"),
    Attribute("primary_dns", "Primary DNS", Optional(Address()), "none", NOT_USER,
              help="told to the client", note="RFC 1877 section 1.1"),
    Attribute("secondary_dns", "Secondary DNS", Optional(Address()), "none", NOT_USER,
              help="told to the client", note="RFC 1877 section 1.3"),
    Attribute("primary_wins", "Primary WINS", Optional(Address()), "none", NOT_USER,
              help="told to the client", note="RFC 1877 section 1.2"),
    Attribute("secondary_wins", "Secondary WINS", Optional(Address()), "none", NOT_USER,
              help="told to the client", note="RFC 1877 section 1.4"),
    Attribute("sep_card_assignment", "SEP Card Assignment", words("1", "2", "3", "4"),
              ["1", "2", "3", "4"], NOT_USER,
              help="dataplane workers, from 1, that may carry the session; all four: any worker"),
    Attribute("tunneling_protocols", "Tunneling Protocols",
              words("PPTP", "L2TP", "IPSec", "L2TP over IPSec"), ["PPTP", "L2TP", "IPSec"],
              ALL_LEVELS, help="without PPTP a login is refused; the others are kept, not served"),
    Attribute("strip_realm", "Strip Realm", Flag(), False, NOT_USER,
              help="user@realm and DOMAIN\\user are authenticated as user",
              note="DOMAIN\\user: ours"),
    Attribute("dhcp_network_scope", "DHCP Network Scope", Optional(Network()), "none", NOT_USER,
              help="the network that is asked of the DHCP server"),
    Attribute("static_routes", "Static Routes", Listed(AnyNetwork(), 64), [], USER_ONLY,
              help="networks behind the user, routed to its session", note=OURS),
)  # fmt: skip

_PPTP_TAB = (
    Attribute("use_client_address", "Use Client Address", Flag(), False, ALL_LEVELS,
              help="accept the address the client asks for; the system's method must be on too"),
    Attribute("pptp_authentication_protocols", "PPTP Authentication Protocols",
              AUTHENTICATION_PROTOCOLS, ["MSCHAPv2"], ALL_LEVELS,
              help="a group may allow fewer than the base group, a user fewer than its group; none "
                   "in the base group is no authentication; EAP Proxy needs a RADIUS server: "
                   "refused until one can be configured",
              note="RFC 1334, 1994, 2433, 2759, 3748"),
    Attribute("pptp_encryption", "PPTP Encryption",
              words(REQUIRED, REQUIRE_STATELESS, *KEY_LENGTHS),
              [REQUIRED, REQUIRE_STATELESS, "128-bit"], ALL_LEVELS,
              help="Required goes with MSCHAPv1, MSCHAPv2 and EAP Proxy alone, and with at least "
                   "one key length",
              note="RFC 3078; 56-bit: ours"),
    Attribute("pptp_compression", "PPTP Compression", Choice(("none", "MPPC")), "none",
              ALL_LEVELS,
              help="MPPC is refused until it is there", note="RFC 2118"),
    Attribute("authentication_retries", "Authentication Retries", Integer(0, 10), 0, ALL_LEVELS,
              help="further tries on the same link after a wrong password",
              note=f"{OURS}; RFC 2759 section 6"),
    Attribute("password_expired", "Password Expired", Flag(), False, USER_ONLY,
              help="the next login must change the password",
              note=f"{OURS}; RFC 2759 section 6: error 648"),
)  # fmt: skip


def named(attributes: Iterable[Attribute]) -> Mapping[str, Attribute]:
    """Attributes by their names."""
    return MappingProxyType({attribute.name: attribute for attribute in attributes})


def at(level: Level) -> Mapping[str, Attribute]:
    """The inherited attributes that can be set at this level, by name."""
    return LEVELS[level]


# What is inherited, by the tab of the product's screens on which it stands.
TABS: Mapping[str, tuple[Attribute, ...]] = MappingProxyType(
    {"General": _GENERAL, "PPTP/L2TP": _PPTP_TAB}
)
GROUP = tuple(attribute for tab in TABS.values() for attribute in tab)

SECTIONS: Mapping[str, Mapping[str, Attribute]] = MappingProxyType(
    {
        "pptp": named(PPTP),
        "system": named(SYSTEM),
        "assignment": named(ASSIGNMENT),
        "dhcp": named(DHCP),
        "snmp": named(SNMP),
        "events": named(EVENTS),
    }
)
SCREENS: Mapping[str, Screen] = MappingProxyType(
    {
        "pptp": Screen("pptp", "Configuration | System | Tunneling Protocols | PPTP"),
        "system": Screen("system", "Configuration | System | All Sessions"),
        "assignment": Screen(
            "assignment", "Configuration | System | Address Management | Assignment"
        ),
        "dhcp": Screen("dhcp", "Configuration | System | Servers | DHCP"),
        "snmp": Screen("snmp", "Configuration | System | Management Protocols | SNMP"),
        "events": Screen("event-general", "Configuration | System | Events | General"),
    }
)
EVENT_CLASS_ATTRIBUTES = named(EVENT_CLASS)
POOL_ATTRIBUTES = named(POOL)
FILTER_ATTRIBUTES = named(FILTER)
RULE_ATTRIBUTES = named(RULE)
LEVELS: Mapping[Level, Mapping[str, Attribute]] = MappingProxyType(
    {level: named(a for a in GROUP if level in a.levels) for level in Level}
)
# What an entry of a level has beside what it inherits.
IDENTITY: Mapping[Level, Mapping[str, Attribute]] = MappingProxyType(
    {level: named(a for a in _IDENTITY if level in a.levels) for level in Level}
)
