"""Where an event goes: ranges of severities for each destination, and what a class overrides.

The reference's defaults are log 1-5, console 1-3 and nothing elsewhere. A class has
ranges of its own only while its Enable is on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import TypeAlias


class Destination(Enum):
    """Where events can go; the value is the configuration's word for it."""

    LOG = "log"
    CONSOLE = "console"
    SYSLOG = "syslog"
    EMAIL = "email"
    TRAP = "trap"


@dataclass(frozen=True, slots=True)
class Severities:
    """A range of severities, both ends included; `last` 0 is none at all."""

    first: int = 1
    last: int = 0

    def __contains__(self, severity: int) -> bool:
        return self.first <= severity <= self.last

    def __str__(self) -> str:
        if not self.last:
            return "none"
        return str(self.first) if self.first == self.last else f"{self.first}-{self.last}"


NONE = Severities()

DEFAULT_SEVERITIES: Mapping[Destination, Severities] = MappingProxyType(
    {
        Destination.LOG: Severities(1, 5),
        Destination.CONSOLE: Severities(1, 3),
        Destination.SYSLOG: NONE,
        Destination.EMAIL: NONE,
        Destination.TRAP: NONE,
    }
)


class Transport(Enum):
    """How a syslog server is reached; the value is the configuration's word for it."""

    UDP = "UDP"
    TCP = "TCP"
    UNIX = "unix"


class SyslogFormat(Enum):
    """How an event is written on one line (events/format.py)."""

    ORIGINAL = "Original"
    CISCO_IOS = "Cisco IOS Compatible"


class MailSecurity(Enum):
    """How a connection to an SMTP server is protected."""

    NONE = "none"
    STARTTLS = "STARTTLS"
    TLS = "TLS"


class SnmpVersion(Enum):
    """The form of a trap; the value is the configuration's word for it."""

    V1 = "SNMPv1"
    V2C = "SNMPv2c"
    V3 = "SNMPv3"


class SnmpAuthentication(Enum):
    """What the messages of an SNMPv3 user are authenticated with (RFC 3414, RFC 7860)."""

    SHA = "SHA"
    SHA_256 = "SHA-256"


@dataclass(frozen=True, slots=True)
class SyslogServer:
    """A server that takes syslog. `server` is a host, or with Transport.UNIX a socket's path."""

    name: str
    server: str
    port: int = 514
    facility: int = 23  # RFC 3164 4.1.1: local7
    transport: Transport = Transport.UDP
    format: SyslogFormat = SyslogFormat.ORIGINAL

    def __str__(self) -> str:
        return f"syslog server {self.name}"


@dataclass(frozen=True, slots=True)
class MailServer:
    """An SMTP server; no `user` is no authentication."""

    server: str
    port: int = 25
    security: MailSecurity = MailSecurity.NONE
    user: str = ""
    password: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class MailRecipient:
    """Who gets events by email, from severity 1 to `max_severity`."""

    address: str
    max_severity: int


@dataclass(frozen=True, slots=True)
class Mail:
    """Events by email: the first of `servers` that takes a message has it.

    `source` is the From of the messages; without one it is fastpptp at this host.
    """

    servers: tuple[MailServer, ...]
    recipients: tuple[MailRecipient, ...]
    source: str = ""

    def __str__(self) -> str:
        return "email"


@dataclass(frozen=True, slots=True)
class SnmpUser:
    """A user of SNMPv3. No password is no authentication, or no encryption."""

    name: str
    authentication: SnmpAuthentication = SnmpAuthentication.SHA_256
    authentication_password: str = field(default="", repr=False)
    privacy_password: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class TrapDestination:
    """A host that takes SNMP traps. `user` is for SNMPv3, `community` for the others."""

    name: str
    host: str
    port: int = 162
    version: SnmpVersion = SnmpVersion.V2C
    community: str = field(default="public", repr=False)
    user: SnmpUser | None = None

    def __str__(self) -> str:
        return f"trap destination {self.name}"


# What has a sink of its own. Its str() is its name in counters and events: unique in a policy.
SinkSpec: TypeAlias = SyslogServer | Mail | TrapDestination


@dataclass(frozen=True, slots=True)
class EventPolicy:
    """The default ranges, the overrides of the classes whose Enable is on, and the log's size.

    `sinks` are what stands behind the destinations syslog, email and trap.
    """

    defaults: Mapping[Destination, Severities] = field(default_factory=lambda: DEFAULT_SEVERITIES)
    classes: Mapping[str, Mapping[Destination, Severities]] = field(default_factory=dict)
    capacity: int = 10_000
    sinks: tuple[SinkSpec, ...] = ()

    def destinations(self, cls: str, severity: int) -> frozenset[Destination]:
        """Where an event of this class and severity goes."""
        ranges = self.classes.get(cls, self.defaults)
        return frozenset(place for place, range_ in ranges.items() if severity in range_)
