"""Every event that fastpptp can raise: its class, number, severity and words.

The reference's events keep the reference's numbers and exact words; numbers from 100 on
are ours. A text is a template over the event's fields and `peer`; a second line of the
text is a second line of the log. `PER_FIELD` says what stands for a field that is
absent or empty.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from string import Formatter
from types import MappingProxyType

from fastpptp.errors import LocalProtocolError

FAULT = 1
WARNING_HIGH = 2
WARNING = 3
INFORMATION_HIGH = 4
INFORMATION = 5
INFORMATION_LOW = 6
DEBUG_HIGH = 7
DEBUG = 8
DEBUG_LOW = 9
DECODE_HEADER = 10
DECODE_DETAIL = 11
DECODE_HEADER_HEX = 12
DECODE_PACKET_HEX = 13

SEVERITIES = range(FAULT, DECODE_PACKET_HEX + 1)

BASE_GROUP = "Base Group"

# What the reference prints where there is nothing to tell.
PER_FIELD: Mapping[str, str] = MappingProxyType(
    {
        "domain": "<not specified>",
        "server": "(none)",
        "info": "No additional info",
        "group": BASE_GROUP,
        "checksum_errors": "not known",
    }
)

# Who it is about, and the code of its cause (causes.py): allowed on every event.
CONTEXT = frozenset({"code", "group", "user"})


@dataclass(frozen=True, slots=True)
class EventType:
    """One kind of event. `shows_peer` puts the client's IP address into the header line.

    One that is `caused` always comes with a cause.
    """

    severity: int
    text: str
    shows_peer: bool = True
    caused: bool = False
    names: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        found = {name for _, name, _, _ in Formatter().parse(self.text) if name}
        object.__setattr__(self, "names", frozenset(found - {"peer"}))


@dataclass(frozen=True, slots=True)
class Occurrence:
    """An event that happened, before it has a time and a sequence number.

    `fields` holds what the peer or the user typed, as it came; `text()` makes it printable.
    """

    cls: str
    number: int
    peer: IPv4Address | None
    fields: Mapping[str, str]

    @property
    def type(self) -> EventType:
        return EVENTS[self.cls, self.number]

    @property
    def severity(self) -> int:
        return self.type.severity

    @property
    def cause(self) -> str:
        """The code of its cause (causes.py), empty where it has none."""
        return self.fields.get("code", "")

    def text(self) -> str:
        """The event's words; lines are parted by `\\n`, values hold no control characters."""
        values = {name: printable(value) for name, value in self.fields.items()}
        return self.type.text.format(peer=self.peer or "(none)", **values)


def printable(value: str) -> str:
    """`value` with all that could forge a line of the log or drive a terminal escaped."""
    if value.isprintable():
        return value
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in value)


def occur(
    cls: str, number: int, *, peer: IPv4Address | None = None, **fields: object
) -> Occurrence:
    """An Occurrence of event `cls`/`number` with its template's fields.

    A field of PER_FIELD may be absent, None or empty; `group` and `user` may always be given,
    so that the log can be searched by them, and so may `code`, a Cause: it must where the event
    is `caused`. An unknown event, a missing field and one that the text does not use are the
    caller's fault: LocalProtocolError.
    """
    kind = EVENTS.get((cls, number))
    if kind is None:
        raise LocalProtocolError(f"there is no event {cls}/{number}")
    known = {name: "" if value is None else str(value) for name, value in fields.items()}
    for name in kind.names & PER_FIELD.keys():
        known[name] = known.get(name) or PER_FIELD[name]
    wrong = (kind.names - known.keys()) | (known.keys() - kind.names - CONTEXT)
    if wrong:
        names = ", ".join(sorted(wrong))
        raise LocalProtocolError(f"event {cls}/{number}: missing or unknown field {names}")
    return Occurrence(cls, number, peer, MappingProxyType(known))


