from __future__ import annotations

import stat

from fastpptp.settings.profiles import PASSWORD
from fastpptp.store import Store
from tests.unit.cli.conftest import Installation


def password_of(installation: Installation, user: str) -> str:
    state = installation.state
    with Store.open(f"sqlite:///{state / 'fastpptp.db'}", state / "fastpptp.key") as store:
        return store.tree().users[user].password


def test_it_makes_a_private_store_and_key(empty: Installation) -> None:
    said = empty.done("init")
    for name in ("fastpptp.db", "fastpptp.key"):
        assert stat.S_IMODE((empty.state / name).stat().st_mode) == 0o600
        assert name in said
    assert "user pptpuser, group pptpgroup, pool 172.16.1.10-172.16.1.20" in said


def test_the_published_password_is_not_printed_but_warned_of(empty: Installation) -> None:
    said = empty.done("init")
    assert PASSWORD not in said
    assert "user set pptpuser --generate-password" in said
    assert password_of(empty, "pptpuser") == PASSWORD


def test_a_generated_password_is_printed_and_kept(empty: Installation) -> None:
    made = empty.json("init", "--generate-password")
    assert len(made["password"]) == 12
    assert password_of(empty, "pptpuser") == made["password"]


def test_profiles(empty: Installation) -> None:
    assert empty.json("init", "--profile", "reference")["profile"] == "reference"
    listed = empty.json("config", "list", "base_group")
    assert listed["base_group.pptp_authentication_protocols"] == ["PAP", "CHAP", "MSCHAPv1"]


def test_the_empty_profile(empty: Installation) -> None:
    said = empty.done("init", "--profile", "empty")
    assert "Profile empty: no group, no user and no pool yet." in said
    assert empty.json("user", "list") == empty.json("pool", "list") == []


def test_a_second_init_changes_nothing(installed: Installation) -> None:
    said = installed.failed(3, "init", "--generate-password")
    assert said.startswith("fastpptp: sqlite:///")
    assert "holds a store already" in said
    assert password_of(installed, "pptpuser") == PASSWORD


def test_version(empty: Installation) -> None:
    assert empty.done("version").startswith("fastpptp ")
    assert empty.json("version")["version"]
