"""fastpptp config history, backup and restore."""

from __future__ import annotations

import getpass
import os
import stat
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Installation


def test_history(installed: Installation) -> None:
    installed.done("pptp", "set", "--max-tunnels", "9")
    installed.done("user", "add", "ann", "--password", "secret99", "--idle-timeout", "7")
    said = installed.done("config", "history", "--user", "ann")
    assert "secret99" not in said
    assert f"{getpass.getuser()} (uid {os.getuid()}, process {os.getpid()}" in said
    timeout, password = installed.json("config", "history", "--user", "ann")
    assert (password["key"], password["new"]) == ("users.ann.password", "********")
    assert (timeout["key"], timeout["new"]) == ("users.ann.idle_timeout", "7 minutes")
    (tunnels,) = installed.json("config", "history", "--path", "pptp")
    assert tunnels["revision"] == password["revision"] - 1
    assert tunnels["who"] == getpass.getuser()
    assert tunnels["time"].endswith("+00:00")
    assert len(installed.json("config", "history", "--limit", "2")) == 2
    assert installed.json("config", "history", "--by", "nobody-such") == []
    assert "not both" in installed.failed(2, "config", "history", "--user", "a", "--path", "b")


def test_sudo_is_told(installed: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 0)
    monkeypatch.setenv("SUDO_USER", "bob")
    installed.done("pptp", "set", "--max-tunnels", "9")
    assert "sudo by bob)" in installed.done("config", "history", "--by", "bob")


def test_there_and_back(installed: Installation, tmp_path: Path) -> None:
    file = tmp_path / "backup.db"
    said = installed.done("config", "backup", str(file))
    assert said == (
        f"{file} written. The passwords in it need the key file "
        f"{installed.state / 'fastpptp.key'} to be restored: keep a copy elsewhere.\n"
    )
    before = installed.json("user", "list")
    installed.done("user", "add", "ann", "--password", "secret99")
    said = installed.done("config", "restore", str(file))
    assert said.startswith(
        f"{file} restored: users 1, groups 1, pools 1.\nThe former one is kept as"
    )
    assert installed.json("user", "list") == before
    kept = [path for path in installed.state.iterdir() if "before-restore" in path.name]
    assert [stat.S_IMODE(path.stat().st_mode) for path in kept] == [0o600]


def test_with_the_key(installed: Installation, empty: Installation, tmp_path: Path) -> None:
    file = tmp_path / "backup.db"
    said = installed.json("config", "backup", str(file), "--with-key")
    assert said == {"file": str(file), "key_file": f"{file}.key"}
    installed.done("user", "add", "ann", "--password", "secret99")
    elsewhere = Installation(tmp_path / "elsewhere")
    done = elsewhere.json("config", "restore", str(file))
    assert done == {
        "restored": str(file), "users": 1, "groups": 1, "pools": 1, "kept": [],
        "headend": "not running",
    }  # fmt: skip
    assert [user["name"] for user in elsewhere.json("user", "list")] == ["pptpuser"]


def test_a_lost_key(installed: Installation, tmp_path: Path) -> None:
    file = tmp_path / "backup.db"
    installed.done("config", "backup", str(file))
    (installed.state / "fastpptp.key").write_text("00" * 32)
    said = installed.failed(3, "config", "restore", str(file))
    assert "is not the key of this store" in said
    assert "of a backup: --key" in said
    said = installed.failed(4, "config", "restore", str(file), "--key", str(file))
    assert "is not a key file" in said


def test_what_cannot_be(installed: Installation, tmp_path: Path) -> None:
    file = tmp_path / "backup.db"
    installed.done("config", "backup", str(file))
    assert "exists already" in installed.failed(3, "config", "backup", str(file))
    said = installed.failed(3, "config", "restore", str(tmp_path / "none"))
    assert said.startswith(f"fastpptp: there is no {tmp_path / 'none'}")
    url = "postgresql+psycopg://h/d"
    assert "pg_dump" in installed.failed(3, "config", "restore", str(file), "--store", url)


def test_a_broken_store(installed: Installation, tmp_path: Path) -> None:
    file = tmp_path / "backup.db"
    installed.done("config", "backup", str(file))
    (installed.state / "fastpptp.db").write_bytes(b"broken" * 1000)
    said = installed.failed(3, "config", "restore", str(file))
    assert "restore with --replace" in said
    assert installed.json("config", "restore", str(file), "--replace")["users"] == 1
    assert installed.json("user", "list")