def _pptp() -> dict[int, EventType]:
    return {
        34: EventType(INFORMATION_HIGH, "Tunnel to peer {peer} closed, reason: {reason} ({info})", caused=True),
        35: EventType(
            INFORMATION_HIGH,
            "Session closed on tunnel {peer} (peer {peer_call_id}, local {local_call_id}, "
            "serial {serial}), reason: {reason} ({info})", caused=True),
        42: EventType(INFORMATION_HIGH, "Session started on tunnel {peer}"),
        47: EventType(INFORMATION_HIGH, "Tunnel to peer {peer} established"),
        # Refusals.
        100: EventType(WARNING, "Tunnel to peer {peer} refused: Max. Tunnels ({limit}) reached", caused=True),
        101: EventType(
            WARNING, "Session refused on tunnel {peer}: Max. Sessions/Tunnel ({limit}) reached", caused=True),
        102: EventType(WARNING, "Session refused on tunnel {peer}: no Call-ID is free", caused=True),
        103: EventType(
            WARNING, "Session refused on tunnel {peer}: {limit} handshakes are in flight", caused=True),
        104: EventType(WARNING, "Tunnel to peer {peer} refused: PPTP is not enabled", caused=True),
        105: EventType(
            WARNING, "Tunnel to peer {peer} refused: {limit} of its connections are half open", caused=True),
        106: EventType(WARNING, "Tunnel to peer {peer} refused: {limit} connections are half open", caused=True),
        107: EventType(WARNING, "Session refused on tunnel {peer}: {reason}", caused=True),
        108: EventType(WARNING, "Tunnel to peer {peer} refused: the headend is stopping", caused=True),
        # What peers do wrong.
        110: EventType(WARNING, "Peer {peer} sent a wrong control message: {detail}", caused=True),
        112: EventType(WARNING, "Peer {peer} sent no Echo-Reply in {seconds} s", caused=True),
        113: EventType(
            WARNING, "Peer {peer} did not establish the control connection in {seconds} s", caused=True),
        # A firewall, or a NAT without a helper, is the most common fault in the field; a NAT that
        # breaks the IP checksum looks the same from here but for the host's counter.
        114: EventType(
            WARNING,
            "No GRE received from peer {peer} in {seconds} s on session of call {local_call_id}\n"
            "A firewall or NAT between blocks IP protocol 47; "
            "IP checksum errors on this host: {checksum_errors}",
        ),
        115: EventType(
            INFORMATION,
            "WAN errors of peer {peer}: crc {crc_errors}, framing {framing_errors}, "
            "hardware overruns {hardware_overruns}, buffer overruns {buffer_overruns}, "
            "time-outs {timeout_errors}, alignment {alignment_errors}",
        ),
        # Our own time-outs.
        120: EventType(INFORMATION, "Tunnel to peer {peer} has had no session for {seconds} s", caused=True),
    }


def _ppp() -> dict[int, EventType]:
    gone = "User [{user}] disconnected"
    return {
        6: EventType(
            INFORMATION_HIGH,
            f"{gone}\nPPTP Encryption configured as REQUIRED.. remote client not supporting it.", caused=True),
        8: EventType(INFORMATION, "User [{user}]\nAuthenticated successfully with {method}"),
        9: EventType(
            INFORMATION, "User [{user}]\ndisconnected.. failed authentication ( {method} )", caused=True),
        12: EventType(INFORMATION, f"{gone}. Authentication protocol not allowed.", caused=True),
        100: EventType(INFORMATION_HIGH, f"{gone}. Idle Timeout of {{minutes}} minutes reached.", caused=True),
        101: EventType(
            INFORMATION_HIGH, f"{gone}. Maximum Connect Time of {{minutes}} minutes reached.", caused=True),
        102: EventType(WARNING, f"{gone}. Peer does not answer LCP Echo-Requests.", caused=True),
        103: EventType(WARNING, f"{gone}. Link is looped back.", caused=True),
        104: EventType(INFORMATION_HIGH, f"{gone}. {{reason}}.", caused=True),
        105: EventType(INFORMATION_HIGH, f"{gone}. Access Hours [{{hours}}] ended.", caused=True),
        110: EventType(
            WARNING, "User [{user}] MPPE lost step with the peer and is negotiated again."
        ),
        111: EventType(
            WARNING,
            "User [{user}] authenticated with MSCHAP-V1: both directions of MPPE use the same "
            "key stream (RFC 3079 section 2); allow MSCHAPv2 alone.",
        ),
        112: EventType(INFORMATION, "User [{user}] encryption is up: MPPE {bits}-bit {mode}"),
        113: EventType(WARNING, "User [{user}] data frames were dropped: the session is not open"),
        114: EventType(INFORMATION_LOW, "User [{user}] peer identifies itself as {text}"),
        120: EventType(INFORMATION, "User [{user}] is up: address {address}, server {server}"),
        121: EventType(INFORMATION, "User [{user}] IPv6 is up: prefix {prefix}"),
    }


