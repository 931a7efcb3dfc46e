"""Whom an edit leaves with something else: whose sessions `--logout` ends."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from fastpptp.settings.draft import Draft
from fastpptp.settings.touched import changed_users
from fastpptp.settings.tree import Configuration, GroupEntry, UserEntry

BEFORE = Configuration(
    groups={"staff": GroupEntry("Internal", attributes={"idle_timeout": 5}), "empty": GroupEntry()},
    users={
        "alice": UserEntry("secret12", group="staff"),
        "bob": UserEntry("secret34", attributes={"idle_timeout": 9}),
        "carol": UserEntry("secret56"),
    },
)


@pytest.mark.parametrize(
    ("edit", "whom"),
    [
        (lambda d: d.set_section("pptp", {"max_tunnels": 3}), []),
        (lambda d: d.delete_user("bob"), ["bob"]),
        (lambda d: d.set_user("bob", {"simultaneous_logins": 0}), ["bob"]),
        (lambda d: d.set_user("carol", {"password": "another78"}), ["carol"]),
        (lambda d: d.set_user("carol", {"ip_address": "172.16.1.9"}), ["carol"]),
        (lambda d: d.add_user("dave", {"password": "secret78"}), []),
        (lambda d: d.set_group("staff", {"idle_timeout": 6}), ["alice"]),
        (lambda d: d.set_group("empty", {"idle_timeout": 6}), []),
        (lambda d: d.set_base({"idle_timeout": 6}), ["carol"]),
        (lambda d: d.set_base({"simultaneous_logins": 1}), ["alice", "bob", "carol"]),
    ],
)
def test_whom_it_leaves_with_something_else(
    edit: Callable[[Draft], object], whom: list[str]
) -> None:
    draft = Draft(BEFORE)
    edit(draft)
    assert changed_users(draft.before, draft.finish()) == whom
