"""The lists behind syslog, email and trap: edits, refusals, what they are to the recorder."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from fastpptp.errors import ConfigurationError
from fastpptp.events.routing import (
    Mail,
    MailRecipient,
    MailSecurity,
    MailServer,
    SnmpAuthentication,
    SnmpUser,
    SnmpVersion,
    SyslogFormat,
    SyslogServer,
    Transport,
    TrapDestination,
)
from fastpptp.settings.draft import Draft
from fastpptp.settings.effect import without_effect
from fastpptp.settings.resolve import event_policy
from fastpptp.settings.tree import EMPTY, Configuration

SERVER = {"server": "mail.example.com"}


def refused(table: str, name: str, **values: Any) -> list[str]:
    draft = Draft(EMPTY)
    draft.add_entry(table, name, values)
    with pytest.raises(ConfigurationError) as caught:
        draft.finish()
    return str(caught.value).splitlines()


def test_edits() -> None:
    draft = Draft(EMPTY)
    for name in ("a", "b", "c"):
        draft.add_entry("smtp_servers", name, SERVER)
    draft.move_entry("smtp_servers", "c", 1)
    draft.set_entry("smtp_servers", "a", {"port": 587, "security": "STARTTLS"})
    draft.set_entry("smtp_servers", "a", {"server": "10.0.0.9"}, reset=["security"])
    draft.delete_entry("smtp_servers", "b")
    assert draft.finish().entries("smtp_servers") == (
        ("c", SERVER), ("a", {"server": "10.0.0.9", "port": 587}),
    )  # fmt: skip
    draft.delete_entry("smtp_servers", "a")
    draft.delete_entry("smtp_servers", "c")
    assert draft.finish() == EMPTY


def test_edits_that_are_refused() -> None:
    draft = Draft(EMPTY)
    draft.add_entry("smtp_servers", "mail", SERVER)
    for words, edit in (
        ("smtp_servers.mail: exists already (use set to change it)",
         lambda: draft.add_entry("smtp_servers", "mail", SERVER)),
        ("smtp_servers.mali: does not exist (did you mean mail?)",
         lambda: draft.set_entry("smtp_servers", "mali", {})),
        ("smtp_servers.x: does not exist", lambda: draft.delete_entry("smtp_servers", "x")),
        ("smtp_servers: there is no place 2 (1 to 1)",
         lambda: draft.move_entry("smtp_servers", "mail", 2)),
        ("smtp_servers.mail.server: is missing (a host's name or address such as 192.0.2.9)",
         lambda: draft.set_entry("smtp_servers", "mail", {}, reset=["server"])),
        ("smtp_servers.mail.prt: unknown key (did you mean port?)",
         lambda: draft.set_entry("smtp_servers", "mail", {"prt": 25})),
    ):  # fmt: skip
        with pytest.raises(ConfigurationError) as caught:
            edit()
        assert str(caught.value) == words


@pytest.mark.parametrize(
    ("table", "name", "values", "said"),
    [
        ("syslog_servers", "a", {"server": "/dev/log"},
         "syslog_servers.a.transport: UDP does not lead to a path "
         "(set it to unix, or name a host)"),
        ("syslog_servers", "a", {"server": "loghost", "transport": "unix"},
         "syslog_servers.a.server: a host is not reached by the transport unix "
         "(name a path such as /dev/log, or set the transport to UDP or TCP)"),
        ("smtp_servers", "a", {**SERVER, "security": "TLS", "user": "u"},
         "smtp_servers.a.password: is missing (a user needs a password)"),
        ("smtp_servers", "a", {**SERVER, "security": "TLS", "password": "p"},
         "smtp_servers.a.user: is missing (whose password is it?)"),
        ("smtp_servers", "a", {**SERVER, "user": "u", "password": "p"},
         "smtp_servers.a.security: is none, and the password would be seen on the network "
         "(set it to STARTTLS or TLS)"),
        ("trap_destinations", "a", {"destination": "n", "user": "u"},
         "trap_destinations.a.snmp_version: SNMPv2c has no users (set it to SNMPv3)"),
        ("trap_destinations", "a", {"destination": "n", "snmp_version": "SNMPv3"},
         "trap_destinations.a.user: is missing (SNMPv3 needs a user)"),
        ("trap_destinations", "a",
         {"destination": "n", "snmp_version": "SNMPv3", "user": "u", "privacy_password": "x" * 8},
         "trap_destinations.a.authentication_password: is missing "
         "(SNMPv3 encrypts only what is authenticated)"),
        ("smtp_servers", " a", SERVER, "smtp_servers. a: cannot be its name (allowed: 1 to 48 "
         "printable characters, no space at its ends)"),
        ("email_recipients", "ops", {}, "email_recipients.ops: cannot be its name (allowed: an "
         "email address such as ops@example.com)"),
    ],
)  # fmt: skip
def test_what_does_not_go_together(
    table: str, name: str, values: dict[str, Any], said: str
) -> None:
    assert refused(table, name, **values)[0] == said


def test_a_list_is_bounded() -> None:
    many = tuple((str(number), SERVER) for number in range(17))
    with pytest.raises(ConfigurationError, match=r"smtp_servers: are 17 \(at most 16\)"):
        Draft(Configuration(lists={"smtp_servers": many})).finish()


LISTS = {
    "syslog_servers": (
        ("far", {"server": "2001:db8::9", "port": 1514, "transport": "TCP", "facility": "Local 0"}),
        ("near", {"server": "/dev/log", "transport": "unix"}),
    ),
    "smtp_servers": (
        ("one", {**SERVER, "security": "TLS", "port": 465, "user": "u", "password": "p"}),
        ("two", {"server": "10.0.0.25"}),
    ),
    "email_recipients": (("ops@example.com", {"max_severity": 5}), ("boss@example.com", {})),
    "trap_destinations": (
        ("nms", {"destination": "nms", "snmp_version": "SNMPv1"}),
        (
            "safe",
            {
                "destination": "safe",
                "snmp_version": "SNMPv3",
                "user": "vpn",
                "authentication": "SHA",
                "authentication_password": "a-secret-1",
                "privacy_password": "a-secret-2",
            },
        ),
    ),
}
GENERAL = {"syslog_format": "Cisco IOS Compatible", "email_source_address": "vpn@example.com"}


def test_what_they_are_to_the_recorder() -> None:
    policy = event_policy(Configuration({"events": GENERAL}, lists=LISTS))
    ios = SyslogFormat.CISCO_IOS
    mail = Mail(
        (
            MailServer("mail.example.com", 465, MailSecurity.TLS, "u", "p"),
            MailServer("10.0.0.25", 25, MailSecurity.NONE, "", ""),
        ),
        (MailRecipient("ops@example.com", 5), MailRecipient("boss@example.com", 3)),
        "vpn@example.com",
    )
    assert policy.sinks == (
        SyslogServer("far", "2001:db8::9", 1514, 16, Transport.TCP, ios),
        SyslogServer("near", "/dev/log", 514, 23, Transport.UNIX, ios),
        mail,
        TrapDestination("nms", "nms", 162, SnmpVersion.V1, "public"),
        TrapDestination(
            "safe",
            "safe",
            162,
            SnmpVersion.V3,
            "public",
            SnmpUser("vpn", SnmpAuthentication.SHA, "a-secret-1", "a-secret-2"),
        ),
    )
    assert list(map(str, policy.sinks)) == [
        "syslog server far", "syslog server near", "email", "trap destination nms",
        "trap destination safe",
    ]  # fmt: skip
    assert "secret" not in repr(replace(policy.sinks[3], community="secret"))  # type: ignore[call-arg]
    assert "'p'" not in repr(mail)
    assert "a-secret" not in repr(policy.sinks)


@pytest.mark.parametrize("lacking", ["smtp_servers", "email_recipients"])
def test_email_needs_both(lacking: str) -> None:
    lists = {name: own for name, own in LISTS.items() if name != lacking}
    policy = event_policy(Configuration(lists=lists))
    assert "email" not in map(str, policy.sinks)


def test_a_severity_that_goes_nowhere_is_told() -> None:
    everywhere = {"syslog": "1-3", "email": "1", "trap": "1-5"}
    tree = Configuration(
        {"events": everywhere},
        event_classes={"PPTP": {"email": "1-13"}, "PPP": {"enable": False, "trap": "1"}},
    )
    assert [str(problem) for problem in without_effect(tree)] == [
        "events.syslog: has no effect (there is no syslog server: fastpptp syslog-server add)",
        "events.email: has no effect (there is no SMTP server and no email recipient: "
        "fastpptp smtp-server add, fastpptp email-recipient add)",
        "events.classes.PPTP.email: has no effect (there is no SMTP server and no email "
        "recipient: fastpptp smtp-server add, fastpptp email-recipient add)",
        "events.trap: has no effect (there is no trap destination: fastpptp trap-destination add)",
    ]
    assert list(without_effect(replace(tree, lists=LISTS))) == []
    assert list(without_effect(Configuration({"events": {"syslog": "none"}}))) == []