def _auth() -> dict[int, EventType]:
    return {
        5: EventType(
            WARNING,
            "Authentication rejected: Reason = {reason}\n"
            "handle = {handle}, server = {server}, user = {user}, domain = {domain}", caused=True),
        22: EventType(
            INFORMATION_HIGH,
            "User [{user}] Group [{group}] connected, Session Type: PPTP",
            shows_peer=False,
        ),
        28: EventType(
            INFORMATION_HIGH,
            "User [{user}] Group [{group}] disconnected:\nSession Type: PPTP\n"
            "Duration: {duration}\nBytes xmt: {bytes_xmt}\nBytes rcv: {bytes_rcv}\n"
            "Reason: {reason}",
            shows_peer=False, caused=True),
        100: EventType(
            WARNING,
            "Logins throttled for {seconds} s after {failures} failures, user = {user}",
        ),
        101: EventType(INFORMATION_HIGH, "User [{user}] changed the password"),
        102: EventType(WARNING, "User [{user}] could not change the password: {reason}"),
        103: EventType(
            WARNING,
            "Login as [{user}] refused: the session is that of user [{account}]",
            caused=True,
        ),
    }


def _config() -> dict[int, EventType]:
    return {
        100: EventType(INFORMATION_HIGH, "Configuration changed: {what}"),
        101: EventType(INFORMATION_HIGH, "Configuration reloaded, revision {revision}"),
        102: EventType(WARNING_HIGH, "Configuration refused, nothing has changed: {problem}"),
        103: EventType(
            WARNING,
            "User [{user}] IP Address {address} is ignored: assignment from the authentication "
            "server is off",
        ),
        104: EventType(INFORMATION_HIGH, "Administrator {who}: {what}"),
    }


def _system() -> dict[int, EventType]:
    return {
        100: EventType(INFORMATION_HIGH, "fastpptp {version} started, listening on {listen}"),
        101: EventType(INFORMATION_HIGH, "fastpptp stopped: {reason}"),
        102: EventType(INFORMATION_HIGH, "fastpptp is stopping: {sessions} sessions are told"),
        # MS-CHAPv2 falls to one DES key search, and RC4 carries no integrity check.
        103: EventType(
            WARNING,
            "PPTP is cryptographically broken: MS-CHAP can be cracked offline and MPPE is not "
            "authenticated. Do not use it where confidentiality matters.",
        ),
        110: EventType(FAULT, "The store cannot be used: {problem}"),
        111: EventType(INFORMATION_HIGH, "The store can be used again"),
        112: EventType(WARNING_HIGH, "{count} records were not written to the store: {problem}"),
        120: EventType(FAULT, "Dataplane worker {worker} stopped: {problem}"),
        121: EventType(WARNING, "No more control connections can be accepted: {problem}"),
        122: EventType(WARNING, "{feature} is not available: {problem}"),
        123: EventType(FAULT, "Internal error: {problem}"),
        124: EventType(WARNING_HIGH, "This machine could not be changed as wanted: {problem}"),
    }


