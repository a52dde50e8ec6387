"""Decisions and outcomes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    number = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.create_table(
        "decisions",
        sa.Column("number", number, primary_key=True, comment="order of recording"),
        sa.Column("decision_id", sa.String(128), nullable=False, unique=True),
        sa.Column("payment_id", sa.String(128), nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column(
            "decided_at_us", sa.BigInteger, nullable=False, comment="microseconds since 1970, UTC"
        ),
        sa.Column("route", sa.String(128), nullable=False),
        sa.Column("delay_s", sa.BigInteger, nullable=False),
        sa.Column("propensity", sa.Double, nullable=False),
        sa.Column("policy", sa.String(128), nullable=False),
        sa.Column("model_sha256", sa.String(64)),
        sa.Column("fallback", sa.Text),
        sa.Column(
            "salt", sa.String(64), nullable=False, comment="of the hash that drew the action"
        ),
        sa.Column("request", sa.Text, nullable=False, comment="JSON in a canonical form"),
        sa.Column(
            "answer", sa.Text, nullable=False, comment="JSON, byte for byte as it was answered"
        ),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_decisions_payment_id", "decisions", ["payment_id"])
    op.create_table(
        "outcomes",
        sa.Column("number", number, primary_key=True, comment="order of recording"),
        sa.Column("decision_id", sa.String(128), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False, comment="of the outcome"),
        sa.Column(
            "received_at_us", sa.BigInteger, nullable=False, comment="microseconds since 1970, UTC"
        ),
        sa.Column("outcome", sa.Text, nullable=False, comment="JSON in a canonical form"),
        sa.UniqueConstraint("decision_id", "sha256", name="uq_outcomes_decision_id_sha256"),
        sqlite_autoincrement=True,
    )


def downgrade() -> None:
    op.drop_table("outcomes")
    op.drop_table("decisions")
