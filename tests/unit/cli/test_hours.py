"""fastpptp hours."""

from __future__ import annotations

from tests.unit.cli.conftest import Installation


def test_add_list_set_show_delete(installed: Installation) -> None:
    said = installed.done("hours", "add", "shop", "Mon-Fri 09:00-17:00", "Sat 09:00-12:00")
    assert said == "Access hours shop added. No headend is running.\n"
    assert installed.json("hours", "list") == {
        "No Restrictions": ["Mon,Tue,Wed,Thu,Fri,Sat,Sun 00:00-24:00"],
        "Never": [],
        "Business Hours": ["Mon,Tue,Wed,Thu,Fri 09:00-17:00"],
        "shop": ["Mon-Fri 09:00-17:00", "Sat 09:00-12:00"],
    }
    assert "Never no hours" in installed.lines("hours", "list")
    installed.done("hours", "set", "shop", "Mon 09:00-10:00")
    assert installed.json("hours", "show", "shop") == {"name": "shop", "spans": ["Mon 09:00-10:00"]}
    assert "Days and times: Mon 09:00-10:00" in installed.done("hours", "show", "shop")
    installed.done("hours", "delete", "shop")
    assert "shop" not in installed.done("config", "export")


def test_hours_in_use_stay(installed: Installation) -> None:
    installed.done("hours", "add", "shop", "Mon 09:00-10:00")
    installed.done("group", "set", "pptpgroup", "--access-hours", "shop")
    assert installed.failed(4, "hours", "delete", "shop") == (
        "fastpptp: access_hours.shop: is used by groups.pptpgroup (choose others there first)\n"
    )
