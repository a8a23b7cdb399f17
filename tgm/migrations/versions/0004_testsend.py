"""Test send: the chats that were seen, templates and past calls."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "chats",
        sa.Column("bot_id", sa.String(26), nullable=False),
        sa.Column("chat_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("title", sa.String(length=255), nullable=False),
        sa.Column("username", sa.String(length=64), nullable=True),
        sa.Column("words", sa.String(length=400), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["bot_id"], ["bots.id"], name="fk_chats_bot_id_bots", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("bot_id", "chat_id", name="pk_chats"),
    )
    op.create_index("ix_chats_bot_id_last_seen_at", "chats", ["bot_id", "last_seen_at"])
    op.create_table(
        "send_templates",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("team_id", sa.String(26), nullable=False),
        sa.Column("bot_id", sa.String(26), nullable=True),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("method", sa.String(length=64), nullable=False),
        sa.Column("parameters", sa.JSON(), nullable=False),
        sa.Column("made_by", sa.String(length=254), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["team_id"], ["teams.id"], name="fk_send_templates_team_id_teams"),
        sa.ForeignKeyConstraint(
            ["bot_id"], ["bots.id"], name="fk_send_templates_bot_id_bots", ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_send_templates"),
        sa.UniqueConstraint("team_id", "name", name="uq_send_templates_team_id"),
    )
    op.create_index("ix_send_templates_bot_id", "send_templates", ["bot_id"])
    op.create_table(
        "send_history",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("team_id", sa.String(26), nullable=False),
        sa.Column("user_id", sa.String(26), nullable=False),
        sa.Column("bot_id", sa.String(26), nullable=False),
        sa.Column("method", sa.String(length=64), nullable=False),
        sa.Column("parameters", sa.JSON(), nullable=False),
        sa.Column("left_out", sa.JSON(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("milliseconds", sa.Integer(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["team_id"], ["teams.id"], name="fk_send_history_team_id_teams"),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_send_history_user_id_users", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["bot_id"], ["bots.id"], name="fk_send_history_bot_id_bots", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_send_history"),
    )
    op.create_index("ix_send_history_user_id", "send_history", ["user_id", "team_id", "at"])
    op.create_index("ix_send_history_bot_id", "send_history", ["bot_id"])


def downgrade() -> None:
    op.drop_table("send_history")
    op.drop_table("send_templates")
    op.drop_table("chats")
