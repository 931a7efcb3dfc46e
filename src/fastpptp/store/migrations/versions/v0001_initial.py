"""The first schema."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "meta",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("key_check", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "settings",
        sa.Column("section", sa.String(32), primary_key=True),
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("value", sa.JSON, nullable=False),
    )
    op.create_table(
        "event_classes",
        sa.Column("name", sa.String(32), primary_key=True),
        sa.Column("attributes", sa.JSON, nullable=False),
    )
    op.create_table(
        "access_hours",
        sa.Column("name", sa.String(48), primary_key=True),
        sa.Column("spans", sa.JSON, nullable=False),
    )
    op.create_table(
        "pools",
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("first", sa.String(15), nullable=False),
        sa.Column("last", sa.String(15), nullable=False),
        sa.Column("server_address", sa.String(15)),
    )
    op.create_table(
        "groups",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(32), nullable=False, unique=True),
        sa.Column("type", sa.String(16), nullable=False),
        sa.Column("password", sa.LargeBinary),
        sa.Column("attributes", sa.JSON, nullable=False),
    )
    op.create_table(
        "users",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(64), nullable=False, unique=True),
        sa.Column("group_id", sa.Integer, sa.ForeignKey("groups.id"), index=True),
        sa.Column("password", sa.LargeBinary, nullable=False),
        sa.Column("address", sa.String(15)),
        sa.Column("netmask", sa.String(15)),
        sa.Column("attributes", sa.JSON, nullable=False),
    )


def downgrade() -> None:
    for name in ("users", "groups", "pools", "access_hours", "event_classes", "settings", "meta"):
        op.drop_table(name)
