"""Which process holds each program's long poll; how many messages a queued call sends."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("consumers") as table:
        table.add_column(sa.Column("holder", sa.String(26), nullable=True))
    with op.batch_alter_table("send_jobs") as table:
        # With a value for the rows that are there; the application gives its own.
        table.add_column(sa.Column("messages", sa.Integer(), nullable=False, server_default="1"))


def downgrade() -> None:
    with op.batch_alter_table("send_jobs") as table:
        table.drop_column("messages")
    with op.batch_alter_table("consumers") as table:
        table.drop_column("holder")
