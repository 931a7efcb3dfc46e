"""Who changed what, when."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fastpptp.errors import ConfigurationError
from fastpptp.settings import profiles
from fastpptp.settings.tree import Configuration
from fastpptp.store import Store
from fastpptp.store import history as module
from fastpptp.store.history import Author, peer_of, this_process
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


@pytest.mark.parametrize("uid", [0, 12345])
def test_sudo_is_believed_of_root_alone(monkeypatch: pytest.MonkeyPatch, uid: int) -> None:
    monkeypatch.setattr(os, "getuid", lambda: uid)
    monkeypatch.setenv("SUDO_USER", "bob")
    mine = this_process()
    origin = f"uid {uid}, process {os.getpid()}"
    if uid:
        assert mine == Author("uid 12345", origin)
        assert str(mine) == f"uid 12345 ({origin})"
    else:
        assert mine == Author("root", origin, "bob")
        assert str(mine) == f"root ({origin}, sudo by bob)"


def test_the_other_end_of_a_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SUDO_USER", raising=False)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        found = peer_of(ours)
    assert (found.who, found.origin) == (this_process().who, this_process().origin)


def test_the_peer_of_another_process(tmp_path: Path) -> None:
    """Its uid and pid are the kernel's; what sudo said to it is read of its environment."""
    script = (
        "import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); s.recv(1)"
    )
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        listener.listen()
        words = [sys.executable, "-c", script, str(tmp_path / "s")]
        with subprocess.Popen(words, env={"SUDO_USER": "bob"}) as child:
            with listener.accept()[0] as connection:
                found = peer_of(connection)
            child.wait(20)
    assert found.origin == f"uid {os.getuid()}, process {child.pid}"
    assert found.sudo_user == (None if os.getuid() else "bob")
