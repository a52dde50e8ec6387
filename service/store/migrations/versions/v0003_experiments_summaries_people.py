"""Experiments and their arms, summaries, findings, reports, people and alarms on their way."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_US = "microseconds since 1970, UTC"


def upgrade() -> None:
    _alter_decisions()
    _alter_outcomes()
    number = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.create_table(
        "watchers",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("holder", sa.String(128), comment="process that watches now"),
        sa.Column("held_until_us", sa.BigInteger, comment=_US),
        sa.Column(
            "cursor", sa.Text, nullable=False, comment="JSON: how far the summaries have read"
        ),
    )
    op.create_table(
        "summaries",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("span_s", sa.Integer, primary_key=True, comment="length of the span of time"),
        sa.Column(
            "cut", sa.String(32), primary_key=True, comment="what is told apart, such as issuer"
        ),
        sa.Column(
            "start_us", sa.BigInteger, primary_key=True, comment=f"of the span of time; {_US}"
        ),
        sa.Column(
            "value",
            sa.String(260),
            primary_key=True,
            comment="of the cut, such as the issuer's name",
        ),
        sa.Column("route", sa.String(128), primary_key=True),
        sa.Column("decisions", sa.BigInteger, nullable=False),
        sa.Column(
            "attempts", sa.BigInteger, nullable=False, comment="decisions that were not to stop"
        ),
        sa.Column(
            "answered", sa.BigInteger, nullable=False, comment="attempts whose outcome is known"
        ),
        sa.Column("approved", sa.BigInteger, nullable=False),
        sa.Column("first_answered", sa.BigInteger, nullable=False, comment="of first attempts"),
        sa.Column("first_approved", sa.BigInteger, nullable=False),
        sa.Column(
            "payments", sa.BigInteger, nullable=False, comment="whose first attempt lies in it"
        ),
        sa.Column(
            "payments_paid", sa.BigInteger, nullable=False, comment="of those, by whichever attempt"
        ),
        sa.Column("fallbacks", sa.BigInteger, nullable=False),
        sa.Column("charged_back", sa.BigInteger, nullable=False),
        sa.Column(
            "propensity_ppm",
            sa.BigInteger,
            nullable=False,
            comment="sum of propensities, millionths",
        ),
        sa.Column(
            "approved_minor",
            sa.BigInteger,
            nullable=False,
            comment="only where the cut is currency",
        ),
        sa.Column(
            "refunded_minor",
            sa.BigInteger,
            nullable=False,
            comment="only where the cut is currency",
        ),
        sa.Column(
            "fees_minor", sa.BigInteger, nullable=False, comment="only where the cut is currency"
        ),
        sqlite_with_rowid=False,
        postgresql_with={"fillfactor": 70},
    )
    op.create_table(
        "summary_values",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("cut", sa.String(32), primary_key=True),
        sa.Column("value", sa.String(260), primary_key=True),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "findings",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column(
            "kind", sa.String(32), primary_key=True, comment="such as experiment, canary, shadow"
        ),
        sa.Column("subject", sa.String(128), primary_key=True),
        sa.Column("found_at_us", sa.BigInteger, nullable=False, comment=_US),
        sa.Column("content", sa.Text, nullable=False, comment="JSON"),
    )
    op.create_table(
        "shadowed",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("decision", number, primary_key=True, comment="number of the decision"),
        sa.Column("shadow", sa.String(128), primary_key=True, comment="name of the shadow policy"),
        sa.Column(
            "probability", sa.Double, nullable=False, comment="that it gave to what was done"
        ),
        sa.Column(
            "route", sa.String(128), nullable=False, comment="of the action that it preferred"
        ),
        sa.Column("delay_s", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "reports",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("sha256", sa.String(64), primary_key=True, comment="of the page"),
        sa.Column(
            "kind", sa.String(32), nullable=False, comment="evaluation, gate, experiment, behaviour"
        ),
        sa.Column("title", sa.String(256), nullable=False),
        sa.Column("added_at_us", sa.BigInteger, nullable=False, comment=_US),
        sa.Column("added_by", sa.String(128), nullable=False),
        sa.Column("summary", sa.Text, nullable=False, comment="JSON: the figures that matter"),
        sa.Column("page", sa.LargeBinary, nullable=False, comment="HTML, whole"),
    )
    op.create_table(
        "users",
        sa.Column("username", sa.String(64), primary_key=True),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("role", sa.String(16), nullable=False, comment="viewer, operator or admin"),
        sa.Column(
            "password_hash", sa.Text, nullable=False, comment="argon2id, with its settings and salt"
        ),
        sa.Column("created_at_us", sa.BigInteger, nullable=False, comment=_US),
        sa.Column("disabled_at_us", sa.BigInteger, comment=_US),
        sa.Column("failures", sa.Integer, nullable=False, comment="wrong passwords in a row"),
        sa.Column("locked_until_us", sa.BigInteger, comment=_US),
    )
    op.create_table(
        "sessions",
        sa.Column("sha256", sa.String(64), primary_key=True, comment="of the token in the cookie"),
        sa.Column("username", sa.String(64), nullable=False),
        sa.Column("created_at_us", sa.BigInteger, nullable=False, comment=_US),
        sa.Column("seen_at_us", sa.BigInteger, nullable=False, comment=_US),
        sa.Column("ends_at_us", sa.BigInteger, nullable=False, comment=_US),
    )
    op.create_table(
        "deliveries",
        sa.Column("number", number, primary_key=True, comment="order of raising"),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("channel", sa.String(64), nullable=False, comment="name of a webhook or mailbox"),
        sa.Column(
            "change", number, nullable=False, comment="number of the alarm among the changes"
        ),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("next_try_us", sa.BigInteger, nullable=False, comment=_US),
        sa.Column("delivered_at_us", sa.BigInteger, comment=_US),
        sa.Column("fault", sa.Text, comment="why the last try failed"),
        sa.UniqueConstraint(
            "tenant", "channel", "change", name="uq_deliveries_tenant_channel_change"
        ),
        sqlite_autoincrement=True,
    )


def _alter_decisions() -> None:
    with op.batch_alter_table("decisions", **_numbered_on()) as table:
        for name, what in (
            ("experiment", "experiment or canary that it was part of"),
            ("arm", "whose policy decided"),
        ):
            table.add_column(sa.Column(name, sa.String(128), comment=what))
    op.create_index("ix_decisions_tenant_decided_at_us", "decisions", ["tenant", "decided_at_us"])


def _alter_outcomes() -> None:
    with op.batch_alter_table("outcomes", **_numbered_on()):
        pass


def _numbered_on() -> dict[str, Any]:
    """Version 0002 lost it that SQLite gives no number twice, even where the last row is gone."""
    if op.get_bind().dialect.name != "sqlite":
        return {}
    return {"recreate": "always", "table_kwargs": {"sqlite_autoincrement": True}}
