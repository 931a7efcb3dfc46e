"""Policy out of configuration: groups, users and the sections as typed records."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Network
from typing import Any

from fastpptp.dhcp.client import DhcpConfig
from fastpptp.events.routing import Destination, EventPolicy
from fastpptp.methods import AuthMethod
from fastpptp.ports import PacketFilter
from fastpptp.settings import attributes
from fastpptp.settings.filters import packet_filter
from fastpptp.settings.hours import BUILT_IN, AccessHours, read_hours
from fastpptp.settings.inherit import (
    AUTHENTICATION,
    ENCRYPTION,
    Inheritance,
    Resolved,
    defaults,
    loaded,
)
from fastpptp.settings.sinks import sinks
from fastpptp.settings.tree import Configuration, PoolRange, UserEntry


@dataclass(frozen=True, slots=True)
class PptpSettings:
    """Configuration | System | Tunneling Protocols | PPTP.

    Seconds, but: packet_processing_delay in tenths of one, acknowledgement_delay in ms;
    windows in packets; a limit of 0 is none.
    """

    enabled: bool
    maximum_tunnel_idle_time: int
    packet_window_size: int
    limit_transmit_to_window: bool
    max_tunnels: int
    max_sessions_per_tunnel: int
    packet_processing_delay: int
    acknowledgement_delay: int
    acknowledgement_timeout: int


@dataclass(frozen=True, slots=True)
class SystemSettings:
    """Settings of our own: intervals in s, reorder_time in ms, mru in octets."""

    server_address: IPv4Address
    proxy_arp: str
    ipv6_prefix: IPv6Network | None
    mru: int
    echo_interval: int
    echo_failures: int
    handshakes_in_flight: int
    handshakes_per_source: int
    no_gre_warning: int
    reorder_packets: int
    reorder_time: int
    client_to_client: bool
    forwarding: bool
    nat: bool


@dataclass(frozen=True, slots=True)
class AssignmentSettings:
    """Which methods of address assignment are on, in the order in which they are tried."""

    from_client: bool
    from_authentication_server: bool
    dhcp: bool
    pools: bool


@dataclass(frozen=True, slots=True)
class SnmpSettings:
    """Configuration | System | Management Protocols | SNMP; what is None is not set."""

    enabled: bool
    address: IPv4Address
    port: int
    read_community: str | None = field(repr=False)
    write_community: str | None = field(repr=False)
    user: str | None
    authentication_password: str | None = field(repr=False)
    privacy_password: str | None = field(repr=False)
    managers: tuple[IPv4Network, ...]


@dataclass(frozen=True, slots=True)
class Effective:
    """What holds for a base group, a group or a user. Times in minutes; 0 = never or no limit."""

    access_hours: AccessHours
    simultaneous_logins: int
    minimum_password_length: int
    allow_alphabetic_only_passwords: bool
    idle_timeout: int
    maximum_connect_time: int
    filter: str | None
    dns: tuple[IPv4Address, ...]
    wins: tuple[IPv4Address, ...]
    sep_card_assignment: frozenset[int]
    tunneling_protocols: frozenset[str]
    strip_realm: bool
    dhcp_network_scope: IPv4Network | None
    static_routes: tuple[IPv4Network | IPv6Network, ...]
    use_client_address: bool
    authentication_protocols: frozenset[AuthMethod]
    encryption_required: bool
    require_stateless: bool
    key_lengths: frozenset[int]
    compression: bool
    authentication_retries: int
    password_expired: bool


@dataclass(frozen=True, slots=True)
class UserRecord:
    """A user as authentication and address assignment see it."""

    name: str
    group: str | None
    password: str = field(repr=False)
    effective: Effective
    address: IPv4Address | None = None
    netmask: IPv4Address | None = None


def effective(values: Resolved, hours: Mapping[str, AccessHours] = BUILT_IN) -> Effective:
    """Resolved values in the form that policy uses.

    Hours that are not defined allow nothing: a login is refused rather than let in by mistake.
    """
    boxes: frozenset[str] = values[ENCRYPTION]
    name = values["access_hours"]
    return Effective(
        access_hours=hours.get(name) or AccessHours(name, ()),
        simultaneous_logins=values["simultaneous_logins"],
        minimum_password_length=values["minimum_password_length"],
        allow_alphabetic_only_passwords=values["allow_alphabetic_only_passwords"],
        idle_timeout=values["idle_timeout"],
        maximum_connect_time=values["maximum_connect_time"],
        filter=values["filter"],
        dns=_servers(values, "dns"),
        wins=_servers(values, "wins"),
        sep_card_assignment=frozenset(map(int, values["sep_card_assignment"])),
        tunneling_protocols=values["tunneling_protocols"],
        strip_realm=values["strip_realm"],
        dhcp_network_scope=values["dhcp_network_scope"],
        static_routes=values["static_routes"],
        use_client_address=values["use_client_address"],
        authentication_protocols=values[AUTHENTICATION],
        encryption_required=attributes.REQUIRED in boxes,
        require_stateless=attributes.REQUIRE_STATELESS in boxes,
        key_lengths=frozenset(
            bits for word, bits in attributes.KEY_LENGTHS.items() if word in boxes
        ),
        compression=values["pptp_compression"] != "none",
        authentication_retries=values["authentication_retries"],
        password_expired=values["password_expired"],
    )


def _servers(values: Resolved, kind: str) -> tuple[IPv4Address, ...]:
    both = (values[f"primary_{kind}"], values[f"secondary_{kind}"])
    return tuple(address for address in both if address is not None)


class PolicySnapshot:
    """A configuration, resolved. Immutable; users are resolved when they are first asked for."""

    def __init__(self, tree: Configuration, revision: int = 0) -> None:
        self.tree = tree
        self.revision = revision
        self.pptp = PptpSettings(**section(tree, "pptp"))
        self.system = SystemSettings(**section(tree, "system"))
        self.assignment = AssignmentSettings(**section(tree, "assignment"))
        self.dhcp = DhcpConfig(**section(tree, "dhcp"))
        self.snmp = SnmpSettings(**section(tree, "snmp"))
        self.pools: tuple[PoolRange, ...] = tree.pools
        self.events = event_policy(tree)
        self.filters: Mapping[str, PacketFilter] = {
            name: packet_filter(entry) for name, entry in tree.filters.items()
        }
        self._hours = {**BUILT_IN, **{n: read_hours(n, s) for n, s in tree.hours.items()}}
        self._inheritance = Inheritance(tree)
        self.base = effective(self._inheritance.base, self._hours)
        self.groups: Mapping[str, Effective] = {
            name: effective(values, self._hours)
            for name, values in self._inheritance.groups.items()
        }
        self._users: dict[str, UserRecord] = {}

    def user(self, name: str) -> UserRecord | None:
        """The user of this name (case-sensitive), or None."""
        known = self._users.get(name)
        if known is None and (entry := self.tree.users.get(name)) is not None:
            known = self._users[name] = self._record(name, entry)
        return known

    def origins(self, name: str | None) -> Iterator[tuple[str, str, str]]:
        """Label, value and the level that sets it of each attribute of a user, or of the base
        group for None; KeyError for a user that is not there.
        """
        held = self._inheritance.base
        if name is not None:
            held = self._inheritance.user(name, self.tree.users[name])
        for attribute in attributes.GROUP:
            if attribute.kind.secret or attribute.name not in held.values:
                continue
            value = attribute.kind.shown(attribute.kind.dump(held[attribute.name]))
            yield attribute.label, value, str(held.sources[attribute.name])

    def user_names(self) -> list[str]:
        return list(self.tree.users)

    def static_addresses(self) -> Mapping[IPv4Address, str]:
        """The users' own IP Addresses, with their users."""
        return {user.address: name for name, user in self.tree.users.items() if user.address}

    def _record(self, name: str, entry: UserEntry) -> UserRecord:
        held = self._effective(name, entry)
        return UserRecord(name, entry.group, entry.password, held, entry.address, entry.netmask)

    def _effective(self, name: str, entry: UserEntry) -> Effective:
        if not entry.attributes:  # one object for all of a group
            return self.base if entry.group is None else self.groups[entry.group]
        return effective(self._inheritance.user(name, entry), self._hours)


def section(tree: Configuration, name: str) -> dict[str, Any]:
    """A section's values as Python objects, defaults included."""
    declared = attributes.SECTIONS[name]
    return {**defaults(declared), **loaded(declared, tree.section(name))}


def event_policy(tree: Configuration) -> EventPolicy:
    """Where events go, and by what. A class that leaves a range out has the default one there."""
    values = section(tree, "events")
    common = {place: values[place.value] for place in Destination}
    declared = attributes.EVENT_CLASS_ATTRIBUTES
    classes = {}
    for cls, own in tree.event_classes.items():
        read = loaded(declared, own)
        if read.get("enable", True):
            classes[cls] = {place: read.get(place.value, common[place]) for place in Destination}
    made = sinks(tree, values["syslog_format"], values["email_source_address"])
    return EventPolicy(common, classes, values["capacity"], made)
