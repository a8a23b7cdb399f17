"""The relay: how bots receive, endpoints, updates, deliveries and attempts."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "endpoints",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("bot_id", sa.String(26), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("url", sa.String(length=2048), nullable=False),
        sa.Column("kinds", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("sealed_secret", sa.String(length=512), nullable=False),
        sa.Column("sealed_old_secret", sa.String(length=512), nullable=True),
        sa.Column("old_secret_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("takes_answers", sa.Boolean(), nullable=False),
        sa.Column("paused_because", sa.String(length=16), nullable=True),
        sa.Column("paused_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failing_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("drain_until_seq", sa.BigInteger(), nullable=True),
        sa.Column("last_error", sa.String(length=255), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["bot_id"], ["bots.id"], name="fk_endpoints_bot_id_bots", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_endpoints"),
    )
    op.create_index("ix_endpoints_bot_id", "endpoints", ["bot_id"])
    op.create_table(
        "receptions",
        sa.Column("bot_id", sa.String(26), nullable=False),
        sa.Column(
            "mode",
            sa.Enum("webhook", "polling", name="mode", native_enum=False, length=16),
            nullable=False,
        ),
        sa.Column("path_digest", sa.String(length=64), nullable=True),
        sa.Column("secret_digest", sa.String(length=64), nullable=True),
        sa.Column("allowed_updates", sa.JSON(), nullable=False),
        sa.Column("max_connections", sa.Integer(), nullable=False),
        sa.Column(
            "acknowledge",
            sa.Enum(
                "at_once",
                "after_delivery",
                "never",
                name="acknowledge",
                native_enum=False,
                length=16,
            ),
            nullable=False,
        ),
        sa.Column("offset", sa.BigInteger(), nullable=True),
        sa.Column("lease_owner", sa.String(length=26), nullable=True),
        sa.Column("leased_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("is_paused", sa.Boolean(), nullable=False),
        sa.Column("problem", sa.String(length=32), nullable=True),
        sa.Column("problem_text", sa.String(length=1000), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["bot_id"], ["bots.id"], name="fk_receptions_bot_id_bots", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("bot_id", name="pk_receptions"),
        sa.UniqueConstraint("path_digest", name="uq_receptions_path_digest"),
    )
    op.create_table(
        "updates",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("bot_id", sa.String(26), nullable=False),
        sa.Column("update_id", sa.BigInteger(), nullable=False),
        sa.Column("is_test", sa.Boolean(), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("queue", sa.String(length=32), nullable=False),
        sa.Column("chat_id", sa.BigInteger(), nullable=True),
        sa.Column("user_id", sa.BigInteger(), nullable=True),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["bot_id"], ["bots.id"], name="fk_updates_bot_id_bots", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("seq", name="pk_updates"),
        sa.UniqueConstraint("bot_id", "update_id", "is_test", name="uq_updates_bot_id"),
    )
    op.create_index("ix_updates_bot_id_seq", "updates", ["bot_id", "seq"])
    op.create_index("ix_updates_received_at", "updates", ["received_at"])
    op.create_table(
        "deliveries",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("endpoint_id", sa.String(26), nullable=False),
        sa.Column("bot_id", sa.String(26), nullable=False),
        sa.Column(
            "update_seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("queue", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "due", "claimed", "delivered", "dead", name="state", native_enum=False, length=16
            ),
            nullable=False,
        ),
        sa.Column("attempts_made", sa.Integer(), nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("holds_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lease_owner", sa.String(length=26), nullable=True),
        sa.Column("leased_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("origin_id", sa.String(26), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_status", sa.Integer(), nullable=True),
        sa.Column("last_error", sa.String(length=255), nullable=True),
        sa.ForeignKeyConstraint(
            ["endpoint_id"],
            ["endpoints.id"],
            name="fk_deliveries_endpoint_id_endpoints",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["update_seq"],
            ["updates.seq"],
            name="fk_deliveries_update_seq_updates",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("seq", name="pk_deliveries"),
        sa.UniqueConstraint("id", name="uq_deliveries_id"),
    )
    op.create_index("ix_deliveries_bot_id_seq", "deliveries", ["bot_id", "seq"])
    op.create_index("ix_deliveries_due", "deliveries", ["state", "next_at"])
    op.create_index("ix_deliveries_endpoint_id_seq", "deliveries", ["endpoint_id", "seq"])
    op.create_index("ix_deliveries_order", "deliveries", ["endpoint_id", "state", "queue", "seq"])
    op.create_index("ix_deliveries_update_seq", "deliveries", ["update_seq"])
    op.create_table(
        "attempts",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "delivery_seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("milliseconds", sa.Integer(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("error", sa.String(length=64), nullable=True),
        sa.Column("signature", sa.String(length=80), nullable=False),
        sa.Column("response_headers", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("response_body", sa.LargeBinary(), nullable=True),
        sa.Column("called", sa.String(length=255), nullable=True),
        sa.ForeignKeyConstraint(
            ["delivery_seq"],
            ["deliveries.seq"],
            name="fk_attempts_delivery_seq_deliveries",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_attempts"),
    )
    op.create_index("ix_attempts_delivery_seq", "attempts", ["delivery_seq", "number"])


def downgrade() -> None:
    op.drop_table("attempts")
    op.drop_table("deliveries")
    op.drop_table("updates")
    op.drop_table("receptions")
    op.drop_table("endpoints")
