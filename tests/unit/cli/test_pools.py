"""fastpptp pool."""

from __future__ import annotations

from tests.unit.cli.conftest import Installation


def test_add_list_set_move_delete(installed: Installation) -> None:
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


def test_overlap_is_refused(installed: Installation) -> None:
    said = installed.failed(4, "pool", "add", "172.16.1.20", "172.16.1.30")
    assert "172.16.1.10-172.16.1.20" in said