def _address() -> dict[int, EventType]:
    return {
        100: EventType(WARNING, "User [{user}] no address available: {reason}"),
        101: EventType(INFORMATION, "User [{user}] address {address} assigned by {method}"),
        102: EventType(INFORMATION, "User [{user}] address {address} released"),
        103: EventType(
            WARNING, "User [{user}] address {address} is in use and was not assigned by {method}"
        ),
        104: EventType(
            WARNING_HIGH,
            "The address pools are used up: {size} addresses are in use or kept for their users, "
            "{count} more asked for since this was last told",
        ),
        105: EventType(
            WARNING,
            "User [{user}] the network {network} behind it is not routed: this machine is itself "
            "attached to {attached}",
        ),
        106: EventType(
            WARNING,
            "Proxy ARP for {address} on {device} is not answered: {device} does not forward\n"
            "Turn Forwarding on (fastpptp config set system.forwarding true), or: "
            "sysctl -w net.{family}.conf.{device}.forwarding=1",
        ),
    }


def _dhcp() -> dict[int, EventType]:
    since = "since this was last told"
    return {
        100: EventType(
            INFORMATION,
            "User [{user}] address {address} leased by DHCP server {server} for {seconds} s",
        ),
        101: EventType(
            INFORMATION_LOW,
            "User [{user}] address {address} extended by DHCP server {server} for {seconds} s",
        ),
        102: EventType(
            WARNING_HIGH,
            f"No DHCP server gave an address: {{servers}} ({{count}} {since})\n"
            "They must be reachable, have a subnet for the DHCP Network Scope or this machine's "
            "address, and answer to UDP port 67 here",
            shows_peer=False,
        ),
        103: EventType(
            WARNING,
            "User [{user}] address {address} of DHCP server {server} is in use here and was "
            "declined",
        ),
        104: EventType(WARNING, "User [{user}] DHCP server {server} refused: {text}"),
        105: EventType(
            INFORMATION, "User [{user}] address {address} given back to DHCP server {server}"
        ),
        106: EventType(
            WARNING_HIGH,
            f"{{limit}} DHCP requests are under way; {{count}} more went without ({since})",
            shows_peer=False,
        ),
        107: EventType(
            WARNING,
            f"A wrong message from DHCP server {{server}}: {{problem}} ({{count}} {since})",
            shows_peer=False,
        ),
        108: EventType(WARNING_HIGH, "DHCP cannot be used: {problem}\n{remedy}", shows_peer=False),
        109: EventType(WARNING_HIGH, "User [{user}] address {address} is lost: {reason}"),
    }


def _filter() -> dict[int, EventType]:
    return {
        100: EventType(
            INFORMATION,
            "User [{user}] Filter [{filter}] Rule [{rule}]: {direction} packet {action}\n"
            "{packet}, {length} octets; {suppressed} more before it were not logged",
        ),
    }


def _debug() -> dict[int, EventType]:
    return {
        100: EventType(DEBUG_HIGH, "{text}"),
        101: EventType(DEBUG, "{text}"),
        102: EventType(DEBUG_LOW, "{text}"),
    }


def _decode() -> dict[int, EventType]:
    return {
        100: EventType(DECODE_HEADER, "{text}"),
        101: EventType(DECODE_DETAIL, "{text}"),
        102: EventType(DECODE_HEADER_HEX, "{text}"),
        103: EventType(DECODE_PACKET_HEX, "{text}"),
    }


def _catalogue() -> Mapping[tuple[str, int], EventType]:
    tables = {
        "PPTP": _pptp(),
        "PPP": _ppp(),
        "AUTH": _auth(),
        "CONFIG": _config(),
        "SYSTEM": _system(),
        "ADDRESS": _address(),
        "DHCP": _dhcp(),
        "FILTER": _filter(),
    }
    for name in ("PPTP", "PPP", "AUTH"):
        tables[name + "DBG"] = _debug()
        tables[name + "DECODE"] = _decode()
    return MappingProxyType(
        {(cls, number): kind for cls, kinds in tables.items() for number, kind in kinds.items()}
    )


EVENTS = _catalogue()

CLASSES = tuple(sorted({cls for cls, _ in EVENTS}))
