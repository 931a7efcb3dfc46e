"""The tables, as the newest migration leaves them."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Column,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
)

# The newest migration (migrations/versions); a test holds it against the scripts.
HEAD = "0001"

metadata = MetaData()

# One row: `revision` rises with every change, `key_check` tells whether a key file fits.
meta = Table(
    "meta",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("revision", Integer, nullable=False),
    Column("key_check", LargeBinary, nullable=False),
)

# Sections pptp, system, assignment, events and base_group.
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
    Column("attributes", JSON, nullable=False),
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

groups = Table(
    "groups",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(32), nullable=False, unique=True),
    Column("type", String(16), nullable=False),
    Column("password", LargeBinary),
    Column("attributes", JSON, nullable=False),
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
    Column("attributes", JSON, nullable=False),
)
