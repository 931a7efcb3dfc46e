"""What stands behind syslog, email and trap: what its settings must be, and what they are to the
recorder."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from fastpptp.errors import Problem
from fastpptp.events.routing import (
    Mail,
    MailRecipient,
    MailSecurity,
    MailServer,
    SinkSpec,
    SnmpAuthentication,
    SnmpUser,
    SnmpVersion,
    SyslogFormat,
    SyslogServer,
    Transport,
    TrapDestination,
)
from fastpptp.settings.entries import (
    EMAIL_RECIPIENTS,
    FACILITIES,
    LISTS,
    MAX_ENTRIES,
    SMTP_SERVERS,
    SYSLOG_SERVERS,
    TRAP_DESTINATIONS,
    EntryList,
)
from fastpptp.settings.inherit import defaults, loaded
from fastpptp.settings.tree import Configuration

Loaded = Mapping[str, Any]


def entries(tree: Configuration, of: EntryList) -> dict[str, Loaded]:
    """A list's entries as Python objects, defaults included."""
    common = defaults({n: a for n, a in of.optional.items() if a.default != ""})
    empty = {name: "" for name in of.attributes if name not in common}
    return {
        name: {**empty, **common, **loaded(of.attributes, own)}
        for name, own in tree.entries(of.table)
    }


def entry_problems(tree: Configuration) -> Iterator[Problem]:
    """What is wrong with the lists' entries, but for the form of their values."""
    for of in LISTS.values():
        listed = tree.entries(of.table)
        if len(listed) > MAX_ENTRIES:
            yield Problem(of.table, f"are {len(listed)}", f"at most {MAX_ENTRIES}")
        for name, _ in listed:
            try:
                of.key.load(name)
            except ValueError as error:
                yield Problem(f"{of.table}.{name}", "cannot be its name", f"allowed: {error}")
    for table, check in _CHECKS.items():
        for name, values in entries(tree, LISTS[table]).items():
            yield from check(f"{table}.{name}", values)


def _syslog_server(where: str, values: Loaded) -> Iterator[Problem]:
    is_path = values["server"].startswith("/")
    if is_path and values["transport"] != Transport.UNIX.value:
        yield Problem(
            f"{where}.transport", f"{values['transport']} does not lead to a path",
            "set it to unix, or name a host",
        )  # fmt: skip
    if not is_path and values["transport"] == Transport.UNIX.value:
        yield Problem(
            f"{where}.server", "a host is not reached by the transport unix",
            "name a path such as /dev/log, or set the transport to UDP or TCP",
        )  # fmt: skip


def _smtp_server(where: str, values: Loaded) -> Iterator[Problem]:
    user, password = values["user"], values["password"]
    if user and not password:
        yield Problem(f"{where}.password", "is missing", "a user needs a password")
    if password and not user:
        yield Problem(f"{where}.user", "is missing", "whose password is it?")
    if user and values["security"] == MailSecurity.NONE.value:
        yield Problem(
            f"{where}.security", "is none, and the password would be seen on the network",
            "set it to STARTTLS or TLS",
        )  # fmt: skip


def _trap_destination(where: str, values: Loaded) -> Iterator[Problem]:
    version, user = values["snmp_version"], values["user"]
    authentication, privacy = values["authentication_password"], values["privacy_password"]
    if version != SnmpVersion.V3.value:
        if user or authentication or privacy:
            yield Problem(f"{where}.snmp_version", f"{version} has no users", "set it to SNMPv3")
        return
    if not user:
        yield Problem(f"{where}.user", "is missing", "SNMPv3 needs a user")
    if privacy and not authentication:
        yield Problem(
            f"{where}.authentication_password", "is missing",
            "SNMPv3 encrypts only what is authenticated",
        )  # fmt: skip


_CHECKS: Mapping[str, Callable[[str, Loaded], Iterator[Problem]]] = {
    SYSLOG_SERVERS.table: _syslog_server,
    SMTP_SERVERS.table: _smtp_server,
    TRAP_DESTINATIONS.table: _trap_destination,
}


def sinks(tree: Configuration, syslog_format: str, source: str | None) -> tuple[SinkSpec, ...]:
    """What the recorder is to make; email only where there are both servers and recipients."""
    servers = tuple(_mail_servers(tree))
    recipients = tuple(
        MailRecipient(address, own["max_severity"])
        for address, own in entries(tree, EMAIL_RECIPIENTS).items()
    )
    mail = [Mail(servers, recipients, source or "")] if servers and recipients else []
    return (*_syslog_servers(tree, SyslogFormat(syslog_format)), *mail, *_traps(tree))


def _syslog_servers(tree: Configuration, format_: SyslogFormat) -> Iterator[SyslogServer]:
    for name, own in entries(tree, SYSLOG_SERVERS).items():
        yield SyslogServer(
            name,
            own["server"],
            own["port"],
            FACILITIES[own["facility"]],
            Transport(own["transport"]),
            format_,
        )


def _mail_servers(tree: Configuration) -> Iterator[MailServer]:
    for own in entries(tree, SMTP_SERVERS).values():
        yield MailServer(
            own["server"],
            own["port"],
            MailSecurity(own["security"]),
            own["user"] or "",
            own["password"],
        )


def _traps(tree: Configuration) -> Iterator[TrapDestination]:
    for name, own in entries(tree, TRAP_DESTINATIONS).items():
        yield TrapDestination(
            name,
            own["destination"],
            own["port"],
            SnmpVersion(own["snmp_version"]),
            own["community"],
            _snmp_user(own),
        )


def _snmp_user(own: Loaded) -> SnmpUser | None:
    if own["user"] is None:
        return None
    return SnmpUser(
        own["user"],
        SnmpAuthentication(own["authentication"]),
        own["authentication_password"],
        own["privacy_password"],
    )
