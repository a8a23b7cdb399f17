"""Figures: calls and deliveries, counted in steps of five minutes and of an hour."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "request_figures",
        sa.Column("team_id", sa.String(26), nullable=False),
        sa.Column("about", sa.String(length=8), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("subject_id", sa.String(26), nullable=False),
        sa.Column("source", sa.String(length=8), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("calls", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "team_id",
            "about",
            "step",
            "at",
            "subject_id",
            "source",
            "status",
            name="pk_request_figures",
        ),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_request_figures_step_at", "request_figures", ["step", "at"])
    op.create_table(
        "delivery_figures",
        sa.Column("endpoint_id", sa.String(26), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "outcome",
            sa.Enum(
                "delivered", "failed", "given_up", name="outcome", native_enum=False, length=16
            ),
            nullable=False,
        ),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("milliseconds", sa.BigInteger(), nullable=False),
        sa.Column("slowest", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["endpoint_id"],
            ["endpoints.id"],
            name="fk_delivery_figures_endpoint_id_endpoints",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("endpoint_id", "step", "at", "outcome", name="pk_delivery_figures"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_delivery_figures_step_at", "delivery_figures", ["step", "at"])
    op.create_index("ix_request_log_team_id_method_id", "request_log", ["team_id", "method", "id"])
    op.create_index(
        "ix_deliveries_replays",
        "deliveries",
        ["update_seq"],
        sqlite_where=sa.text("origin_id IS NOT NULL"),
        postgresql_where=sa.text("origin_id IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index("ix_deliveries_replays", "deliveries")
    op.drop_index("ix_request_log_team_id_method_id", "request_log")
    op.drop_table("delivery_figures")
    op.drop_table("request_figures")
