"""The domain's words: the columns that describe a payment before the action, and their values.

Every part of the product that names a context or outcome column (the attempt log, the features, the
live endpoint, the simulator) takes the name and the kind from the tables in this module.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Network(StrEnum):
    """Card network (scheme)."""

    VISA = "visa"
    MASTERCARD = "mastercard"
    AMEX = "amex"
    DISCOVER = "discover"
    DINERS = "diners"
    JCB = "jcb"
    UNIONPAY = "unionpay"
    MAESTRO = "maestro"
    OTHER = "other"


class Funding(StrEnum):
    """Where the money of a card comes from."""

    CREDIT = "credit"
    DEBIT = "debit"
    PREPAID = "prepaid"
    UNKNOWN = "unknown"


class Initiator(StrEnum):
    """Who starts the transaction: the cardholder (CIT) or the merchant (MIT)."""

    CIT = "cit"
    MIT = "mit"


class Kind(StrEnum):
    """How a column is held in memory and on disk.

    ============= ============================ =====================================
    kind          in memory                    on disk (Arrow)
    ============= ============================ =====================================
    ``CATEGORY``  ``Categorical``, -1 missing  dictionary<int32, string>
    ``NUMBER``    float64, NaN missing         float64
    ``INTEGER``   float64, NaN missing         int64 (exact below 2**53)
    ``FLAG``      float64 0/1, NaN missing     bool
    ``REFERENCE`` Arrow strings                string; an opaque id, never a feature
    ``TIME``      datetime64[us], NaT missing  timestamp[us, UTC]
    ============= ============================ =====================================
    """

    CATEGORY = "category"
    NUMBER = "number"
    INTEGER = "integer"
    FLAG = "flag"
    REFERENCE = "reference"
    TIME = "time"


@dataclass(frozen=True, slots=True)
class Field:
    """One column of the attempt log: its name, how it is held, and what it means."""

    name: str
    kind: Kind
    meaning: str
    values: tuple[str, ...] | None = None


CONTEXT_FIELDS: tuple[Field, ...] = (
    Field("merchant_id", Kind.CATEGORY, "the merchant that wants to be paid"),
    Field("card_ref", Kind.REFERENCE, "opaque reference of the card; never a card number"),
    Field("bin", Kind.CATEGORY, "first 6 to 8 digits of the card number"),
    Field("issuer", Kind.CATEGORY, "the bank that issued the card"),
    Field("network", Kind.CATEGORY, "card network", tuple(Network)),
    Field("funding", Kind.CATEGORY, "credit, debit or prepaid", tuple(Funding)),
    Field("issuer_country", Kind.CATEGORY, "country of the issuer"),
    Field("merchant_country", Kind.CATEGORY, "country of the merchant"),
    Field("currency", Kind.CATEGORY, "ISO 4217 code of the amount"),
    Field("amount_minor", Kind.INTEGER, "amount in minor units of the currency"),
    Field("mcc", Kind.CATEGORY, "merchant category code"),
    Field(
        "initiator", Kind.CATEGORY, "cit: by the cardholder; mit: by the merchant", tuple(Initiator)
    ),
    Field("token", Kind.FLAG, "a network token is used instead of the PAN"),
    Field("three_ds", Kind.FLAG, "the cardholder was authenticated by 3-D Secure"),
    Field("local_hour", Kind.INTEGER, "hour of the day (0-23) where the cardholder is"),
    Field("local_day", Kind.INTEGER, "ISO day of the week (1 Monday - 7 Sunday) there"),
    Field("previous_route", Kind.CATEGORY, "route of the payment's previous attempt"),
    Field("previous_response_code", Kind.CATEGORY, "response code of the previous attempt"),
    Field("previous_advice_code", Kind.CATEGORY, "merchant advice code of the previous attempt"),
    Field("seconds_since_first_attempt", Kind.INTEGER, "seconds since the payment's first attempt"),
    Field("seconds_since_last_attempt", Kind.INTEGER, "seconds since the payment's last attempt"),
    Field(
        "card_declines_24h",
        Kind.INTEGER,
        "declined attempts with the card in the last 24 hours, those of other payments included",
    ),
    Field(
        "card_attempts_30d",
        Kind.INTEGER,
        "attempts with the same card, merchant, amount and initiator in the last 30 days",
    ),
    Field(
        "seconds_to_deadline",
        Kind.INTEGER,
        "seconds until the payment is of no more use, such as the end of a subscription's grace",
    ),
    Field("fraud_score", Kind.NUMBER, "probability of fraud, by the merchant's own model (0-1)"),
    Field(
        "churn_value_minor",
        Kind.INTEGER,
        "what is lost with the subscription if it is not paid, minor units of the currency",
    ),
)
"""All that is known before the action is chosen. A user's own columns start with ``x_``."""

OUTCOME_FIELDS: tuple[Field, ...] = (
    Field("approved", Kind.FLAG, "the issuer approved; missing while the outcome is not known"),
    Field("response_code", Kind.CATEGORY, "ISO 8583 response code"),
    Field("advice_code", Kind.CATEGORY, "merchant advice code"),
    Field("latency_ms", Kind.NUMBER, "time the route took to answer, milliseconds"),
    Field("fee_minor", Kind.INTEGER, "fees of this attempt, minor units of the currency"),
    Field("outcome_at", Kind.TIME, "when the outcome became known, UTC"),
    Field("refunded_minor", Kind.INTEGER, "amount paid back later, minor units of the currency"),
    Field("charged_back", Kind.FLAG, "a chargeback came; missing while it may still come"),
    Field("corrected_at", Kind.TIME, "when the outcome was last corrected, UTC"),
    Field("reward", Kind.NUMBER, "reward as the writer of the log defined it"),
)
"""What came back."""

CUSTOM_PREFIX = "x_"
"""Prefix of context columns that the user adds: strings are categories, numbers are numbers."""

CONTEXT_BY_NAME = {field.name: field for field in CONTEXT_FIELDS}
OUTCOME_BY_NAME = {field.name: field for field in OUTCOME_FIELDS}
