"""What differs, in which words, and when it holds."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address

import pytest
from hypothesis import given

from fastpptp.settings import profiles, toml
from fastpptp.settings.attributes import Touches
from fastpptp.settings.diff import changes, latest
from fastpptp.settings.tree import Configuration, GroupEntry, PoolRange, UserEntry
from tests.unit.settings.strategies import TREES

BEFORE = profiles.default()


def told(after: Configuration, before: Configuration = BEFORE) -> list[str]:
    return [f"{change}  ({change.touches.words})" for change in changes(before, after)]


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (BEFORE, []),
        (
            replace(BEFORE, sections={"pptp": {"max_tunnels": 7, "enabled": False}}),
            [
                "pptp.enabled: yes, default -> no  (now)",
                "pptp.max_tunnels: 0 (unlimited), default -> 7  (now)",
            ],
        ),
        (
            replace(BEFORE, base={**BEFORE.base, "pptp_encryption": []}),
            ["base_group.pptp_encryption: Required, Require Stateless, 128-bit -> none  "
             "(next session)"],
        ),
        (
            replace(BEFORE, groups={"pptpgroup": GroupEntry(attributes={"idle_timeout": 5})}),
            ["groups.pptpgroup.idle_timeout: inherited -> 5 minutes  (next session)"],
        ),
        (
            replace(BEFORE, groups={**BEFORE.groups, "g": GroupEntry(password="abcd")}),
            [
                "groups.g.type: not set -> Internal  (next session)",
                "groups.g.password: not set -> ********  (next session)",
            ],
        ),
        (
            replace(BEFORE, users={"pptpuser": UserEntry("other123")}),
            [
                "users.pptpuser.password: ******** -> ********  (next session)",
                "users.pptpuser.group: pptpgroup -> not set  (next session)",
            ],
        ),
        (
            replace(BEFORE, pools=(PoolRange(
                IPv4Address("10.0.0.1"), IPv4Address("10.0.0.9"), IPv4Address("10.1.0.1")
            ), *BEFORE.pools)),
            [
                "pools[1]: 172.16.1.10-172.16.1.20 -> 10.0.0.1-10.0.0.9, server 10.1.0.1  "
                "(next session)",
                "pools[2]: not set -> 172.16.1.10-172.16.1.20  (next session)",
            ],
        ),
        (
            replace(BEFORE, hours={"shop": ("Mon 09:00-10:00", "Tue 09:00-10:00")}),
            ["access_hours.shop: not set -> Mon 09:00-10:00; Tue 09:00-10:00  (next session)"],
        ),
        (
            replace(BEFORE, event_classes={"PPTP": {"log": "1-13"}, "AUTH": {}}),
            [
                "events.classes.PPTP.enable: yes, default -> yes  (now)",
                "events.classes.PPTP.log: 1-5, default -> 1-13  (now)",
                "events.classes.AUTH.enable: yes, default -> yes  (now)",
            ],
        ),
        (
            replace(BEFORE, lists={"smtp_servers": (
                ("mail", {"server": "mail.example.com", "user": "u", "password": "secret"}),
            )}),
            [
                "smtp_servers.mail: not set -> defined  (now)",
                "smtp_servers.mail.server: not set -> mail.example.com  (now)",
                "smtp_servers.mail.user: none, default -> u  (now)",
                "smtp_servers.mail.password: not set -> ********  (now)",
            ],
        ),
    ],
)  # fmt: skip
def test_words(after: Configuration, expected: list[str]) -> None:
    assert told(after) == expected


def test_entries_that_change_places() -> None:
    one, two, three = ((name, {"server": f"{name}.example.com"}) for name in ("a", "b", "c"))
    before = replace(BEFORE, lists={"smtp_servers": (one, two)})
    after = replace(BEFORE, lists={"smtp_servers": (three, two, one)})
    assert told(after, before) == [
        "smtp_servers.c: not set -> defined  (now)",
        "smtp_servers.c.server: not set -> c.example.com  (now)",
        "smtp_servers: a, b -> b, a  (now)",
    ]


def test_when_all_of_it_holds() -> None:
    now = replace(BEFORE, sections={"pptp": {"enabled": False}})
    later = replace(now, users={})
    assert latest(changes(BEFORE, BEFORE)) is Touches.NOW
    assert latest(changes(BEFORE, now)) is Touches.NOW
    assert latest(changes(BEFORE, later)) is Touches.NEXT_SESSION


@given(TREES, TREES)
def test_nothing_that_differs_is_left_out(before: Configuration, after: Configuration) -> None:
    assert bool(told(after, before)) == (before != after)


@given(TREES)
def test_no_password_is_told(tree: Configuration) -> None:
    said = "\n".join(told(tree, Configuration()))
    for entry in (*tree.users.values(), *tree.groups.values()):
        assert not entry.password or entry.password not in said
    assert "\x01" not in said


@given(TREES)
def test_what_was_exported_changes_nothing(tree: Configuration) -> None:
    text = toml.dumps(tree)
    assert toml.parsed(text) == tree
    assert told(toml.parsed(text), tree) == []
