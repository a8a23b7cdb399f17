"""Queued calls that a receiver's answer asked for, and how much the queue of a bot holds."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("send_jobs") as table:
        table.add_column(sa.Column("endpoint_id", sa.String(26), nullable=True))
        # With a value for the rows that are there; the application gives its own.
        table.add_column(sa.Column("size", sa.Integer(), nullable=False, server_default="0"))
    op.execute("UPDATE send_jobs SET size = length(body) WHERE body IS NOT NULL")
    op.drop_index("ix_send_jobs_bot_id", table_name="send_jobs")
    op.create_index("ix_send_jobs_bot_id_state_size", "send_jobs", ["bot_id", "state", "size"])
    is_answer = sa.text("endpoint_id IS NOT NULL")
    op.create_index(
        "ix_send_jobs_answers",
        "send_jobs",
        ["finished_at"],
        sqlite_where=is_answer,
        postgresql_where=is_answer,
    )


def downgrade() -> None:
    op.drop_index("ix_send_jobs_answers", table_name="send_jobs")
    op.drop_index("ix_send_jobs_bot_id_state_size", table_name="send_jobs")
    op.create_index("ix_send_jobs_bot_id", "send_jobs", ["bot_id"])
    with op.batch_alter_table("send_jobs") as table:
        table.drop_column("size")
        table.drop_column("endpoint_id")
