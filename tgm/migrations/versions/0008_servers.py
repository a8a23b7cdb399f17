"""Bots at Bot API servers of their own, and their moves from one to another."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("bots") as table:
        table.add_column(sa.Column("api_base_url", sa.String(500), nullable=True))
    op.create_table(
        "bot_moves",
        sa.Column("bot_id", sa.String(26), nullable=False),
        sa.Column("step", sa.String(16), nullable=False),
        sa.Column("old_url", sa.String(500), nullable=True),
        sa.Column("new_url", sa.String(500), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("leased_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("problem", sa.String(16), nullable=True),
        sa.Column("problem_text", sa.String(1000), nullable=True),
        sa.ForeignKeyConstraint(
            ["bot_id"], ["bots.id"], name="fk_bot_moves_bot_id_bots", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("bot_id", name="pk_bot_moves"),
    )


def downgrade() -> None:
    op.drop_table("bot_moves")
    with op.batch_alter_table("bots") as table:
        table.drop_column("api_base_url")
