"""The bots' own photos."""

import sqlalchemy as sa
from alembic import op

revision = "0005a"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "bot_photos",
        sa.Column("bot_id", sa.String(26), nullable=False),
        sa.Column("content_type", sa.String(length=16), nullable=True),
        sa.Column("content", sa.LargeBinary(), nullable=True),
        sa.Column("file_unique_id", sa.String(length=64), nullable=True),
        sa.Column("fetched_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["bot_id"], ["bots.id"], name="fk_bot_photos_bot_id_bots", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("bot_id", name="pk_bot_photos"),
    )
    op.create_index("ix_bot_photos_next_at", "bot_photos", ["next_at"])
    # Each bot has a row from the start on: those that are here already are asked about soon.
    op.execute("INSERT INTO bot_photos (bot_id, next_at) SELECT id, created_at FROM bots")


def downgrade() -> None:
    op.drop_table("bot_photos")
