"""A Configuration out of the tables, and the difference of two Configurations into them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from ipaddress import IPv4Address
from typing import Any

from sqlalchemy import Column, Connection, Table, bindparam, delete, insert, select, update

from fastpptp.settings import attributes
from fastpptp.settings.attributes import Attribute, Level
from fastpptp.settings.entries import LISTS, EntryList
from fastpptp.settings.kinds import Plain
from fastpptp.settings.tree import (
    Configuration,
    Entries,
    FilterEntry,
    GroupEntry,
    PoolRange,
    UserEntry,
    Values,
)
from fastpptp.store import schema
from fastpptp.store.sealing import Sealer

# The only key of the JSON that stands for a secret value in `settings`.
SEALED = "sealed"


def read_tree(connection: Connection, sealer: Sealer) -> Configuration:
    """All that the tables hold. ValueError for a password that does not open."""
    sections: dict[str, dict[str, Any]] = {}
    for section, name, value in connection.execute(select(schema.settings)):
        sections.setdefault(section, {})[name] = _opened(section, name, value, sealer)
    return Configuration(
        base=_base(connection),
        sections=sections,
        groups=_groups(connection, sealer),
        users=_users(connection, sealer),
        pools=_pools(connection),
        hours={
            name: tuple(spans) for name, spans in connection.execute(select(schema.access_hours))
        },
        event_classes=_event_classes(connection),
        filters=_filters(connection),
        lists={
            table: found
            for table, of in LISTS.items()
            if (found := _entries(connection, sealer, of))
        },
    )


def write_tree(
    connection: Connection, sealer: Sealer, before: Configuration, after: Configuration
) -> None:
    """Change the tables from `before` to `after`, touching only what differs."""
    if _settings(before) != _settings(after):
        rows = [_closed(row, sealer) for row in _settings(after)]
        _refill(connection, schema.settings, rows)
    if before.base != after.base:
        _refill(connection, schema.base_group, [_columns(attributes.at(Level.BASE), after.base)])
    if before.event_classes != after.event_classes:
        declared = attributes.EVENT_CLASS_ATTRIBUTES
        rows = [
            {"name": name, **_columns(declared, own)} for name, own in after.event_classes.items()
        ]
        _refill(connection, schema.event_classes, rows)
    if before.hours != after.hours:
        rows = [{"name": name, "spans": list(spans)} for name, spans in after.hours.items()]
        _refill(connection, schema.access_hours, rows)
    if before.pools != after.pools:
        _refill(connection, schema.pools, [_pool_row(*item) for item in enumerate(after.pools, 1)])
    if before.filters != after.filters:
        _refill(connection, schema.filters, list(_filter_rows(after.filters)))
        _refill(connection, schema.filter_rules, list(_rule_rows(after.filters)))
    for table, of in LISTS.items():
        if before.entries(table) != after.entries(table):
            rows = list(_entry_rows(sealer, of, after.entries(table)))
            _refill(connection, schema.lists[table], rows)
    _remove(connection, schema.users, before.users, after.users)
    _write_groups(connection, sealer, before.groups, after.groups)
    _write_users(connection, sealer, before.users, after.users)
    _remove(connection, schema.groups, before.groups, after.groups)


def setting_owner(section: str, name: str) -> str:
    """Whose secret a setting's is, as sealing.py binds it."""
    return f"setting:{section}.{name}"


def user_owner(name: str) -> str:
    """Whose password it is, as sealing.py binds it."""
    return f"user:{name}"


def group_owner(name: str) -> str:
    return f"group:{name}"


def entry_owner(of: EntryList, name: str, attribute: str) -> str:
    return f"{of.table}:{name}:{attribute}"


def _own(declared: Mapping[str, Attribute], values: Iterable[Any]) -> dict[str, Plain]:
    """What is set, out of the columns of the attributes `declared`."""
    return {name: value for name, value in zip(declared, values, strict=True) if value is not None}


def _columns(declared: Mapping[str, Attribute], own: Values) -> dict[str, Plain | None]:
    """The columns of what is set; the others are NULL."""
    return {name: own.get(name) for name in declared}


