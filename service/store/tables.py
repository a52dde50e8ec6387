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
    Column("experiment", String(128), comment="experiment or canary that it was part of"),
    Column("arm", String(128), comment="whose policy decided"),
    UniqueConstraint("tenant", "decision_id", name="uq_decisions_tenant_decision_id"),
    Index("ix_decisions_tenant_payment_id", "tenant", "payment_id"),
    Index("ix_decisions_tenant_decided_at_us", "tenant", "decided_at_us"),
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

watchers = Table(
    "watchers",
    metadata,
    Column("tenant", String(64), primary_key=True),
    Column("holder", String(128), comment="process that watches now"),
    Column("held_until_us", BigInteger, comment=_US),
    Column("cursor", Text, nullable=False, comment="JSON: how far the summaries have read"),
)
"""The one process that adds up, judges and raises alarms for a merchant."""

summaries = Table(
    "summaries",
    metadata,
    Column("tenant", String(64), primary_key=True),
    Column("span_s", Integer, primary_key=True, comment="length of the span of time"),
    Column("cut", String(32), primary_key=True, comment="what is told apart, such as issuer"),
    Column("start_us", BigInteger, primary_key=True, comment=f"of the span of time; {_US}"),
    Column("value", String(260), primary_key=True, comment="of the cut, such as the issuer's name"),
    Column("route", String(128), primary_key=True),
    Column("decisions", BigInteger, nullable=False),
    Column("attempts", BigInteger, nullable=False, comment="decisions that were not to stop"),
    Column("answered", BigInteger, nullable=False, comment="attempts whose outcome is known"),
    Column("approved", BigInteger, nullable=False),
    Column("first_answered", BigInteger, nullable=False, comment="of first attempts"),
    Column("first_approved", BigInteger, nullable=False),
    Column("payments", BigInteger, nullable=False, comment="whose first attempt lies in it"),
    Column("payments_paid", BigInteger, nullable=False, comment="of those, by whichever attempt"),
    Column("fallbacks", BigInteger, nullable=False),
    Column("charged_back", BigInteger, nullable=False),
    Column("propensity_ppm", BigInteger, nullable=False, comment="sum of propensities, millionths"),
    Column("approved_minor", BigInteger, nullable=False, comment="only where the cut is currency"),
    Column("refunded_minor", BigInteger, nullable=False, comment="only where the cut is currency"),
    Column("fees_minor", BigInteger, nullable=False, comment="only where the cut is currency"),
    sqlite_with_rowid=False,
    # Rows are updated in place, again and again.
    postgresql_with={"fillfactor": 70},
)
"""Sums over spans of time, so that a page does not read a million rows."""

summary_values = Table(
    "summary_values",
    metadata,
    Column("tenant", String(64), primary_key=True),
    Column("cut", String(32), primary_key=True),
    Column("value", String(260), primary_key=True),
    sqlite_with_rowid=False,
)
"""The values that each cut tells apart; they are never taken away, and others are added up together
once there are too many."""

findings = Table(
    "findings",
    metadata,
    Column("tenant", String(64), primary_key=True),
    Column("kind", String(32), primary_key=True, comment="such as experiment, canary, shadow"),
    Column("subject", String(128), primary_key=True),
    Column("found_at_us", BigInteger, nullable=False, comment=_US),
    Column("content", Text, nullable=False, comment="JSON"),
)
"""What was found when it was last looked for."""

shadowed = Table(
    "shadowed",
    metadata,
    Column("tenant", String(64), primary_key=True),
    Column("decision", _Number, primary_key=True, comment="number of the decision"),
    Column("shadow", String(128), primary_key=True, comment="name of the shadow policy"),
    Column("probability", Double, nullable=False, comment="that it gave to what was done"),
    Column("route", String(128), nullable=False, comment="of the action that it preferred"),
    Column("delay_s", BigInteger, nullable=False),
)
"""What a shadow policy would have done, decision by decision."""

reports = Table(
    "reports",
    metadata,
    Column("tenant", String(64), primary_key=True),
    Column("sha256", String(64), primary_key=True, comment="of the page"),
    Column("kind", String(32), nullable=False, comment="evaluation, gate, experiment, behaviour"),
    Column("title", String(256), nullable=False),
    Column("added_at_us", BigInteger, nullable=False, comment=_US),
    Column("added_by", String(128), nullable=False),
    Column("summary", Text, nullable=False, comment="JSON: the figures that matter"),
    Column("page", LargeBinary, nullable=False, comment="HTML, whole"),
)
"""The archive of reports."""

users = Table(
    "users",
    metadata,
    Column("username", String(64), primary_key=True),
    Column("tenant", String(64), nullable=False),
    Column("role", String(16), nullable=False, comment="viewer, operator or admin"),
    Column("password_hash", Text, nullable=False, comment="argon2id, with its settings and salt"),
    Column("created_at_us", BigInteger, nullable=False, comment=_US),
    Column("disabled_at_us", BigInteger, comment=_US),
    Column("failures", Integer, nullable=False, comment="wrong passwords in a row"),
    Column("locked_until_us", BigInteger, comment=_US),
)
"""People who may sign in to the console."""

sessions = Table(
    "sessions",
    metadata,
    Column("sha256", String(64), primary_key=True, comment="of the token in the cookie"),
    Column("username", String(64), nullable=False),
    Column("created_at_us", BigInteger, nullable=False, comment=_US),
    Column("seen_at_us", BigInteger, nullable=False, comment=_US),
    Column("ends_at_us", BigInteger, nullable=False, comment=_US),
)
"""Who is signed in."""

deliveries = Table(
    "deliveries",
    metadata,
    Column("number", _Number, primary_key=True, comment="order of raising"),
    Column("tenant", String(64), nullable=False),
    Column("channel", String(64), nullable=False, comment="name of a webhook or mailbox"),
    Column("change", _Number, nullable=False, comment="number of the alarm among the changes"),
    Column("tries", Integer, nullable=False),
    Column("next_try_us", BigInteger, nullable=False, comment=_US),
    Column("delivered_at_us", BigInteger, comment=_US),
    Column("fault", Text, comment="why the last try failed"),
    UniqueConstraint("tenant", "channel", "change", name="uq_deliveries_tenant_channel_change"),
    sqlite_autoincrement=True,
)
"""Alarms on their way out, each at least once."""
