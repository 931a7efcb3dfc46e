"""Syslog servers, SMTP servers, email recipients and trap destinations."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

LISTS: dict[str, dict[str, type[Any]]] = {
    "syslog_servers": {
        "server": sa.String, "port": sa.Integer, "facility": sa.String, "transport": sa.String,
    },
    "smtp_servers": {
        "server": sa.String, "port": sa.Integer, "security": sa.String, "user": sa.String,
        "password": sa.LargeBinary,
    },
    "email_recipients": {"max_severity": sa.Integer},
    "trap_destinations": {
        "destination": sa.String, "snmp_version": sa.String, "community": sa.LargeBinary,
        "port": sa.Integer,
    },
}  # fmt: skip


def upgrade() -> None:
    for table, columns in LISTS.items():
        op.create_table(
            table,
            sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
            sa.Column("name", sa.String(254), nullable=False, unique=True),
            *(sa.Column(name, kind) for name, kind in columns.items()),
        )


def downgrade() -> None:
    for table in LISTS:
        op.drop_table(table)