def _base(connection: Connection) -> dict[str, Plain]:
    declared = attributes.at(Level.BASE)
    row = connection.execute(select(*_named(schema.base_group, declared))).first()
    return {} if row is None else _own(declared, row)


def _event_classes(connection: Connection) -> dict[str, dict[str, Plain]]:
    declared = attributes.EVENT_CLASS_ATTRIBUTES
    query = select(*_named(schema.event_classes, ("name", *declared)))
    return {name: _own(declared, values) for name, *values in connection.execute(query)}


def _filters(connection: Connection) -> dict[str, FilterEntry]:
    declared = attributes.RULE_ATTRIBUTES
    rules: dict[str, list[Values]] = {}
    query = select(*_named(schema.filter_rules, ("filter", *declared)))
    for name, *values in connection.execute(query.order_by(schema.filter_rules.c.position)):
        rules.setdefault(name, []).append(_own(declared, values))
    declared = attributes.FILTER_ATTRIBUTES
    query = select(*_named(schema.filters, ("filter", *declared)))
    return {
        name: FilterEntry(_own(declared, values), tuple(rules.get(name, ())))
        for name, *values in connection.execute(query.order_by(schema.filters.c.position))
    }


def _entries(connection: Connection, sealer: Sealer, of: EntryList) -> Entries:
    table = schema.lists[of.table]
    query = select(*_named(table, ("name", *of.attributes))).order_by(table.c.position)
    return tuple(
        (name, _unsealed(sealer, of, name, _own(of.attributes, values)))
        for name, *values in connection.execute(query)
    )


def _unsealed(sealer: Sealer, of: EntryList, name: str, own: dict[str, Any]) -> Values:
    return {
        key: sealer.unseal(value, entry_owner(of, name, key)) if _secret(of, key) else value
        for key, value in own.items()
    }


def _entry_rows(sealer: Sealer, of: EntryList, entries: Entries) -> Iterator[dict[str, Any]]:
    for position, (name, own) in enumerate(entries, 1):
        sealed = {
            key: sealer.seal(str(value), entry_owner(of, name, key))
            for key, value in own.items()
            if _secret(of, key)
        }
        columns = {**_columns(of.attributes, own), **sealed}
        yield {"position": position, "name": name, **columns}


def _secret(of: EntryList, attribute: str) -> bool:
    return of.attributes[attribute].kind.secret


def _filter_rows(filters: Mapping[str, FilterEntry]) -> Iterator[dict[str, Any]]:
    for position, (name, entry) in enumerate(filters.items(), 1):
        own = _columns(attributes.FILTER_ATTRIBUTES, entry.attributes)
        yield {"position": position, "filter": name, **own}


def _rule_rows(filters: Mapping[str, FilterEntry]) -> Iterator[dict[str, Any]]:
    for name, entry in filters.items():
        for position, rule in enumerate(entry.rules, 1):
            own = _columns(attributes.RULE_ATTRIBUTES, rule)
            yield {"filter": name, "position": position, **own}


def _groups(connection: Connection, sealer: Sealer) -> dict[str, GroupEntry]:
    declared = attributes.at(Level.GROUP)
    query = select(*_named(schema.groups, ("name", "type", "password", *declared)))
    return {
        name: GroupEntry(
            kind,
            sealer.unseal(sealed, group_owner(name)) if sealed else "",
            _own(declared, values),
        )
        for name, kind, sealed, *values in connection.execute(query.order_by(schema.groups.c.id))
    }


def _users(connection: Connection, sealer: Sealer) -> dict[str, UserEntry]:
    declared, user = attributes.at(Level.USER), schema.users.c
    query = (
        select(user.name, user.password, schema.groups.c.name, user.address, user.netmask)
        .add_columns(*_named(schema.users, declared))
        .join_from(schema.users, schema.groups, isouter=True)
        .order_by(user.id)
    )
    return {
        name: UserEntry(
            sealer.unseal(sealed, user_owner(name)),
            group,
            _address(address),
            _address(netmask),
            _own(declared, values),
        )
        for name, sealed, group, address, netmask, *values in connection.execute(query)
    }


