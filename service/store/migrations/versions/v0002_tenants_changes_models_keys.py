"""Tenants, deferred decisions, changes, models, keys and learners."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_US = "microseconds since 1970, UTC"


def upgrade() -> None:
    _alter_decisions()
    _alter_outcomes()
    number = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.create_table(
        "activations",
        sa.Column("number", number, primary_key=True, comment="order of recording"),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("decision_id", sa.String(128), nullable=False),
        sa.Column("activated_at_us", sa.BigInteger, nullable=False, comment=_US),
        sa.Column("route", sa.String(128), nullable=False, comment="what the caller did"),
        sa.Column("delay_s", sa.BigInteger, nullable=False),
        sa.Column(
            "propensity",
            sa.Double,
            comment="missing where the caller chose and does not know it",
        ),
        sa.UniqueConstraint("tenant", "decision_id", name="uq_activations_tenant_decision_id"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "changes",
        sa.Column("number", number, primary_key=True, comment="order of recording"),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("changed_at_us", sa.BigInteger, nullable=False, comment=_US),
        sa.Column(
            "actor", sa.String(128), nullable=False, comment="name of the key, or of a command"
        ),
        sa.Column(
            "kind",
            sa.String(32),
            nullable=False,
            comment="such as policy, route, kill, key, model",
        ),
        sa.Column("subject", sa.String(128), nullable=False, comment="such as the route's name"),
        sa.Column("value", sa.Text, nullable=False, comment="JSON: what it is from now on"),
        sa.Column("reason", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "models",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("sha256", sa.String(64), primary_key=True, comment="of the archive of the files"),
        sa.Column(
            "spec",
            sa.String(256),
            nullable=False,
            comment="with {} where the folder of the files stands",
        ),
        sa.Column("added_at_us", sa.BigInteger, nullable=False, comment=_US),
        sa.Column("added_by", sa.String(128), nullable=False),
        sa.Column(
            "lineage",
            sa.Text,
            nullable=False,
            comment="JSON: log, settings, code version, evaluation",
        ),
        sa.Column(
            "probe", sa.Text, nullable=False, comment="JSON: a batch and the probabilities it gets"
        ),
        sa.Column(
            "files", sa.LargeBinary, nullable=False, comment="a tar archive of the model's files"
        ),
    )
    op.create_table(
        "api_keys",
        sa.Column("key_id", sa.String(32), primary_key=True, comment="the public half"),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("name", sa.String(128), nullable=False),
        sa.Column(
            "sha256",
            sa.String(64),
            nullable=False,
            comment="of the secret half, which has 256 bits",
        ),
        sa.Column("scopes", sa.String(256), nullable=False, comment="separated by spaces"),
        sa.Column("per_second", sa.Double, comment="requests allowed; missing: no limit"),
        sa.Column("created_at_us", sa.BigInteger, nullable=False, comment=_US),
        sa.Column("expires_at_us", sa.BigInteger, comment=_US),
        sa.Column("revoked_at_us", sa.BigInteger, comment=_US),
    )
    op.create_table(
        "learners",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("holder", sa.String(128), comment="process that learns now"),
        sa.Column("held_until_us", sa.BigInteger, comment=_US),
        sa.Column("cursor", sa.Text, nullable=False, comment="JSON: what it has learned from"),
        sa.Column("state", sa.LargeBinary, comment="the learner, whole"),
        sa.Column("saved_at_us", sa.BigInteger, comment=_US),
    )


def _alter_decisions() -> None:
    names = {"uq": "uq_%(table_name)s_%(column_0_name)s"}
    # PostgreSQL names an unnamed constraint itself; SQLite gives it no name at all.
    unnamed = (
        "decisions_decision_id_key"
        if op.get_bind().dialect.name == "postgresql"
        else "uq_decisions_decision_id"
    )
    op.drop_index("ix_decisions_payment_id", "decisions")
    with op.batch_alter_table("decisions", naming_convention=names) as table:
        table.add_column(
            sa.Column(
                "tenant",
                sa.String(64),
                nullable=False,
                server_default="default",
                comment="merchant whose decision it is",
            )
        )
        table.add_column(
            sa.Column(
                "deferred",
                sa.Boolean,
                nullable=False,
                server_default=sa.false(),
                comment="counts only once it is activated",
            )
        )
        table.drop_constraint(unnamed, type_="unique")
        table.create_unique_constraint("uq_decisions_tenant_decision_id", ["tenant", "decision_id"])
    op.create_index("ix_decisions_tenant_payment_id", "decisions", ["tenant", "payment_id"])


def _alter_outcomes() -> None:
    with op.batch_alter_table("outcomes") as table:
        table.add_column(
            sa.Column(
                "tenant",
                sa.String(64),
                nullable=False,
                server_default="default",
                comment="merchant who sent it",
            )
        )
        table.drop_constraint("uq_outcomes_decision_id_sha256", type_="unique")
        table.create_unique_constraint(
            "uq_outcomes_tenant_decision_id_sha256", ["tenant", "decision_id", "sha256"]
        )
