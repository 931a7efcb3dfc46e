"""Networks behind users."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("users", sa.Column("static_routes", sa.String))


def downgrade() -> None:
    op.drop_column("users", "static_routes")
