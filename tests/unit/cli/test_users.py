from __future__ import annotations

import pytest

from fastpptp.settings import attributes
from fastpptp.settings.attributes import Level
from tests.unit.cli.conftest import Installation
from tests.unit.cli.test_init import password_of


def names(listed: list[dict[str, object]]) -> list[object]:
    return [entry["name"] for entry in listed]


class TestUser:
    def test_add_list_set_show_delete(self, installed: Installation) -> None:
        said = installed.done(
            "user", "add", "alice", "--password", "secret12", "--group", "pptpgroup",
            "--idle-timeout", "5", "--ip-address", "10.1.1.9",
        )  # fmt: skip
        assert said == "User alice added. No headend is running.\n"
        assert names(installed.json("user", "list")) == ["pptpuser", "alice"]
        installed.done("user", "set", "alice", "--inherit", "idle-timeout", "--inherit", "group")
        shown = installed.json("user", "show", "alice")
        assert shown == {"name": "alice", "ip_address": "10.1.1.9"}
        installed.done("user", "delete", "alice")
        assert names(installed.json("user", "list")) == ["pptpuser"]

    def test_a_table_for_people(self, installed: Installation) -> None:
        installed.done("user", "add", "[bold]x", "--password", "secret12", "--idle-timeout", "1")
        table = installed.done("user", "list")
        assert table.splitlines()[0].split() == ["User", "Group", "IP", "Address", "Own",
                                                 "attributes"]  # fmt: skip
        assert "[bold]x" in table
        assert "idle_timeout" in table
        assert "Idle Timeout:                  1" in installed.done("user", "show", "[bold]x")

    def test_the_password_is_never_shown(self, installed: Installation) -> None:
        for words in (("user", "list"), ("user", "show", "pptpuser")):
            assert "cisco123" not in installed.done(*words) + installed.done(*words, "--json")

    @pytest.mark.parametrize(
        ("words", "stdin", "kept"),
        [
            (("--password", "secret12"), None, "secret12"),
            (("--password-file", "-"), "secret34\nmore\n", "secret34"),
            ((), "secret56\nsecret56\n", "secret56"),
        ],
    )
    def test_where_the_password_comes_from(
        self, installed: Installation, words: tuple[str, ...], stdin: str | None, kept: str
    ) -> None:
        installed.done("user", "add", "alice", *words, stdin=stdin)
        assert password_of(installed, "alice") == kept

    def test_a_generated_one_is_printed(self, installed: Installation) -> None:
        said = installed.done("user", "set", "pptpuser", "--generate-password")
        assert f"Password: {password_of(installed, 'pptpuser')}\n" in said

    def test_only_one_source(self, installed: Installation) -> None:
        said = installed.failed(
            2, "user", "add", "alice", "--password", "secret12", "--generate-password"
        )
        assert "Give one of --password" in said

    def test_every_attribute_has_an_option(self, installed: Installation) -> None:
        for kind, level in (("user", Level.USER), ("group", Level.GROUP)):
            said = installed.done(kind, "set", "--help")
            for attribute in attributes.at(level).values():
                assert attribute.option in said


class TestGroup:
    def test_add_list_set_delete(self, installed: Installation) -> None:
        installed.done("group", "add", "staff", "--password", "groupsecret")
        installed.done("group", "set", "staff", "--primary-dns", "10.0.0.53")
        listed = installed.json("group", "list")
        assert listed[1] == {"name": "staff", "users": 0, "type": "Internal",
                             "primary_dns": "10.0.0.53"}  # fmt: skip
        assert listed[0]["users"] == 1
        installed.done("group", "set", "staff", "--inherit", "primary_dns")
        assert "primary_dns" not in installed.json("group", "show", "staff")
        installed.done("group", "delete", "staff")
        assert names(installed.json("group", "list")) == ["pptpgroup"]

    def test_one_with_users_stays(self, installed: Installation) -> None:
        said = installed.failed(4, "group", "delete", "pptpgroup")
        assert said == (
            "fastpptp: groups.pptpgroup: has 1 users: pptpuser (move or delete them first)\n"
        )


class TestBaseGroup:
    def test_set_show_reset(self, installed: Installation) -> None:
        installed.done("base-group", "set", "--idle-timeout", "0")
        assert installed.json("base-group", "show")["idle_timeout"] == 0
        installed.done("base-group", "set", "--reset", "idle-timeout")
        assert "Idle Timeout:                    30" in installed.done("base-group", "show")


class TestPool:
    def test_add_list_set_move_delete(self, installed: Installation) -> None:
        installed.done("pool", "add", "10.0.0.1", "10.0.0.9", "--server-address", "10.0.0.254")
        installed.done("pool", "move", "2", "up")
        assert [pool["first"] for pool in installed.json("pool", "list")] == [
            "10.0.0.1", "172.16.1.10",
        ]  # fmt: skip
        installed.done("pool", "set", "1", "--last", "10.0.0.20", "--inherit", "server-address")
        assert installed.json("pool", "list")[0] == {
            "place": 1, "first": "10.0.0.1", "last": "10.0.0.20", "size": 20,
        }  # fmt: skip
        installed.done("pool", "move", "1", "down")
        installed.done("pool", "delete", "2")
        assert "172.16.1.10" in installed.done("pool", "list")
        assert len(installed.json("pool", "list")) == 1

    def test_overlap_is_refused(self, installed: Installation) -> None:
        said = installed.failed(4, "pool", "add", "172.16.1.20", "172.16.1.30")
        assert "172.16.1.10-172.16.1.20" in said


@pytest.mark.parametrize(
    ("code", "words", "text"),
    [
        (
            4,
            ("user", "add", "bob", "--password", "short"),
            "fastpptp: users.bob.password: the password has 5 characters (8 to 256)\n",
        ),
        (
            4,
            ("user", "set", "pptpusr", "--idle-timeout", "1"),
            "fastpptp: users.pptpusr: does not exist (did you mean pptpuser?)\n",
        ),
        (4, ("user", "show", "bob"), "fastpptp: users.bob: does not exist\n"),
        (
            4,
            ("user", "set", "pptpuser", "--inherit", "idle-timeot"),
            "fastpptp: users.pptpuser.idle_timeot: unknown key (did you mean idle_timeout?)\n",
        ),
        (
            2,
            ("user", "set", "pptpuser", "--idle-timeout", "-1"),
            "'-1' is not valid (allowed: 0 to 35791 minutes, 0 = never)",
        ),
        (
            4,
            ("group", "set", "pptpgroup", "--pptp-authentication-protocols", "none"),
            "groups.pptpgroup.pptp_authentication_protocols",
        ),
        (4, ("pool", "move", "1", "up"), "fastpptp: pools[0]: there is no such pool (1 to 1)\n"),
    ],
)
def test_refusals(installed: Installation, code: int, words: tuple[str, ...], text: str) -> None:
    before = installed.done("config", "export")
    assert text in installed.failed(code, *words)
    assert installed.done("config", "export") == before
