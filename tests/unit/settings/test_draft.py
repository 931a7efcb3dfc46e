"""Edits: what each does, refuses and touches."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from fastpptp.errors import ConfigurationError
from fastpptp.settings import profiles
from fastpptp.settings.attributes import Touches
from fastpptp.settings.diff import latest
from fastpptp.settings.draft import Draft
from fastpptp.settings.tree import Configuration, UserEntry

POOL = {"first": "10.0.0.1", "last": "10.0.0.9"}


@pytest.fixture
def draft() -> Draft:
    return Draft(profiles.default())


def test_nothing_done_is_nothing_changed(draft: Draft) -> None:
    assert draft.finish() == profiles.default()
    assert draft.changes == []


def test_users(draft: Draft) -> None:
    draft.add_user("ann", {"password": "secret99", "group": "pptpgroup", "idle_timeout": 5})
    draft.set_user("ann", {"idle_timeout": 6, "ip_address": "10.0.0.7"})
    ann = draft.finish().users["ann"]
    assert (ann.password, ann.group, str(ann.address)) == ("secret99", "pptpgroup", "10.0.0.7")
    assert ann.attributes == {"idle_timeout": 6}
    draft.set_user("ann", {}, inherit=("idle_timeout", "group", "ip_address"))
    ann = draft.finish().users["ann"]
    assert (ann.group, ann.address, ann.attributes) == (None, None, {})
    draft.delete_user("ann")
    assert draft.finish() == profiles.default()


def test_groups(draft: Draft) -> None:
    draft.add_group("g", {"password": "abcd", "strip_realm": True})
    draft.set_group("g", {"idle_timeout": 1}, inherit=["strip_realm"])
    assert draft.finish().groups["g"].attributes == {"idle_timeout": 1}
    draft.delete_group("g")
    assert draft.finish() == profiles.default()


def test_a_group_with_users_stays(draft: Draft) -> None:
    for number in range(6):
        draft.add_user(f"u{number}", {"password": "cisco123", "group": "pptpgroup"})
    with pytest.raises(ConfigurationError) as caught:
        draft.delete_group("pptpgroup")
    assert str(caught.value) == (
        "groups.pptpgroup: has 7 users: pptpuser, u0, u1, u2, u3, ... (move or delete them first)"
    )


def test_sections_and_base(draft: Draft) -> None:
    draft.set_section("pptp", {"max_tunnels": 7})
    assert latest(draft.changes) is Touches.NOW
    draft.set_base({"idle_timeout": 8})
    assert latest(draft.changes) is Touches.NEXT_SESSION
    tree = draft.finish()
    assert tree.section("pptp") == {"max_tunnels": 7}
    assert tree.base["idle_timeout"] == 8
    draft.set_section("pptp", {}, reset=("max_tunnels",))
    draft.set_base({}, reset=("idle_timeout",))
    assert draft.finish() == profiles.default()


def test_event_classes_and_hours(draft: Draft) -> None:
    draft.set_event_class("PPTP", {"log": "1-13", "console": "1-4"})
    draft.set_event_class("PPTP", {"enable": False}, reset=("console",))
    draft.add_hours("shop", ["Mon 09:00-10:00"])
    with pytest.raises(ConfigurationError, match="shop: exists already"):
        draft.add_hours("shop", [])
    draft.set_base({"access_hours": "shop"})
    tree = draft.finish()
    assert tree.event_classes == {"PPTP": {"log": "1-13", "enable": False}}
    assert tree.hours == {"shop": ("Mon 09:00-10:00",)}
    with pytest.raises(ConfigurationError, match="shop: is used by base_group"):
        draft.delete_hours("shop")
    draft.set_base({}, reset=("access_hours",))
    draft.delete_hours("shop")
    draft.delete_event_class("PPTP")
    assert draft.finish() == profiles.default()


def pools(draft: Draft) -> list[str]:
    return [str(pool) for pool in draft.finish().pools]


def test_pools(draft: Draft) -> None:
    draft.add_pool(POOL)
    draft.add_pool({"first": "10.1.0.1", "last": "10.1.0.9", "server_address": "10.1.0.254"})
    draft.move_pool(3, 1)
    draft.modify_pool(1, {"last": "10.1.0.5"}, reset=("server_address",))
    assert pools(draft) == ["10.1.0.1-10.1.0.5", "172.16.1.10-172.16.1.20", "10.0.0.1-10.0.0.9"]
    draft.move_pool(1, 2)
    assert pools(draft)[0] == "172.16.1.10-172.16.1.20"
    draft.delete_pool(2)
    assert pools(draft) == ["172.16.1.10-172.16.1.20", "10.0.0.1-10.0.0.9"]
    assert draft.finish().pools[0].server_address is None


def test_replace(draft: Draft) -> None:
    draft.replace(Configuration())
    assert draft.finish() == Configuration()
    assert latest(draft.changes).words == "next session"


def test_copies(draft: Draft) -> None:
    draft.set_user("pptpuser", {"ip_address": "10.0.0.7", "idle_timeout": 3})
    draft.copy_user("pptpuser", "ann", {"password": "secret99"})
    ann = draft.finish().users["ann"]
    assert (ann.group, ann.password, ann.address) == ("pptpgroup", "secret99", None)
    assert ann.attributes == {"idle_timeout": 3}
    draft.set_group("pptpgroup", {"password": "abcd", "strip_realm": True})
    draft.copy_group("pptpgroup", "g")
    assert draft.finish().groups["g"] == draft.finish().groups["pptpgroup"]


def test_new_names(draft: Draft) -> None:
    draft.rename_group("pptpgroup", "staff")
    draft.rename_user("pptpuser", "ann")
    tree = draft.finish()
    assert tree.users == {"ann": UserEntry("cisco123", "staff")}
    assert tree.groups == {"staff": profiles.default().groups["pptpgroup"]}


def test_a_renamed_user_keeps_its_password_under_stricter_rules(draft: Draft) -> None:
    draft.set_base({"minimum_password_length": 20})
    draft.rename_user("pptpuser", "ann")
    assert draft.finish().users["ann"].password == "cisco123"
    draft.set_user("ann", {"password": "cisco124"})
    with pytest.raises(ConfigurationError, match="20 to 256: Minimum Password Length, from base"):
        draft.finish()


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (lambda d: d.add_user("pptpuser", {}), "users.pptpuser: exists already"),
        (lambda d: d.add_group("pptpgroup", {}), "groups.pptpgroup: exists already"),
        (lambda d: d.set_user("pptpusr", {}), "does not exist (did you mean pptpuser?)"),
        (lambda d: d.delete_user("zzz"), "users.zzz: does not exist"),
        (lambda d: d.rename_user("zzz", "y"), "users.zzz: does not exist"),
        (lambda d: d.rename_group("pptpgroup", "pptpgroup"), "groups.pptpgroup: exists already"),
        (lambda d: d.copy_user("pptpuser", "pptpuser", {}), "users.pptpuser: exists already"),
        (lambda d: d.copy_group("zzz", "y"), "groups.zzz: does not exist"),
        (lambda d: d.change_hours("x", []), "access_hours.x: does not exist"),
        (lambda d: d.set_group("zzz", {}), "groups.zzz: does not exist"),
        (lambda d: d.set_user("pptpuser", {"idle": 3}), "users.pptpuser.idle: unknown key"),
        (lambda d: d.set_user("pptpuser", {}, inherit=["idl_timeout"]), "did you mean idle_timeou"),
        (lambda d: d.set_section("ppt", {}), "ppt: unknown key (did you mean pptp?)"),
        (lambda d: d.set_section("pptp", {"enabled": 7}), "pptp.enabled: 7 is not valid"),
        (lambda d: d.set_base({"password_expired": True}), "base_group.password_expired: unknown"),
        (lambda d: d.set_event_class("PPTTP", {}), "did you mean PPTP?"),
        (lambda d: d.delete_event_class("PPP"), "events.classes.PPP: does not exist"),
        (lambda d: d.delete_hours("x"), "access_hours.x: does not exist"),
        (lambda d: d.add_pool({"first": "10.0.0.1"}), "pools[2].last: is missing"),
        (lambda d: d.add_pool({**POOL, "lst": 1}), "pools[2].lst: unknown key"),
        (lambda d: d.delete_pool(2), "pools[2]: there is no such pool (1 to 1)"),
        (lambda d: d.move_pool(1, 0), "pools[0]: there is no such pool"),
    ],
)
def test_refusals(draft: Draft, edit: Callable[[Draft], None], says: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        edit(draft)
    assert says in str(caught.value)
    assert draft.finish() == profiles.default()
