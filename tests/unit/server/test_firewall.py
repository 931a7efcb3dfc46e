"""Which nftables rules keep GRE off the AF_PACKET socket."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fastpptp.backends.firewall import Firewall, meets_gre
from fastpptp.backends.nftables import PREFIX, rules

Items = list[dict[str, Any]]


def chain(hook: str, kind: str = "filter", policy: str = "accept", family: str = "inet") -> Items:
    made = {"family": family, "table": "t", "name": "c", "type": kind, "hook": hook}
    return [{"metainfo": {}}, {"table": {"family": family, "name": "t"}},
            {"chain": made | {"policy": policy}}]  # fmt: skip


def rule(*steps: dict[str, Any], family: str = "inet") -> Items:
    return [{"rule": {"family": family, "table": "t", "chain": "c", "expr": list(steps)}}]


def match(left: dict[str, Any], right: object, op: str = "==") -> dict[str, Any]:
    return {"match": {"op": op, "left": left, "right": right}}


def protocol(right: object, op: str = "==") -> dict[str, Any]:
    return match({"meta": {"key": "l4proto"}}, right, op)


PORT = match({"payload": {"protocol": "tcp", "field": "dport"}}, 25)
LOOPBACK = match({"meta": {"key": "oifname"}}, "lo")
FIELD = {"payload": {"protocol": "ip", "field": "protocol"}}
DROP: dict[str, Any] = {"drop": None}
ACCEPT: dict[str, Any] = {"accept": None}
ESTABLISHED = match({"ct": {"key": "state"}}, ["established", "related"], "in")
STATES: dict[str, Any] = {"vmap": {"key": {"ct": {"key": "state"}}, "data": {"set": []}}}
MASQUERADE: dict[str, Any] = {"masquerade": None}


@pytest.mark.parametrize(
    ("ruleset", "expected"),
    [
        ([], False),
        (chain("output"), False),
        (chain("output", policy="drop"), True),
        (chain("input", policy="drop"), False),
        (chain("output", policy="drop", family="ip6"), False),
        (chain("output") + rule(DROP), True),
        (chain("input") + rule(DROP), False),
        (chain("output") + rule(PORT, DROP), False),
        (chain("output") + rule(LOOPBACK, DROP), False),
        (chain("output") + rule(protocol("gre"), DROP), True),
        (chain("output") + rule(protocol("tcp"), DROP), False),
        (chain("output") + rule(protocol("tcp", "!="), DROP), True),
        (chain("output") + rule(protocol({"set": ["tcp", "udp"]}), DROP), False),
        (chain("output") + rule(protocol({"set": ["tcp", 47]}), DROP), True),
        (chain("output") + rule(protocol("@named"), DROP), True),
        (chain("output") + rule(protocol({"set": [{"range": [1, 99]}]}), DROP), True),
        (chain("output") + rule(match(FIELD, 6), DROP), False),
        (chain("postrouting", "nat") + rule(MASQUERADE), False),
        (chain("postrouting", "nat") + rule(protocol("gre"), MASQUERADE), True),
        (chain("egress", family="netdev") + rule(DROP, family="netdev"), True),
        (chain("input") + rule(ESTABLISHED, ACCEPT), True),
        (chain("input") + rule(STATES), True),
        (chain("input") + rule(PORT, ESTABLISHED, ACCEPT), False),
        (chain("forward") + rule(ESTABLISHED, ACCEPT), False),
        (rule(ESTABLISHED, ACCEPT), True),
        (chain("input", family="ip") + rule({"xt": None}, ACCEPT, family="ip"), True),
        (rule(ESTABLISHED, ACCEPT, family="ip6"), False),
    ],
)
def test_rules(ruleset: Items, expected: bool) -> None:
    assert meets_gre(ruleset) is expected


def test_our_own_table_does_not_count() -> None:
    made = [command["add"] for command in rules(f"{PREFIX}x", "x") if "add" in command]
    assert sum("rule" in item for item in made) == 4
    assert not meets_gre(made)


@pytest.mark.parametrize("command", [("/nonexistent",), ("false",), ("echo", "no JSON")])
def test_what_cannot_be_read_is_taken_for_a_rule(command: tuple[str, ...], tmp_path: Path) -> None:
    firewall = Firewall(command, tmp_path / "absent")
    assert not firewall.leaves_gre_alone()
    firewall.close()


def test_legacy_tables(tmp_path: Path) -> None:
    names = tmp_path / "ip_tables_names"
    names.write_text("filter\n")
    firewall = Firewall(("echo", '{"nftables": []}'), names)
    assert not firewall.leaves_gre_alone()
    firewall.close()
