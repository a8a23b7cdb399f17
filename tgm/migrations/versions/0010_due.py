"""An index by which an endpoint with nothing due costs nothing, whatever waits at others."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    is_due = sa.text("state = 'due'")
    op.create_index(
        "ix_deliveries_endpoint_due",
        "deliveries",
        ["endpoint_id", "next_at"],
        sqlite_where=is_due,
        postgresql_where=is_due,
    )


def downgrade() -> None:
    op.drop_index("ix_deliveries_endpoint_due", table_name="deliveries")
