"""The tables of the store. The migrations beside this module make them."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Double,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData()

# SQLite numbers the rows of an INTEGER PRIMARY KEY itself, but not those of a BIGINT.
_Number = BigInteger().with_variant(Integer, "sqlite")

decisions = Table(
    "decisions",
    metadata,
    Column("number", _Number, primary_key=True, comment="order of recording"),
    Column("decision_id", String(128), nullable=False, unique=True),
    Column("payment_id", String(128), nullable=False, index=True),
    Column("attempt", Integer, nullable=False),
    Column("decided_at_us", BigInteger, nullable=False, comment="microseconds since 1970, UTC"),
    Column("route", String(128), nullable=False),
    Column("delay_s", BigInteger, nullable=False),
    Column("propensity", Double, nullable=False),
    Column("policy", String(128), nullable=False),
    Column("model_sha256", String(64)),
    Column("fallback", Text),
    Column("salt", String(64), nullable=False, comment="of the hash that drew the action"),
    Column("request", Text, nullable=False, comment="JSON in a canonical form"),
    Column("answer", Text, nullable=False, comment="JSON, byte for byte as it was answered"),
    sqlite_autoincrement=True,
)
"""One row per decision, written before it is answered and never changed."""

outcomes = Table(
    "outcomes",
    metadata,
    Column("number", _Number, primary_key=True, comment="order of recording"),
    Column("decision_id", String(128), nullable=False),
    Column("sha256", String(64), nullable=False, comment="of the outcome"),
    Column("received_at_us", BigInteger, nullable=False, comment="microseconds since 1970, UTC"),
    Column("outcome", Text, nullable=False, comment="JSON in a canonical form"),
    UniqueConstraint("decision_id", "sha256", name="uq_outcomes_decision_id_sha256"),
    sqlite_autoincrement=True,
)
"""One row per distinct outcome of a decision, in order of arrival; the decision may come later."""
