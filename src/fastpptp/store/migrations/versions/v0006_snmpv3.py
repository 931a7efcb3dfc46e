"""Users of SNMPv3 at trap destinations."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

COLUMNS = {
    "user": sa.String,
    "authentication": sa.String,
    "authentication_password": sa.LargeBinary,
    "privacy_password": sa.LargeBinary,
}


def upgrade() -> None:
    for name, kind in COLUMNS.items():
        op.add_column("trap_destinations", sa.Column(name, kind))


def downgrade() -> None:
    for name in COLUMNS:
        op.drop_column("trap_destinations", name)
