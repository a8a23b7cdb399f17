"""Sending at Telegram's pace: a switch for each bot, and calls that wait in a queue."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("bots") as table:
        # With a value for the rows that are there; the application gives its own.
        table.add_column(
            sa.Column("keeps_pace", sa.Boolean(), nullable=False, server_default=sa.false())
        )
    op.create_table(
        "send_jobs",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("team_id", sa.String(26), nullable=False),
        sa.Column("bot_id", sa.String(26), nullable=False),
        sa.Column("key_id", sa.String(26), nullable=False),
        sa.Column("consumer_id", sa.String(26), nullable=False),
        sa.Column("method", sa.String(64), nullable=False),
        sa.Column("query", sa.String(), nullable=False),
        sa.Column("content_type", sa.String(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.Column("chat", sa.String(64), nullable=False),
        sa.Column("token", sa.String(64), nullable=True),
        sa.Column("fingerprint", sa.String(64), nullable=True),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("lease_owner", sa.String(26), nullable=True),
        sa.Column("leased_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("answer", sa.LargeBinary(), nullable=True),
        sa.Column("error", sa.String(32), nullable=True),
        sa.ForeignKeyConstraint(
            ["bot_id"], ["bots.id"], name="fk_send_jobs_bot_id_bots", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("seq", name="pk_send_jobs"),
        sa.UniqueConstraint("id", name="uq_send_jobs_id"),
    )
    op.create_index(
        "ix_send_jobs_state_bot_id_chat_seq", "send_jobs", ["state", "bot_id", "chat", "seq"]
    )
    op.create_index("ix_send_jobs_bot_id", "send_jobs", ["bot_id"])
    op.create_index("ix_send_jobs_key_id_token", "send_jobs", ["key_id", "token"])
    op.create_index("ix_send_jobs_finished_at", "send_jobs", ["finished_at"])


def downgrade() -> None:
    op.drop_table("send_jobs")
    with op.batch_alter_table("bots") as table:
        table.drop_column("keeps_pace")
