"""fastpptp syslog-server, smtp-server, email-recipient and trap-destination."""

from __future__ import annotations

import pytest

from fastpptp.settings.entries import LISTS, EntryList
from tests.unit.cli.conftest import Installation


@pytest.mark.parametrize("of", LISTS.values(), ids=lambda of: of.command)
def test_options_come_from_the_declarations(empty: Installation, of: EntryList) -> None:
    said = " ".join(empty.done(of.command, "set", "--help").split())
    for attribute in of.attributes.values():
        assert f"{attribute.option} " in said
        assert attribute.kind.allowed in said


def test_syslog_servers(installed: Installation) -> None:
    done = installed.done("syslog-server", "add", "loghost", "192.0.2.9", "--transport", "tcp")
    assert done == "Syslog server loghost added. No headend is running.\n"
    installed.done(
        "syslog-server", "add", "here", "/dev/log", "--transport", "unix", "--facility", "daemon"
    )
    installed.done("syslog-server", "set", "loghost", "--port", "1514", "--reset", "transport")
    installed.done("syslog-server", "move", "here", "1")
    assert installed.lines("syslog-server", "list") == [
        "Syslog server Syslog Server Port Facility Transport",
        "here /dev/log 514 Daemon unix",
        "loghost 192.0.2.9 1514 Local 7 UDP",
    ]
    assert installed.json("syslog-server", "list")[1] == {
        "name": "loghost", "server": "192.0.2.9", "port": 1514, "facility": "Local 7",
        "transport": "UDP",
    }  # fmt: skip
    assert installed.lines("syslog-server", "show", "loghost")[1:] == [
        "Syslog server loghost",
        "Syslog Server 192.0.2.9 (set here)",
        "Port 1514 (set here)",
        "Facility Local 7 (default)",
        "Transport UDP (default)",
    ]
    installed.done("syslog-server", "delete", "here")
    assert "here" not in installed.done("syslog-server", "list")


def test_smtp_servers_and_recipients(installed: Installation) -> None:
    installed.done(
        "smtp-server", "add", "mail", "mail.example.com", "--security", "starttls",
        "--user", "vpn", "--password-file", "-", stdin="hush hush\nmore\n",
    )  # fmt: skip
    shown = installed.json("smtp-server", "show", "mail")
    assert shown["password"] == {"value": "********", "source": "set"}
    assert shown["security"]["value"] == "STARTTLS"
    assert "hush" not in installed.done("smtp-server", "list", "--json")
    assert "hush" not in installed.done("config", "history", "--json")
    assert 'password = "hush hush"' in installed.done("config", "export")
    installed.done("email-recipient", "add", "ops@example.com")
    installed.done("email-recipient", "add", "boss@example.com", "--max-severity", "1")
    assert installed.lines("email-recipient", "list") == [
        "Email recipient Max Severity",
        "ops@example.com 3",
        "boss@example.com 1",
    ]
    installed.done("smtp-server", "set", "mail", "--reset", "password", "--reset", "user")
    assert installed.json("smtp-server", "show", "mail")["password"]["value"] == "none"


def test_trap_destinations(installed: Installation) -> None:
    installed.done(
        "trap-destination", "add", "nms", "192.0.2.162", "--snmp-version", "snmpv1",
        "--community", "hush hush",
    )  # fmt: skip
    assert installed.json("trap-destination", "list") == [
        {
            "name": "nms", "destination": "192.0.2.162", "snmp_version": "SNMPv1", "port": 162,
            "user": "none", "authentication": "SHA-256",
        }
    ]  # fmt: skip
    said = installed.failed(
        2, "trap-destination", "set", "nms", "--community", "a", "--community-file", "-"
    )
    assert "Give one of --community, --community-file." in said
    installed.done(
        "trap-destination", "set", "nms", "--snmp-version", "snmpv3", "--user", "vpn",
        "--authentication-password", "auth password", "--privacy-password-file", "-",
        stdin="priv password\n",
    )  # fmt: skip
    shown = installed.json("trap-destination", "show", "nms")
    secret = ("community", "authentication_password", "privacy_password")
    assert [shown[name]["value"] for name in secret] == ["********"] * 3


def test_a_destination_without_a_server_is_told(installed: Installation) -> None:
    """Accepted, so that the order of edits does not matter, and not silently."""
    done = installed.run("event-general", "set", "--syslog", "1-3")
    assert done.exit_code == 0
    assert done.stderr == (
        "Warning: events.syslog: has no effect "
        "(there is no syslog server: fastpptp syslog-server add)\n"
    )
    installed.done("syslog-server", "add", "a", "192.0.2.9")
    done = installed.run("syslog-server", "delete", "a")
    assert "Warning: events.syslog: has no effect" in done.stderr