def _named(table: Table, names: Iterable[str]) -> list[Column[Any]]:
    return [table.c[name] for name in names]


def _pools(connection: Connection) -> tuple[PoolRange, ...]:
    table = schema.pools.c
    query = select(table.first, table.last, table.server_address).order_by(table.position)
    return tuple(
        PoolRange(IPv4Address(first), IPv4Address(last), _address(server))
        for first, last, server in connection.execute(query)
    )


def _address(text: str | None) -> IPv4Address | None:
    return IPv4Address(text) if text else None


def _settings(tree: Configuration) -> list[dict[str, Any]]:
    return [
        {"section": section, "name": name, "value": value}
        for section, own in tree.sections.items()
        for name, value in own.items()
    ]


def _closed(row: dict[str, Any], sealer: Sealer) -> dict[str, Any]:
    """A row of `settings`, with its value sealed if that is secret."""
    section, name = row["section"], row["name"]
    if not attributes.SECTIONS[section][name].kind.secret:
        return row
    sealed = sealer.seal(row["value"], setting_owner(section, name))
    return {**row, "value": {SEALED: sealed.hex()}}


def _opened(section: str, name: str, value: Any, sealer: Sealer) -> Any:
    if not isinstance(value, dict):
        return value
    return sealer.unseal(bytes.fromhex(value[SEALED]), setting_owner(section, name))


def _pool_row(position: int, pool: PoolRange) -> dict[str, Any]:
    server = pool.server_address and str(pool.server_address)
    return {
        "position": position,
        "first": str(pool.first),
        "last": str(pool.last),
        "server_address": server,
    }


def _refill(connection: Connection, table: Table, rows: list[dict[str, Any]]) -> None:
    connection.execute(delete(table))
    if rows:
        connection.execute(insert(table), rows)


def _remove(
    connection: Connection, table: Table, before: Mapping[str, Any], after: Mapping[str, Any]
) -> None:
    gone = [{"key": name} for name in before if name not in after]
    if gone:
        connection.execute(delete(table).where(table.c.name == bindparam("key")), gone)


def _write_groups(
    connection: Connection,
    sealer: Sealer,
    before: Mapping[str, GroupEntry],
    after: Mapping[str, GroupEntry],
) -> None:
    rows = [
        {
            "key": name,
            "name": name,
            "type": group.type,
            "password": sealer.seal(group.password, group_owner(name)) if group.password else None,
            **_columns(attributes.at(Level.GROUP), group.attributes),
        }
        for name, group in after.items()
        if before.get(name) != group
    ]
    _upsert(connection, schema.groups, rows, before)


def _write_users(
    connection: Connection,
    sealer: Sealer,
    before: Mapping[str, UserEntry],
    after: Mapping[str, UserEntry],
) -> None:
    changed = {name: user for name, user in after.items() if before.get(name) != user}
    if not changed:
        return
    table = schema.groups.c
    ids = {name: key for key, name in connection.execute(select(table.id, table.name))}
    rows = [
        {
            "key": name,
            "name": name,
            "group_id": None if user.group is None else ids[user.group],
            "password": sealer.seal(user.password, user_owner(name)),
            "address": user.address and str(user.address),
            "netmask": user.netmask and str(user.netmask),
            **_columns(attributes.at(Level.USER), user.attributes),
        }
        for name, user in changed.items()
    ]
    _upsert(connection, schema.users, rows, before)


def _upsert(
    connection: Connection, table: Table, rows: list[dict[str, Any]], before: Mapping[str, Any]
) -> None:
    """Update the rows whose name was there `before`, insert the others; all in two statements."""
    old = [row for row in rows if row["key"] in before]
    new = [_without_key(row) for row in rows if row["key"] not in before]
    if old:
        values: dict[str, Any] = {
            name: bindparam(name) for name in old[0] if name not in ("key", "name")
        }
        statement = update(table).where(table.c.name == bindparam("key")).values(values)
        connection.execute(statement, [_without_name(row) for row in old])
    if new:
        connection.execute(insert(table), new)


def _without_key(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "key"}


def _without_name(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "name"}
