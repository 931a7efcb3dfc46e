"""A Configuration as nested plain data: the inverse of settings/reading.py."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastpptp.settings.entries import LISTS
from fastpptp.settings.reading import CLASSES_TABLE, RULES_TABLE
from fastpptp.settings.tree import Configuration, FilterEntry, GroupEntry, PoolRange, UserEntry


def write_tree(tree: Configuration) -> dict[str, Any]:
    """All that is set, in the order in which a person would read it; empty tables are left out."""
    events: dict[str, Any] = dict(tree.section("events"))
    if tree.event_classes:
        events[CLASSES_TABLE] = {name: dict(own) for name, own in tree.event_classes.items()}
    raw = {
        "pptp": dict(tree.section("pptp")),
        "system": dict(tree.section("system")),
        "assignment": dict(tree.section("assignment")),
        "dhcp": dict(tree.section("dhcp")),
        "snmp": dict(tree.section("snmp")),
        "pools": [write_pool(pool) for pool in tree.pools],
        "events": events,
        **{table: {name: dict(own) for name, own in tree.entries(table)} for table in LISTS},
        "access_hours": {name: list(spans) for name, spans in tree.hours.items()},
        "filters": {name: write_filter(entry) for name, entry in tree.filters.items()},
        "base_group": dict(tree.base),
        "groups": {name: write_group(group) for name, group in tree.groups.items()},
        "users": {name: write_user(user) for name, user in tree.users.items()},
    }
    return {name: table for name, table in raw.items() if table}


def write_filter(entry: FilterEntry) -> dict[str, Any]:
    rules = [dict(rule) for rule in entry.rules]
    return {**entry.attributes, **({RULES_TABLE: rules} if rules else {})}


def write_group(group: GroupEntry) -> dict[str, Any]:
    return _present({"type": group.type, "password": group.password or None}, group.attributes)


def write_user(user: UserEntry) -> dict[str, Any]:
    identity = {
        "group": user.group,
        "password": user.password or None,
        "ip_address": user.address and str(user.address),
        "subnet_mask": user.netmask and str(user.netmask),
    }
    return _present(identity, user.attributes)


def write_pool(pool: PoolRange) -> dict[str, Any]:
    server = pool.server_address and str(pool.server_address)
    return _present({"first": str(pool.first), "last": str(pool.last), "server_address": server})


def _present(*parts: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for part in parts for name, value in part.items() if value is not None}
