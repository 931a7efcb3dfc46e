"""Who changed what, when."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fastpptp.errors import ConfigurationError
from fastpptp.settings import profiles
from fastpptp.settings.tree import Configuration
from fastpptp.store import Store
from fastpptp.store import history as module
from fastpptp.store.history import Author, this_process, user_name
from tests.unit.store.conftest import Place

ANN = Author("ann", "uid 1000, process 7")


def test_a_change_is_recorded(store: Store) -> None:
    revision = store.revision()
    with store.edit(ANN) as draft:
        draft.set_section("pptp", {"max_tunnels": 9})
        draft.set_user("pptpuser", {"idle_timeout": 7})
    user, section = store.history(limit=2)
    assert (section.revision, section.author) == (revision + 1, ANN)
    assert (user.path, user.new) == ("users.pptpuser.idle_timeout", "7 minutes")
    assert section.path == "pptp.max_tunnels"
    assert (section.old, section.new) == ("0 (unlimited), default", "9")
    assert abs(section.at - datetime.now(UTC)) < timedelta(minutes=1)


def test_a_new_store_tells_what_it_was_made_with(store: Store) -> None:
    found = store.history()
    assert {change.revision for change in found} == {2}
    assert {change.author for change in found} == {this_process()}
    assert any(change.path.startswith("users.pptpuser") for change in found)


def test_what_is_refused_or_changes_nothing_is_not_recorded(store: Store) -> None:
    before = store.history()
    with store.edit(ANN):
        pass
    with pytest.raises(ConfigurationError), store.edit(ANN) as draft:
        draft.set_base({"pptp_authentication_protocols": ["PAP"]})
    assert store.history() == before


def test_which_are_wanted(store: Store) -> None:
    sudo = Author("root", "uid 0, process 8", "bob")
    with store.edit(ANN) as draft:
        draft.add_user("a_b", {"password": "secret99"})
    with store.edit(sudo) as draft:
        draft.add_user("aXb", {"password": "secret99"})
        draft.set_section("pptp", {"max_tunnels": 9})
    for words, paths in (
        ({"path": "users.a_b"}, {"users.a_b.password"}),
        ({"path": "pptp"}, {"pptp.max_tunnels"}),
        ({"path": "pptp.max_tunnels"}, {"pptp.max_tunnels"}),
        ({"by": "ann"}, {"users.a_b.password"}),
        ({"by": "bob"}, {"users.aXb.password", "pptp.max_tunnels"}),
        ({"by": "root", "path": "users"}, {"users.aXb.password"}),
        ({"by": "nobody"}, set()),
    ):
        found = store.history(**words) if words.get("by") != "root" else [
            change for change in store.history(**words) if change.author == sudo
        ]  # fmt: skip
        assert {change.path for change in found} == paths, words


def test_newest_first_and_bounded(store: Store) -> None:
    for number in range(1, 5):
        with store.edit(ANN) as draft:
            draft.set_section("pptp", {"max_tunnels": number})
    assert [change.new for change in store.history(limit=3)] == ["4", "3", "2"]


def test_the_oldest_are_forgotten(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """By whole revisions; the newest one stays whole, however large it is."""
    monkeypatch.setattr(module, "KEPT", 3)
    for number in range(1, 6):
        with store.edit(ANN) as draft:
            draft.set_section("pptp", {"max_tunnels": number, "max_sessions_per_tunnel": number})
    assert [change.new for change in store.history()] == ["5", "5"]
    with store.edit(ANN) as draft:
        for number in range(10):
            draft.add_user(f"u{number}", {"password": "secret99"})
    assert len(store.history()) == 10


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text("abcdefgh0123456789", min_size=12, max_size=30))
def test_no_password_ever(place: Place, store: Store, secret: str) -> None:
    with store.edit() as draft:
        draft.set_user("pptpuser", {"password": secret})
        draft.set_group("pptpgroup", {"password": secret})
    store.change_password("pptpuser", secret[::-1])
    with store.edit() as draft:
        draft.replace(Configuration())
    store.replace(profiles.default(), "restored")
    for change in store.history(limit=1000):
        told = f"{change.path} {change.old} {change.new}"
        assert secret not in told
        assert secret[::-1] not in told
    stored = b"".join(path.read_bytes() for path in place.file.parent.iterdir())
    assert secret.encode() not in stored
    assert b"cisco123" not in stored


def test_a_users_own_change(store: Store) -> None:
    store.change_password("pptpuser", "other456")
    change = store.history()[0]
    assert change.path == "users.pptpuser.password"
    assert change.author.who == "pptpuser"
    assert "MS-CHAP" in change.author.origin


def test_this_process() -> None:
    uid = os.getuid()
    mine = this_process({"SUDO_USER": "bob"})
    assert mine.who == user_name(uid)
    assert mine.origin == f"uid {uid}, process {os.getpid()}"
    assert mine.sudo_user == ("bob" if uid == 0 else None)
    assert this_process({}).sudo_user is None


def test_sudo_is_believed_of_root_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    assert this_process({"SUDO_USER": "bob"}) == Author(
        "uid 12345", f"uid 12345, process {os.getpid()}"
    )
