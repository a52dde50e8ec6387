"""Figures of a log that can be counted by hand."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest

from authopt.batch import Categorical, LoggedBatch
from simulator.calibration.measure import measured
from simulator.calibration.published import PUBLISHED

HOUR, DAY = 3_600, 86_400

ROWS = (
    # payment, attempt, hours, initiator, funding, token, response code, advice code
    ("a", 1, 0, "cit", "credit", 0, "00", None),
    ("b", 1, 0, "cit", "credit", 0, "59", None),
    ("c", 1, 0, "cit", "credit", 1, "00", None),
    ("d", 1, 0, "cit", "credit", 1, "00", None),
    ("e", 1, 0, "mit", "credit", 0, "51", None),
    ("e", 2, 30, "mit", "credit", 0, "00", None),
    ("f", 1, 0, "mit", "prepaid", 0, "51", None),
    ("f", 2, 24, "mit", "prepaid", 0, "51", None),
    ("f", 3, 72, "mit", "prepaid", 0, "05", None),
    ("f", 4, 11 * 24, "mit", "prepaid", 0, "00", None),
    ("g", 1, 0, "mit", "credit", 0, "54", None),
    ("h", 1, 0, "mit", "credit", 0, "79", "03"),
    ("i", 1, 0, "mit", "credit", 0, "83", "01"),
    ("i", 2, 1, "mit", "credit", 0, "00", None),
    ("j", 1, 0, "mit", "credit", 0, "00", None),
    ("k", 1, 0, "mit", "prepaid", 0, "00", None),
)


def log() -> LoggedBatch:
    n = len(ROWS)
    payment, attempt, hours, initiator, funding, token, response, advice = zip(*ROWS, strict=True)
    at = np.datetime64("2026-01-05", "us") + np.array(hours) * np.timedelta64(1, "h")
    same = Categorical.from_values(["x"] * n)
    approved = np.array([code == "00" for code in response], np.float64)
    return LoggedBatch(
        decision_id=pa.array([f"{p}-{a}" for p, a in zip(payment, attempt, strict=True)]),
        payment_id=pa.array(payment),
        attempt=np.array(attempt, np.int32),
        decided_at=at,
        context={
            "merchant_id": same,
            "network": same,
            "issuer_country": same,
            "initiator": Categorical.from_values(initiator),
            "funding": Categorical.from_values(funding),
            "token": np.array(token, np.float64),
            "three_ds": np.zeros(n),
        },
        routes=("r", "stop"),
        action_route=np.zeros(n, np.int32),
        action_delay_s=np.zeros(n, np.int64),
        offsets=np.arange(n + 1, dtype=np.int64),
        chosen=np.zeros(n, np.int64),
        propensity=np.ones(n),
        reward=approved,
        outcome={
            "approved": approved,
            "response_code": Categorical.from_values(response),
            "advice_code": Categorical.from_values(advice),
            "outcome_at": at,
        },
    )


FOUND = measured(log())


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("checkout_declined", 1 / 4),
        ("subscription_declined", 5 / 7),
        ("subscription_to_checkout", (5 / 7) / (1 / 4)),
        ("prepaid_to_credit", (1 / 2) / (4 / 5)),
        ("no_funds", 2 / 6),
        ("suspected", 1 / 6),
        ("generic", 1 / 8),
        ("hard", 2 / 5),
        ("recovered", 3 / 5),
        ("recovered_within_10_days", 2 / 3),
        ("recovered_day_2_to_12", 1.0),
        ("recovered_by_first_retry", 2 / 5),
        ("recovered_by_3_retries", 3 / 5),
        ("recovered_by_5_retries", 3 / 5),
        ("no_funds_recovered", 1.0),
        ("no_funds_to_all_recovered", 1.0 / (3 / 5)),
        ("expired_recovered", 0.0),
    ],
)
def test_a_figure_is_what_counting_gives(key: str, value: float) -> None:
    assert FOUND[key] == pytest.approx(value)


def test_tokens_are_compared_among_payments_that_are_alike() -> None:
    # Checkouts: 2 of 2 approved with a token, 1 of 2 without; no subscription has a token.
    assert FOUND["token_lift"] == pytest.approx(2.0)


def test_every_published_figure_is_measured_and_no_other() -> None:
    assert set(FOUND) == {each.key for each in PUBLISHED}


def test_what_no_row_bears_on_is_not_known() -> None:
    approved = np.flatnonzero(log().reward == 1.0)[:3]
    found = measured(log().take(approved))
    assert found["checkout_declined"] == 0.0
    assert math.isnan(found["subscription_declined"])
    assert math.isnan(found["recovered"])
