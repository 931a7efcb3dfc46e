"""The tables, as the newest migration leaves them.

An attribute of groups, users, the base group or event classes is a column, NULL where it is not
set: the columns are made from the declarations (settings/attributes.py), there is no second
list. Settings that the system has once are rows of `settings`, and need no migration.

To add an attribute: declare it. `test_every_declared_attribute_has_its_column` then fails and
prints the migration to write as migrations/versions/v000N_....py, N being one more than HEAD;
set HEAD to it. To add a table: write it here, a field for it in settings/tree.py, what reads and
writes it in rows.py, and the migration in the same way. A migration spells what it needs and
imports nothing of fastpptp: it stays as it is when the declarations go on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    DateTime,
    Dialect,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
)

from fastpptp.settings import attributes
from fastpptp.settings.attributes import Attribute, Level
from fastpptp.settings.entries import LISTS, EntryList

# The newest migration (migrations/versions); a test holds it against the scripts.
HEAD = "0006"

metadata = MetaData()


class Words(TypeDecorator[list[str]]):
    """A list of words, a line each."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: list[str] | None, dialect: Dialect) -> str | None:
        return None if value is None else "\n".join(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> list[str] | None:
        return None if value is None else value.splitlines()


# By the plain type (settings/kinds.py) of an attribute's values.
TYPES: Mapping[type, type[Any]] = {bool: Boolean, int: Integer, str: String, list: Words}


def columns(declared: Mapping[str, Attribute]) -> list[Column[Any]]:
    """A column for each attribute; a secret is sealed (sealing.py)."""
    return [
        Column(name, LargeBinary if a.kind.secret else TYPES[type(a.default)])
        for name, a in declared.items()
    ]


# One row: `revision` rises with every change, `key_check` tells whether a key file fits.
meta = Table(
    "meta",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("revision", Integer, nullable=False),
    Column("key_check", LargeBinary, nullable=False),
)

# Who changed what, when (UTC): only added to, but for the oldest. Passwords are never in it.
changes = Table(
    "changes",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("revision", Integer, nullable=False, index=True),
    Column("at", DateTime, nullable=False),
    Column("who", String(64), nullable=False),
    Column("sudo_user", String(64)),
    Column("origin", Text, nullable=False),
    Column("path", Text, nullable=False),
    Column("old", Text),
    Column("new", Text),
)

# Sections: what the system has once. A secret is sealed (rows.py).
settings = Table(
    "settings",
    metadata,
    Column("section", String(32), primary_key=True),
    Column("name", String(64), primary_key=True),
    Column("value", JSON, nullable=False),
)

event_classes = Table(
    "event_classes",
    metadata,
    Column("name", String(32), primary_key=True),
    *columns(attributes.EVENT_CLASS_ATTRIBUTES),
)

access_hours = Table(
    "access_hours",
    metadata,
    Column("name", String(48), primary_key=True),
    Column("spans", JSON, nullable=False),
)

pools = Table(
    "pools",
    metadata,
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("first", String(15), nullable=False),
    Column("last", String(15), nullable=False),
    Column("server_address", String(15)),
)

filters = Table(
    "filters",
    metadata,
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("filter", String(48), nullable=False, unique=True),
    *columns(attributes.FILTER_ATTRIBUTES),
)

filter_rules = Table(
    "filter_rules",
    metadata,
    Column("filter", String(48), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    *columns(attributes.RULE_ATTRIBUTES),
)


def _list_table(of: EntryList) -> Table:
    return Table(
        of.table,
        metadata,
        Column("position", Integer, primary_key=True, autoincrement=False),
        Column("name", String(254), nullable=False, unique=True),
        *columns(of.attributes),
    )


# The lists of settings/entries.py.
lists: Mapping[str, Table] = {table: _list_table(of) for table, of in LISTS.items()}

# One row.
base_group = Table(
    "base_group",
    metadata,
    Column("id", Integer, primary_key=True),
    *columns(attributes.at(Level.BASE)),
)

groups = Table(
    "groups",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(32), nullable=False, unique=True),
    Column("type", String(16), nullable=False),
    Column("password", LargeBinary),
    *columns(attributes.at(Level.GROUP)),
)

users = Table(
    "users",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(64), nullable=False, unique=True),
    Column("group_id", Integer, ForeignKey("groups.id"), index=True),
    Column("password", LargeBinary, nullable=False),
    Column("address", String(15)),
    Column("netmask", String(15)),
    *columns(attributes.at(Level.USER)),
)
