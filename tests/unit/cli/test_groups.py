"""fastpptp group and base-group."""

from __future__ import annotations

from typing import Any

from tests.unit.cli.conftest import Installation, names


def attribute(installed: Installation, group: str, name: str) -> Any:
    return installed.json("group", "show", group)["attributes"][name]


def test_add_list_set_delete(installed: Installation) -> None:
    installed.done("group", "add", "staff", "--password", "groupsecret")
    installed.done("group", "set", "staff", "--primary-dns", "10.0.0.53")
    listed = installed.json("group", "list")
    assert listed[1] == {"name": "staff", "users": 0, "type": "Internal",
                         "primary_dns": "10.0.0.53"}  # fmt: skip
    assert listed[0]["users"] == 1
    installed.done("group", "set", "staff", "--inherit", "primary_dns")
    assert attribute(installed, "staff", "primary_dns") == {"value": "none", "source": "default"}
    installed.done("group", "delete", "staff")
    assert names(installed.json("group", "list")) == ["pptpgroup"]


def test_one_with_users_stays(installed: Installation) -> None:
    said = installed.failed(4, "group", "delete", "pptpgroup")
    assert said == (
        "fastpptp: groups.pptpgroup: has 1 user: pptpuser (move or delete them first)\n"
    )


def test_copy_and_rename(installed: Installation) -> None:
    installed.done("group", "set", "pptpgroup", "--idle-timeout", "7", "--password", "groupsecret")
    assert installed.done("group", "copy", "pptpgroup", "staff").startswith("Group staff added.")
    installed.done("group", "rename", "pptpgroup", "scanners")
    listed = {entry["name"]: entry for entry in installed.json("group", "list")}
    assert {name: entry["users"] for name, entry in listed.items()} == {"scanners": 1, "staff": 0}
    assert [entry["idle_timeout"] for entry in listed.values()] == [7, 7]
    assert installed.json("user", "show", "pptpuser")["group"] == "scanners"


def test_show_says_where_a_value_comes_from(installed: Installation) -> None:
    installed.done("group", "set", "pptpgroup", "--idle-timeout", "7", "--password", "groupsecret")
    assert attribute(installed, "pptpgroup", "idle_timeout") == {
        "value": 7, "source": "group pptpgroup",
    }  # fmt: skip
    assert attribute(installed, "pptpgroup", "pptp_encryption")["source"] == "base group"
    shown = installed.lines("group", "show", "pptpgroup")
    assert shown[:2] == ["Group: pptpgroup", "Type: Internal"]
    assert "Idle Timeout 7 minutes (set here)" in shown
    assert "128-bit yes (from base group)" in shown
    assert "SEP Card Assignment" in shown
    assert "4 yes (default)" in shown
    assert "groupsecret" not in "".join(shown)


class TestBaseGroup:
    def test_set_show_reset(self, installed: Installation) -> None:
        installed.done("base-group", "set", "--idle-timeout", "0")
        shown = installed.json("base-group", "show")["attributes"]["idle_timeout"]
        assert shown == {"value": 0, "source": "base group"}
        assert "Idle Timeout 0 (never) (set here)" in installed.lines("base-group", "show")
        installed.done("base-group", "set", "--reset", "idle-timeout")
        assert "Idle Timeout 30 minutes (default)" in installed.lines("base-group", "show")
