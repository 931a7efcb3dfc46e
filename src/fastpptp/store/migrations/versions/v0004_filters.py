"""Traffic filters and their rules."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "filters",
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("filter", sa.String(48), nullable=False, unique=True),
        sa.Column("description", sa.String),
        sa.Column("default_action", sa.String),
        sa.Column("source_routing", sa.Boolean),
        sa.Column("fragments", sa.Boolean),
    )
    op.create_table(
        "filter_rules",
        sa.Column("filter", sa.String(48), primary_key=True),
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("name", sa.String),
        sa.Column("direction", sa.String),
        sa.Column("action", sa.String),
        sa.Column("protocol", sa.String),
        sa.Column("tcp_connection", sa.String),
        sa.Column("source_address", sa.String),
        sa.Column("destination_address", sa.String),
        sa.Column("source_port", sa.String),
        sa.Column("destination_port", sa.String),
        sa.Column("icmp_type", sa.String),
        sa.Column("icmp_code", sa.String),
    )


def downgrade() -> None:
    op.drop_table("filter_rules")
    op.drop_table("filters")
