"""The tables of the store. The migrations beside this module make them."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData()

# SQLite numbers the rows of an INTEGER PRIMARY KEY itself, but not those of a BIGINT.
_Number = BigInteger().with_variant(Integer, "sqlite")

_US = "microseconds since 1970, UTC"

decisions = Table(
    "decisions",
    metadata,
    Column("number", _Number, primary_key=True, comment="order of recording"),
    Column("decision_id", String(128), nullable=False),
    Column("payment_id", String(128), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("decided_at_us", BigInteger, nullable=False, comment=_US),
    Column("route", String(128), nullable=False),
    Column("delay_s", BigInteger, nullable=False),
    Column("propensity", Double, nullable=False),
    Column("policy", String(128), nullable=False),
    Column("model_sha256", String(64)),
    Column("fallback", Text),
    Column("salt", String(64), nullable=False, comment="of the hash that drew the action"),
    Column("request", Text, nullable=False, comment="JSON in a canonical form"),
    Column("answer", Text, nullable=False, comment="JSON, byte for byte as it was answered"),
    Column("tenant", String(64), nullable=False, comment="merchant whose decision it is"),
    Column("deferred", Boolean, nullable=False, comment="counts only once it is activated"),
    UniqueConstraint("tenant", "decision_id", name="uq_decisions_tenant_decision_id"),
    Index("ix_decisions_tenant_payment_id", "tenant", "payment_id"),
    sqlite_autoincrement=True,
)
"""One row per decision, written before it is answered and never changed."""

outcomes = Table(
    "outcomes",
    metadata,
    Column("number", _Number, primary_key=True, comment="order of recording"),
    Column("decision_id", String(128), nullable=False),
    Column("sha256", String(64), nullable=False, comment="of the outcome"),
    Column("received_at_us", BigInteger, nullable=False, comment=_US),
    Column("outcome", Text, nullable=False, comment="JSON in a canonical form"),
    Column("tenant", String(64), nullable=False, comment="merchant who sent it"),
    UniqueConstraint(
        "tenant", "decision_id", "sha256", name="uq_outcomes_tenant_decision_id_sha256"
    ),
    sqlite_autoincrement=True,
)
"""One row per distinct outcome of a decision, in order of arrival; the decision may come later."""

activations = Table(
    "activations",
    metadata,
    Column("number", _Number, primary_key=True, comment="order of recording"),
    Column("tenant", String(64), nullable=False),
    Column("decision_id", String(128), nullable=False),
    Column("activated_at_us", BigInteger, nullable=False, comment=_US),
    Column("route", String(128), nullable=False, comment="what the caller did"),
    Column("delay_s", BigInteger, nullable=False),
    Column("propensity", Double, comment="missing where the caller chose and does not know it"),
    UniqueConstraint("tenant", "decision_id", name="uq_activations_tenant_decision_id"),
    sqlite_autoincrement=True,
)
"""What was done with a deferred decision; the first one stays."""

changes = Table(
    "changes",
    metadata,
    Column("number", _Number, primary_key=True, comment="order of recording"),
    Column("tenant", String(64), nullable=False),
    Column("changed_at_us", BigInteger, nullable=False, comment=_US),
    Column("actor", String(128), nullable=False, comment="name of the key, or of a command"),
    Column("kind", String(32), nullable=False, comment="such as policy, route, kill, key, model"),
    Column("subject", String(128), nullable=False, comment="such as the route's name"),
    Column("value", Text, nullable=False, comment="JSON: what it is from now on"),
    Column("reason", Text, nullable=False),
    sqlite_autoincrement=True,
)
"""Everything that was ever changed, by whom and why: the audit log, and what is true now is what
the last row of each kind and subject says."""

models = Table(
    "models",
    metadata,
    Column("tenant", String(64), primary_key=True),
    Column("sha256", String(64), primary_key=True, comment="of the archive of the files"),
    Column(
        "spec", String(256), nullable=False, comment="with {} where the folder of the files stands"
    ),
    Column("added_at_us", BigInteger, nullable=False, comment=_US),
    Column("added_by", String(128), nullable=False),
    Column(
        "lineage", Text, nullable=False, comment="JSON: log, settings, code version, evaluation"
    ),
    Column("probe", Text, nullable=False, comment="JSON: a batch and the probabilities it gets"),
    Column("files", LargeBinary, nullable=False, comment="a tar archive of the model's files"),
)
"""The registry: models whole, so that every machine can load them."""

api_keys = Table(
    "api_keys",
    metadata,
    Column("key_id", String(32), primary_key=True, comment="the public half"),
    Column("tenant", String(64), nullable=False),
    Column("name", String(128), nullable=False),
    Column("sha256", String(64), nullable=False, comment="of the secret half, which has 256 bits"),
    Column("scopes", String(256), nullable=False, comment="separated by spaces"),
    Column("per_second", Double, comment="requests allowed; missing: no limit"),
    Column("created_at_us", BigInteger, nullable=False, comment=_US),
    Column("expires_at_us", BigInteger, comment=_US),
    Column("revoked_at_us", BigInteger, comment=_US),
)
"""Who may ask for what. The secret itself is shown once and kept nowhere."""

learners = Table(
    "learners",
    metadata,
    Column("tenant", String(64), primary_key=True),
    Column("name", String(64), primary_key=True),
    Column("holder", String(128), comment="process that learns now"),
    Column("held_until_us", BigInteger, comment=_US),
    Column("cursor", Text, nullable=False, comment="JSON: what it has learned from"),
    Column("state", LargeBinary, comment="the learner, whole"),
    Column("saved_at_us", BigInteger, comment=_US),
)
"""What each learner knows, saved in one transaction with how far it has read."""
