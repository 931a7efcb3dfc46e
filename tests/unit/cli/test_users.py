from __future__ import annotations

import pytest

from fastpptp.settings import attributes
from fastpptp.settings.attributes import Level
from tests.unit.cli.conftest import Installation, names
from tests.unit.cli.test_init import password_of


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
        assert (shown["name"], shown["ip_address"], shown["group"]) == ("alice", "10.1.1.9", None)
        assert shown["attributes"]["idle_timeout"] == {"value": 30, "source": "default"}
        installed.done("user", "delete", "alice")
        assert names(installed.json("user", "list")) == ["pptpuser"]

    def test_a_table_for_people(self, installed: Installation) -> None:
        installed.done("user", "add", "[bold]x", "--password", "secret12", "--idle-timeout", "1")
        table = installed.done("user", "list")
        assert table.splitlines()[0].split() == ["User", "Group", "IP", "Address", "Own",
                                                 "attributes"]  # fmt: skip
        assert "[bold]x" in table
        assert "idle_timeout" in table
        assert "Idle Timeout 1 minutes (set here)" in installed.lines("user", "show", "[bold]x")

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
            assert "0 = never. Default: inherited, or 30 minutes." in " ".join(said.split())

    def test_every_attribute_is_shown_with_its_source(self, installed: Installation) -> None:
        """The issue's `128-bit  yes  (from group pptpgroup)`."""
        installed.done("group", "set", "pptpgroup", "--pptp-encryption", "Required,40-bit,128-bit")
        installed.done("user", "set", "pptpuser", "--idle-timeout", "5")
        text = installed.done("user", "show", "pptpuser")
        assert "yes  (from group pptpgroup)" in text
        shown = installed.lines("user", "show", "pptpuser")
        assert "128-bit yes (from group pptpgroup)" in shown
        assert "56-bit no (from group pptpgroup)" in shown
        assert "MSCHAPv2 yes (from base group)" in shown
        assert "L2TP over IPSec no (default)" in shown
        assert "Idle Timeout 5 minutes (set here)" in shown
        told = installed.json("user", "show", "pptpuser")["attributes"]
        assert told.keys() == attributes.at(Level.USER).keys()
        assert told["pptp_encryption"] == {
            "value": ["Required", "40-bit", "128-bit"], "source": "group pptpgroup",
        }  # fmt: skip
        for attribute in attributes.at(Level.USER).values():
            assert f"  {attribute.label}" in text

    def test_what_has_no_effect_is_told(self, installed: Installation) -> None:
        words = ("user", "set", "pptpuser", "--ip-address", "10.1.1.9", "--use-client-address=yes")
        assert installed.run(*words).stderr == (
            "Warning: users.pptpuser.ip_address: has no effect "
            "(assignment.from_authentication_server is off)\n"
            "Warning: users.pptpuser.use_client_address: has no effect "
            "(assignment.from_client is off)\n"
        )
        assert installed.run(*words).stderr == ""
        installed.done("assignment", "set", "--from-client", "yes")
        said = installed.run("assignment", "set", "--from-client", "no").stderr
        assert said.startswith("Warning: users.pptpuser.use_client_address: has no effect")

    def test_copy_and_rename(self, installed: Installation) -> None:
        installed.done("user", "set", "pptpuser", "--idle-timeout", "5", "--ip-address", "10.1.1.9")
        installed.done("user", "copy", "pptpuser", "alice", "--password", "secret12")
        installed.done("user", "rename", "pptpuser", "bob")
        assert installed.json("user", "list") == [
            {"name": "alice", "group": "pptpgroup", "idle_timeout": 5},
            {"name": "bob", "group": "pptpgroup", "ip_address": "10.1.1.9", "idle_timeout": 5},
        ]
        assert password_of(installed, "bob") == "cisco123"

    def test_passwords_that_differ_are_asked_for_again(self, installed: Installation) -> None:
        said = installed.run("user", "add", "alice", stdin="secret12\nsecret13\n" * 3)
        assert "The two entered values do not match" in said.output
        assert names(installed.json("user", "list")) == ["pptpuser"]

    def test_dry_run(self, installed: Installation) -> None:
        before = installed.done("config", "export")
        said = installed.done(
            "user", "set", "pptpuser", "--idle-timeout", "5", "--group", "none",
            "--password", "secret12", "--dry-run",
        )  # fmt: skip
        assert said == (
            "users.pptpuser.password: ******** -> ********  (next session)\n"
            "users.pptpuser.group: pptpgroup -> not set  (next session)\n"
            "users.pptpuser.idle_timeout: inherited -> 5 minutes  (next session)\n"
        )
        assert installed.json("user", "delete", "pptpuser", "--dry-run")["changes"][0] == {
            "path": "users.pptpuser.password", "old": "********", "new": "not set",
            "touches": "next session",
        }  # fmt: skip
        assert installed.done("config", "export") == before
