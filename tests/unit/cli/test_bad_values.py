"""Bad values: the exact words of each refusal, and nothing is changed after it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from fastpptp.settings import attributes
from fastpptp.settings.attributes import Attribute, Level
from fastpptp.settings.entries import LISTS
from tests.unit.cli.conftest import Installation

# The reference's boxes: PAP, CHAP, MSCHAPv1 in the base group.
REFERENCE = "reference"
WINDOWS = "MSCHAPv1,MSCHAPv2"
NO_KEYS = (
    "pptp_encryption: Required, but the authentication protocols yield no keys "
    "(set pptp_authentication_protocols to MSCHAPv1, MSCHAPv2 or both, without PAP and CHAP)\n"
)

# What a command is refused with, without `fastpptp: ` before it.
REFUSED = [
    # Names that are not there, or are there already.
    ("user show bob", "users.bob: does not exist\n"),
    ("user show pptpusr", "users.pptpusr: does not exist (did you mean pptpuser?)\n"),
    ("user set pptpusr --idle-timeout 1",
     "users.pptpusr: does not exist (did you mean pptpuser?)\n"),
    ("user delete bob --logout", "users.bob: does not exist\n"),
    ("user rename bob x", "users.bob: does not exist\n"),
    ("user rename pptpuser pptpuser", "users.pptpuser: exists already (use set to change it)\n"),
    ("user add pptpuser --password secret12",
     "users.pptpuser: exists already (use set to change it)\n"),
    ("user copy bob x --password secret12", "users.bob: does not exist\n"),
    ("group show staff", "groups.staff: does not exist\n"),
    ("group copy pptpgroup pptpgroup", "groups.pptpgroup: exists already (use set to change it)\n"),
    ("hours show shop", "access_hours.shop: does not exist\n"),
    ("hours set shop Mon", "access_hours.shop: does not exist\n"),
    ("hours delete Never", "access_hours.Never: does not exist\n"),
    ("user set pptpuser --filter web",
     "users.pptpuser.filter: there is no filter 'web' (allowed: none)\n"),
    ("filter show web", "filters.web: does not exist\n"),
    ("filter rule add web x", "filters.web: does not exist\n"),
    ("filter add None", "filters.None: would be no filter (choose another name)\n"),
    ("syslog-server show a", "syslog_servers.a: does not exist\n"),
    ("trap-destination delete nms", "trap_destinations.nms: does not exist\n"),
    ("syslog-server add a /dev/log", "syslog_servers.a.transport: UDP does not lead to a path "
     "(set it to unix, or name a host)\n"),
    ("syslog-server add a loghost --transport unix", "syslog_servers.a.server: a host is not "
     "reached by the transport unix (name a path such as /dev/log, or set the transport to UDP or "
     "TCP)\n"),
    ("smtp-server add a mail --user u --password p", "smtp_servers.a.security: is none, and the "
     "password would be seen on the network (set it to STARTTLS or TLS)\n"),
    ("smtp-server add a mail --security TLS --user u",
     "smtp_servers.a.password: is missing (a user needs a password)\n"),
    ("email-recipient add ops", "email_recipients.ops: cannot be its name (allowed: an email "
     "address such as ops@example.com)\n"),
    ("trap-destination add a nms --community=",
     "trap_destinations.a.community: it is not valid (allowed: 1 to 64 characters)\n"),
    ("event-class delete PPTP", "events.classes.PPTP: does not exist\n"),
    ("pool delete 2", "pools[2]: there is no such pool (1 to 1)\n"),
    ("pool move 1 up", "pools[0]: there is no such pool (1 to 1)\n"),
    ("config set pptp.max_tunels 1", "pptp.max_tunels: unknown key (did you mean max_tunnels?)\n"),
    ("pptp set --reset max-tunels", "pptp.max_tunels: unknown key (did you mean max_tunnels?)\n"),
    ("user set pptpuser --inherit idle-timeot",
     "users.pptpuser.idle_timeot: unknown key (did you mean idle_timeout?)\n"),
    # Names that are none.
    ("group add none", "groups.none: would be no group (choose another name)\n"),
    ("group add " + "x" * 33, f"groups.{'x' * 33}: is not a name "
     "(1 to 32 printable characters, no space at its ends)\n"),
    ("hours add Never Mon_09:00-10:00", "access_hours.Never: is built in (choose another name)\n"),
    ("hours add shop soon", "access_hours.shop: cannot be read (allowed: days and times such as "
     "`Mon-Fri 09:00-17:00` or `Sat,Sun 00:00-24:00`)\n"),
    # What belongs together.
    ("user set pptpuser --group staff",
     "users.pptpuser.group: there is no group 'staff' (allowed: pptpgroup)\n"),
    ("group delete pptpgroup",
     "groups.pptpgroup: has 1 user: pptpuser (move or delete them first)\n"),
    ("user set pptpuser --access-hours shop", "users.pptpuser.access_hours: 'shop' is not defined "
     "(allowed: No Restrictions, Never, Business Hours)\n"),
    ("user set pptpuser --subnet-mask 255.255.255.0",
     "users.pptpuser.subnet_mask: is set without ip_address (set both or none)\n"),
    ("user set pptpuser --ip-address 10.0.0.1 --subnet-mask 255.0.255.0",
     "users.pptpuser.subnet_mask: 255.0.255.0 is not a mask (such as 255.255.255.0)\n"),
    ("user set pptpuser --ip-address 172.16.1.1",
     "users.pptpuser.ip_address: 172.16.1.1 is the server's own (choose another)\n"),
    ("user set pptpuser --ip-address 224.0.0.1",
     "users.pptpuser.ip_address: 224.0.0.1 cannot be a host's address (a unicast address)\n"),
    ("pool add 172.16.1.20 172.16.1.30", "pools[2]: 172.16.1.20-172.16.1.30 overlaps pools[1] "
     "172.16.1.10-172.16.1.20 (part them)\n"),
    ("pool add 10.0.0.9 10.0.0.1",
     "pools[2]: 10.0.0.9-10.0.0.1 is reversed (write 10.0.0.1-10.0.0.9)\n"),
    ("system set --server-address 172.16.1.15", "pools[1]: 172.16.1.10-172.16.1.20 holds the "
     "server address 172.16.1.15 (leave it out)\n"),
    ("snmp set --enabled yes", "snmp.enabled: nobody could ask: there is no community and no user "
     "(set snmp.read_community, or snmp.user and its passwords)\n"),
    ("snmp set --read-community Public --write-community Public", "snmp.write_community: is the "
     "read community, which would then write (choose another, or none)\n"),
    ("snmp set --user Admin --privacy-password Secret12", "snmp.user: Admin has no authentication "
     "password (set snmp.authentication_password)\n"),
    ("config set snmp.privacy_password Secret1",
     "snmp.privacy_password: it is not valid (allowed: 8 to 64 characters, or none)\n"),
    ("snmp set --privacy-password Secret1",
     "snmp.privacy_password: it is not valid (allowed: 8 to 64 characters, or none)\n"),
    ("assignment set --pools no",
     "assignment: every method is off (turn on at least one, such as pools)\n"),
    # Passwords, by which rule and from which group.
    ("user add bob --password short", "users.bob.password: the password has 5 characters "
     "(8 to 256: Minimum Password Length, default)\n"),
    ("user set pptpuser --password=", "users.pptpuser.password: it is not valid "
     "(allowed: 1 to 256 characters)\n"),
    ("group set pptpgroup --password abc",
     "groups.pptpgroup.password: it is not valid (allowed: 4 to 32 characters)\n"),
    # Authentication and encryption: fewer than above, never more; no key without MSCHAP.
    ("base-group set --pptp-encryption Required,128-bit", "base_group." + NO_KEYS),
    ("group set pptpgroup --pptp-encryption Required,128-bit", "groups.pptpgroup." + NO_KEYS),
    ("user set pptpuser --pptp-encryption Required,128-bit --pptp-authentication-protocols CHAP",
     "users.pptpuser." + NO_KEYS),
    ("group set pptpgroup --pptp-authentication-protocols MSCHAPv1 --pptp-encryption Required",
     "groups.pptpgroup.pptp_encryption: Required without a key length "
     "(add 40-bit or 56-bit or 128-bit)\n"),
    ("group set pptpgroup --pptp-authentication-protocols none",
     "groups.pptpgroup.pptp_authentication_protocols: allows no protocol at all "
     "(check one, or inherit)\n"),
    ("user set pptpuser --pptp-authentication-protocols none",
     "users.pptpuser.pptp_authentication_protocols: allows no protocol at all "
     "(check one, or inherit)\n"),
    ("group set pptpgroup --pptp-authentication-protocols " + WINDOWS,
     "groups.pptpgroup.pptp_authentication_protocols: MSCHAPv2 is not allowed by the base group "
     "(allowed: PAP, CHAP, MSCHAPv1)\n"),
    ("user set pptpuser --pptp-authentication-protocols MSCHAPv2",
     "users.pptpuser.pptp_authentication_protocols: MSCHAPv2 is not allowed by the group pptpgroup "
     "(allowed: PAP, CHAP, MSCHAPv1)\n"),
    ("base-group set --pptp-authentication-protocols PAP",
     "groups.pptpgroup.pptp_authentication_protocols: CHAP, MSCHAPv1 is not allowed by the base "
     "group (allowed: PAP)\n"),
    # What is not there yet.
    ("base-group set --pptp-authentication-protocols PAP,CHAP,MSCHAPv1,EAP_Proxy",
     "base_group.pptp_authentication_protocols: EAP Proxy needs a RADIUS server and none can be "
     "configured (leave EAP Proxy out)\n"),
    ("group add radius --type External", "groups.radius.type: External needs a RADIUS server and "
     "none can be configured (allowed: Internal)\n"),
    ("group set pptpgroup --pptp-compression MPPC",
     "groups.pptpgroup.pptp_compression: MPPC is not available (allowed: none)\n"),
    ("group set pptpgroup --sep-card-assignment none",
     "groups.pptpgroup.sep_card_assignment: names no card (check at least one of 1 to 4)\n"),
]  # fmt: skip


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """One for all: nothing here changes it."""
    made = Installation(tmp_path_factory.mktemp("reference") / "state")
    made.done("init", "--profile", REFERENCE)
    return made


def state(installation: Installation) -> list[str]:
    """All that the store holds, the revision among it, which each change raises."""
    with closing(sqlite3.connect(installation.state / "fastpptp.db")) as connection:
        return list(connection.iterdump())


@pytest.mark.parametrize(("command", "said"), REFUSED, ids=[command for command, _ in REFUSED])
def test_refusals(reference: Installation, command: str, said: str) -> None:
    before = state(reference)
    words = [word.replace("_", " ") if word[0].isupper() else word for word in command.split()]
    assert reference.failed(4, *words) == f"fastpptp: {said}"
    assert state(reference) == before


DECLARED = [
    *((screen.command, attribute) for section, screen in attributes.SCREENS.items()
      for attribute in attributes.SECTIONS[section].values() if not attribute.kind.secret),
    *(("event-class", attribute) for attribute in attributes.EVENT_CLASS),
    *((noun, attribute) for noun, level in (
        ("base-group", Level.BASE), ("group", Level.GROUP), ("user", Level.USER)
    ) for attribute in attributes.at(level).values()),
    *((of.command, attribute) for of in LISTS.values() for attribute in of.attributes.values()
      if not attribute.kind.secret),
]  # fmt: skip
NAMES = {"event-class": ("PPTP",), "group": ("pptpgroup",), "user": ("pptpuser",),
         **{of.command: ("a",) for of in LISTS.values()}}  # fmt: skip


@pytest.mark.parametrize(
    ("noun", "attribute"), DECLARED, ids=[f"{noun} {a.name}" for noun, a in DECLARED]
)
def test_every_option_refuses_nonsense(
    empty: Installation, noun: str, attribute: Attribute
) -> None:
    """Text of any kind is taken where a name is wanted, and an empty text is none."""
    nonsense = "" if attribute.name in ("access_hours", "filter", "user") else "-nonsense-"
    with pytest.raises(ValueError) as caught:
        attribute.kind.parse(nonsense)
    words = (noun, "set", *NAMES.get(noun, ()), f"{attribute.option}={nonsense}")
    said = empty.failed(2, *words)
    assert said.endswith(
        f"Error: Invalid value for '{attribute.option}': {nonsense!r} is not valid "
        f"(allowed: {caught.value})\n"
    )


FILES = [
    ("[pptp\n", ":1:6: Expected ']' at the end of a table declaration (TOML syntax)\n"),
    ("[pptp]\nacknowledgement_delay = 20\n", "pptp.acknowledgement_delay: 20 is not valid "
     "(allowed: 50 to 5000 ms, 0 = at once)\n"),
    ("[pptp]\nacknowledgement_timeout = 11\n",
     "pptp.acknowledgement_timeout: 11 is not valid (allowed: 1 to 10 s)\n"),
    ("[pptp]\npacket_window_size = 33\n",
     "pptp.packet_window_size: 33 is not valid (allowed: 0 to 32 packets)\n"),
    ('[users.u]\npassword = "secret12"\nstrip_realm = true\n',
     "users.u.strip_realm: cannot be set in a user\n"),
    ("[base_group]\npassword_expired = true\n",
     "base_group.password_expired: cannot be set in a base group\n"),
    ("[users.u]\n", "users.u.password: is missing (a user needs a password)\n"),
    ("[syslog_servers.a]\nport = 514\n", "syslog_servers.a.server: is missing (a host's name or "
     "address such as 192.0.2.9, or the path of a socket such as /dev/log)\n"),
    ('[email_recipients."a b@c"]\n', "email_recipients.a b@c: cannot be its name "
     "(allowed: an email address such as ops@example.com)\n"),
    ("pool = 3\n", "pool: unknown key (did you mean pools?)\n"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "said"), FILES, ids=[text for text, _ in FILES])
def test_files(reference: Installation, tmp_path: Path, text: str, said: str) -> None:
    before = state(reference)
    file = tmp_path / "wrong.toml"
    file.write_text(text)
    for command in (("diff",), ("import", "--yes"), ("check",)):
        assert reference.failed(4, "config", *command, str(file)).endswith(said)
    assert state(reference) == before
