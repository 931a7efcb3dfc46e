"""Attributes as columns; the base group as a row of its own; the record of changes."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

FLAG, NUMBER, TEXT, WORDS = "flag", "number", "text", "words"
TYPES = {FLAG: sa.Boolean, NUMBER: sa.Integer, TEXT: sa.String, WORDS: sa.String}

ALL = {
    "access_hours": TEXT,
    "simultaneous_logins": NUMBER,
    "idle_timeout": NUMBER,
    "maximum_connect_time": NUMBER,
    "filter": TEXT,
    "tunneling_protocols": WORDS,
    "use_client_address": FLAG,
    "pptp_authentication_protocols": WORDS,
    "pptp_encryption": WORDS,
    "pptp_compression": TEXT,
    "authentication_retries": NUMBER,
}
USERS = {**ALL, "password_expired": FLAG}
GROUPS = {
    **ALL,
    "minimum_password_length": NUMBER,
    "allow_alphabetic_only_passwords": FLAG,
    "primary_dns": TEXT,
    "secondary_dns": TEXT,
    "primary_wins": TEXT,
    "secondary_wins": TEXT,
    "sep_card_assignment": WORDS,
    "strip_realm": FLAG,
    "dhcp_network_scope": TEXT,
}
EVENT_CLASSES = {
    "enable": FLAG,
    "log": TEXT,
    "console": TEXT,
    "syslog": TEXT,
    "email": TEXT,
    "trap": TEXT,
}
TABLES = {"users": USERS, "groups": GROUPS, "event_classes": EVENT_CLASSES}


def upgrade() -> None:
    for table, kinds in TABLES.items():
        for name, kind in kinds.items():
            op.add_column(table, sa.Column(name, TYPES[kind]))
        _spread(table, kinds)
        op.drop_column(table, "attributes")
    op.create_table(
        "base_group",
        sa.Column("id", sa.Integer, primary_key=True),
        *(sa.Column(name, TYPES[kind]) for name, kind in GROUPS.items()),
    )
    _base_group_out_of_settings()
    op.create_table(
        "changes",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("revision", sa.Integer, nullable=False, index=True),
        sa.Column("at", sa.DateTime, nullable=False),
        sa.Column("who", sa.String(64), nullable=False),
        sa.Column("sudo_user", sa.String(64)),
        sa.Column("origin", sa.Text, nullable=False),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("old", sa.Text),
        sa.Column("new", sa.Text),
    )


def downgrade() -> None:
    op.drop_table("changes")
    _base_group_into_settings()
    op.drop_table("base_group")
    for table, kinds in TABLES.items():
        op.add_column(table, sa.Column("attributes", sa.JSON, nullable=False, server_default="{}"))
        _gather(table, kinds)
        for name in kinds:
            op.drop_column(table, name)


def _table(name: str, kinds: dict[str, str]) -> sa.TableClause:
    return sa.table(
        name, sa.column("name"), sa.column("attributes", sa.JSON),
        *(sa.column(own, TYPES[kind]()) for own, kind in kinds.items()),
    )  # fmt: skip


def _settings() -> sa.TableClause:
    return sa.table(
        "settings", sa.column("section"), sa.column("name"), sa.column("value", sa.JSON)
    )


def _row(kinds: dict[str, str], own: dict[str, Any]) -> dict[str, Any]:
    return {
        name: "\n".join(own[name]) if kind == WORDS and name in own else own.get(name)
        for name, kind in kinds.items()
    }


def _own(kinds: dict[str, str], row: sa.RowMapping) -> dict[str, Any]:
    return {
        name: row[name].splitlines() if kind == WORDS else row[name]
        for name, kind in kinds.items()
        if row[name] is not None
    }


def _spread(name: str, kinds: dict[str, str]) -> None:
    """The JSON object of each row into its columns."""
    table, connection = _table(name, kinds), op.get_bind()
    rows = [
        {"key": key} | _row(kinds, own)
        for key, own in connection.execute(sa.select(table.c.name, table.c.attributes))
        if own
    ]
    if rows:
        values: dict[str, Any] = {own: sa.bindparam(own) for own in kinds}
        change = sa.update(table).where(table.c.name == sa.bindparam("key")).values(values)
        connection.execute(change, rows)


def _gather(name: str, kinds: dict[str, str]) -> None:
    table, connection = _table(name, kinds), op.get_bind()
    rows = [
        {"key": row["name"], "attributes": _own(kinds, row)}
        for row in connection.execute(sa.select(table)).mappings()
    ]
    if rows:
        change = sa.update(table).where(table.c.name == sa.bindparam("key"))
        connection.execute(change.values(attributes=sa.bindparam("attributes")), rows)


def _base_group_out_of_settings() -> None:
    settings, connection = _settings(), op.get_bind()
    mine = settings.c.section == "base_group"
    query = sa.select(settings.c.name, settings.c.value).where(mine)
    own = {row.name: row.value for row in connection.execute(query)}
    if own:
        base = _table("base_group", GROUPS)
        connection.execute(sa.insert(base), _row(GROUPS, own))
        connection.execute(sa.delete(settings).where(mine))


def _base_group_into_settings() -> None:
    base, connection = _table("base_group", GROUPS), op.get_bind()
    found = connection.execute(sa.select(*(base.c[name] for name in GROUPS))).mappings().first()
    own = {} if found is None else _own(GROUPS, found)
    rows = [{"section": "base_group", "name": key, "value": own[key]} for key in own]
    if rows:
        connection.execute(sa.insert(_settings()), rows)
