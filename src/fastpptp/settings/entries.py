"""The lists that a screen has: entries with a name, in their order, of attributes that each has.

A list is an array of the product's screens, a table of the TOML tree and of the store, and a
noun on the command line; all of these follow from its declaration here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from fastpptp.events.routing import MailSecurity, SnmpAuthentication, SnmpVersion, Transport
from fastpptp.settings.attributes import OURS, Attribute, Touches, named
from fastpptp.settings.hosts import Host, HostOrPath, MailAddress
from fastpptp.settings.kinds import Choice, Integer, Kind, Optional, Secret, Text

MAX_NAME = 48
MAX_ENTRIES = 16  # of one list


class Name(Text):
    """What an entry can be called."""

    def __init__(self) -> None:
        super().__init__(1, MAX_NAME)
        self.allowed = f"1 to {MAX_NAME} printable characters, no space at its ends"

    def load(self, raw: object) -> str:
        value = super().load(raw)
        if value != value.strip():
            raise ValueError(self.allowed)
        return value


NAME = Name()

# RFC 3164 4.1.1.
FACILITIES: Mapping[str, int] = MappingProxyType(
    {"User": 1, "Daemon": 3, **{f"Local {number}": 16 + number for number in range(8)}}
)


@dataclass(frozen=True, slots=True)
class EntryList:
    """A list. `table` is its key in TOML and its table in the store, `command` its noun.

    Attributes in `required` have no default. `key` is the kind of an entry's name, `metavar` what
    the command line calls it.
    """

    table: str
    command: str
    noun: str
    title: str
    about: str
    attributes: Mapping[str, Attribute]
    required: tuple[str, ...] = ()
    key: Kind[Any] = NAME
    metavar: str = "NAME"

    @property
    def optional(self) -> Mapping[str, Attribute]:
        """The attributes that may be left out."""
        return {n: a for n, a in self.attributes.items() if n not in self.required}


_SYSLOG = (
    Attribute("server", "Syslog Server", HostOrPath(), "", touches=Touches.NOW,
              help="where the server is; a path goes with the transport unix"),
    Attribute("port", "Port", Integer(1, 65_535), 514, touches=Touches.NOW,
              help="with UDP and TCP"),
    Attribute("facility", "Facility", Choice(tuple(FACILITIES)), "Local 7", touches=Touches.NOW,
              help="what the server sorts messages by", note="RFC 3164 section 4.1.1"),
    Attribute("transport", "Transport", Choice([each.value for each in Transport]),
              Transport.UDP.value, touches=Touches.NOW,
              help="TCP: octet-counted, a lost connection is opened again; unix: datagrams, as to "
                   "/dev/log",
              note=f"{OURS}; RFC 5426, RFC 6587 section 3.4.1"),
)  # fmt: skip

_SMTP = (
    Attribute("server", "SMTP Server", Host(), "", touches=Touches.NOW,
              help="the first server of the list that takes a message has it"),
    Attribute("port", "Port", Integer(1, 65_535), 25, touches=Touches.NOW,
              help="587 is usual with STARTTLS and a user, 465 with TLS", note=OURS),
    Attribute("security", "Security", Choice([each.value for each in MailSecurity]),
              MailSecurity.NONE.value, touches=Touches.NOW,
              help="STARTTLS, or TLS from the start; the server's certificate must be one that "
                   "this machine trusts, for its name",
              note=f"{OURS}; RFC 3207, RFC 8314"),
    Attribute("user", "User", Optional(Text(1, 255)), "none", touches=Touches.NOW,
              help="log in as this user; not without security", note=f"{OURS}; RFC 4954"),
    Attribute("password", "Password", Secret(1, 255), "", touches=Touches.NOW,
              help="of the user", note=OURS),
)  # fmt: skip

_RECIPIENT = (
    Attribute("max_severity", "Max Severity", Integer(1, 13), 3, touches=Touches.NOW,
              help="of the events that go to email, those from severity 1 to this one"),
)  # fmt: skip

_TRAP = (
    Attribute("destination", "Destination", Host(), "", touches=Touches.NOW,
              help="where the SNMP manager is"),
    Attribute("snmp_version", "SNMP Version", Choice([each.value for each in SnmpVersion]),
              SnmpVersion.V2C.value, touches=Touches.NOW, help="the form of a trap",
              note="RFC 1157, RFC 3416, RFC 3412; the product's default is SNMPv1, and it has no "
                   "SNMPv3"),
    Attribute("community", "Community", Secret(1, 64), "public", touches=Touches.NOW,
              help="the community string of SNMPv1 and SNMPv2c, which the manager may check"),
    Attribute("port", "Port", Integer(1, 65_535), 162, touches=Touches.NOW,
              help="the manager's UDP port"),
    Attribute("user", "User", Optional(Text(1, 32)), "none", touches=Touches.NOW,
              help="of SNMPv3", note=f"{OURS}; RFC 3414"),
    Attribute("authentication", "Authentication",
              Choice([each.value for each in SnmpAuthentication]),
              SnmpAuthentication.SHA_256.value, touches=Touches.NOW,
              help="what the user's messages are authenticated with",
              note=f"{OURS}; RFC 3414 section 7, RFC 7860"),
    Attribute("authentication_password", "Authentication Password", Secret(8, 255), "",
              touches=Touches.NOW, help="of the user; without one nothing is authenticated",
              note=f"{OURS}; RFC 3414 section 11.2: at least 8 characters"),
    Attribute("privacy_password", "Privacy Password", Secret(8, 255), "", touches=Touches.NOW,
              help="of the user; messages are encrypted with AES-128, without one not at all",
              note=f"{OURS}; RFC 3826"),
)  # fmt: skip

_EVENTS = "Configuration | System | Events"
SYSLOG_SERVERS = EntryList(
    "syslog_servers", "syslog-server", "syslog server", f"{_EVENTS} | Syslog Servers",
    "Each gets the events whose severity goes to syslog, in the format of Events | General.",
    named(_SYSLOG), ("server",),
)  # fmt: skip
SMTP_SERVERS = EntryList(
    "smtp_servers", "smtp-server", "SMTP server", f"{_EVENTS} | SMTP Servers",
    "They are tried in their order.", named(_SMTP), ("server",),
)  # fmt: skip
EMAIL_RECIPIENTS = EntryList(
    "email_recipients", "email-recipient", "email recipient", f"{_EVENTS} | Email Recipients",
    "An entry's name is its address.", named(_RECIPIENT), key=MailAddress(), metavar="ADDRESS",
)  # fmt: skip
TRAP_DESTINATIONS = EntryList(
    "trap_destinations", "trap-destination", "trap destination", f"{_EVENTS} | Trap Destinations",
    "Each gets the events whose severity goes to trap.", named(_TRAP), ("destination",),
)  # fmt: skip

LISTS: Mapping[str, EntryList] = MappingProxyType(
    {
        each.table: each
        for each in (SYSLOG_SERVERS, SMTP_SERVERS, EMAIL_RECIPIENTS, TRAP_DESTINATIONS)
    }
)
