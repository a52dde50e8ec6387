"""Payments from the decisions of a log."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from authopt.errors import UserError
from authopt.experiments.log_payments import Asked, Payments, payments_of
from tests.authopt.experiments.logs import Row, batch_of

ASKED = Asked(arm_column="x_arm", experiment_column="x_experiment")


def _payments(*rows: Row, asked: Asked = ASKED, wait_s: int | None = None) -> Payments:
    return payments_of([batch_of(rows)], asked, None if wait_s is None else wait_s * 1_000_000)[0]


def _metrics(*rows: Row) -> dict[str, Any]:
    return {name: each.tolist() for name, each in _payments(*rows).metrics.items()}


def test_a_payment_has_what_all_its_attempts_come_to() -> None:
    found = _metrics(
        Row("p", 0, "new", 0.0, fee=30.0, latency=200.0),
        Row("p", 60, "new", 1.0, attempt=2, fee=25.0, latency=900.0),
    )
    assert (found["paid"], found["first_approved"], found["attempts"]) == ([1.0], [0.0], [2.0])
    assert (found["fees_minor"], found["latency_ms"]) == ([55.0], [200.0])


def test_giving_up_is_no_attempt() -> None:
    found = _metrics(Row("p", 0, "new", 0.0), Row("p", 60, "new", attempt=2, route="stop"))
    assert (found["attempts"], found["paid"]) == ([1.0], [0.0])


def test_a_payment_whose_outcome_is_not_known_counts_as_not_paid_and_is_told() -> None:
    found = _payments(Row("p", 0, "new"), Row("q", 1, "new", 1.0), Row("r", 2, "new", route="stop"))
    assert found.value.tolist() == [0.0, 1.0, 0.0]
    assert found.unknown.tolist() == [True, False, False]


def test_payments_stand_in_the_order_in_which_they_began_whatever_the_batches() -> None:
    rows = [Row("q", 5, "new", 0.0), Row("p", 1, "live", 1.0), Row("q", 9, "new", 1.0, attempt=2)]
    together, _ = payments_of([batch_of(rows)], ASKED)
    apart, _ = payments_of([batch_of([row]) for row in rows], ASKED)
    for found in (together, apart):
        assert [found.arms[code] for code in found.arm.tolist()] == ["live", "new"]
        assert found.metrics["attempts"].tolist() == [1.0, 2.0]


def test_a_payment_that_got_its_arm_at_a_retry_had_begun_before() -> None:
    found = _payments(Row("p", 0, None, 0.0), Row("p", 9, "new", 1.0, attempt=2))
    assert (found.arm.tolist(), found.late.tolist()) == ([0], [True])


def test_a_payment_of_several_arms_is_of_the_first() -> None:
    found = _payments(Row("p", 0, "new", 0.0), Row("p", 9, "live", 1.0, attempt=2))
    assert found.arms[int(found.arm[0])] == "new"
    assert found.switched.tolist() == [True]


def test_within_a_wait_a_payment_counts_what_comes_in_it_and_only_if_it_is_over() -> None:
    rows = [
        Row("p", 0, "new", 0.0),
        Row("p", 50, "new", 1.0, attempt=2),
        Row("q", 10, "new", 0.0),
        Row("q", 200, "new", 1.0, attempt=2),
        Row("r", 150, "new", 1.0),
    ]
    found, young = payments_of([batch_of(rows)], ASKED, 100_000_000)
    assert found.value.tolist() == [1.0, 0.0]
    assert young == 1


def test_one_experiment_is_read_where_the_log_has_several() -> None:
    rows = (
        Row("p", 0, "new", 1.0, experiment="spring"),
        Row("q", 1, "odd", 1.0, experiment="summer"),
    )
    with pytest.raises(UserError, match="several experiments: spring, summer"):
        _payments(*rows)
    asked = Asked(arm_column="x_arm", experiment_column="x_experiment", experiment="spring")
    assert (_payments(*rows, asked=asked).arm >= 0).tolist() == [True, False]


def test_segments_and_units_are_those_of_the_first_decision() -> None:
    asked = Asked("card", "x_arm", segments=("network",))
    found = _payments(
        Row("p", 0, "new", 0.0, card="c", network="visa"),
        Row("p", 9, "new", 1.0, attempt=2, card="d", network="amex"),
        Row("q", 10, "new", 1.0, card="c", network="amex"),
        Row("r", 11, "new", 1.0, card=None, network="amex"),
        asked=asked,
    )
    codes, names = found.labels["network"]
    assert [names[code] for code in codes.tolist()] == ["visa", "amex", "amex"]
    assert found.unit[0] == found.unit[1] != 0
    assert found.unit[2] == 0


def test_rewards_add_up_and_an_attempt_that_was_not_made_earns_nothing() -> None:
    asked = Asked(arm_column="x_arm", rewarded=True)
    found = _payments(
        Row("p", 0, "new", 0.0, reward=-3.0),
        Row("p", 9, "new", 1.0, attempt=2, reward=40.0),
        Row("q", 10, "new", route="stop"),
        Row("r", 11, "new"),
        asked=asked,
    )
    assert found.value[:2].tolist() == [37.0, 0.0]
    assert np.isnan(found.value[2])


@pytest.mark.parametrize(
    ("asked", "match"),
    [
        (Asked(arm_column="x_side"), "no column 'x_side'"),
        (Asked("merchant"), "no column 'merchant_id'"),
        (Asked(covariates=("issuer",)), "no column 'issuer'"),
    ],
)
def test_a_column_that_is_not_there_is_named(asked: Asked, match: str) -> None:
    with pytest.raises(UserError, match=match):
        _payments(Row("p", 0, "new", 1.0), asked=asked)


def test_a_wait_longer_than_the_log_is_refused() -> None:
    with pytest.raises(UserError, match="longer than the log"):
        _payments(Row("p", 0, "new", 1.0), Row("q", 5, "new", 1.0), wait_s=60)
