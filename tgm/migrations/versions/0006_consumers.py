"""Consumers: which program has received how much of a bot's updates."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005a"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "consumers",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("bot_id", sa.String(26), nullable=False),
        sa.Column("cursor", sa.BigInteger(), nullable=False),
        sa.Column("kinds", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("polled_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["bot_id"], ["bots.id"], name="fk_consumers_bot_id_bots", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", "bot_id", name="pk_consumers"),
    )
    with op.batch_alter_table("api_keys") as table:
        table.add_column(sa.Column("consumer_id", sa.String(26), nullable=True))
    # With a value for the rows that are there; the application gives its own.
    chosen: sa.Column[bool] = sa.Column(
        "is_acknowledge_chosen", sa.Boolean(), nullable=False, server_default=sa.false()
    )
    with op.batch_alter_table("receptions") as table:
        table.add_column(chosen)
    with op.batch_alter_table("endpoints") as table:
        table.add_column(sa.Column("consumer_id", sa.String(26), nullable=True))
        table.add_column(sa.Column("sealed_secret_token", sa.String(1024), nullable=True))
        table.add_column(sa.Column("max_connections", sa.Integer(), nullable=True))
        table.create_unique_constraint("uq_endpoints_consumer_id", ["consumer_id", "bot_id"])


def downgrade() -> None:
    with op.batch_alter_table("endpoints") as table:
        table.drop_constraint("uq_endpoints_consumer_id", type_="unique")
        for column in ("max_connections", "sealed_secret_token", "consumer_id"):
            table.drop_column(column)
    with op.batch_alter_table("receptions") as table:
        table.drop_column("is_acknowledge_chosen")
    with op.batch_alter_table("api_keys") as table:
        table.drop_column("consumer_id")
    op.drop_table("consumers")
