"""An experiment's tallies from a log."""

from __future__ import annotations

import pytest

from authopt.errors import UserError
from authopt.experiments.from_log import (
    Split,
    before,
    design_effect,
    past_means,
    reduction_of,
    split_of,
    tallies_of,
)
from authopt.experiments.log_payments import Asked, Payments, payments_of
from tests.authopt.experiments.logs import Row, batch_of, experiment_rows

EVEN = Split(("live", "new"), (1.0, 1.0))


def _payments(rows: list[Row], **asked: object) -> Payments:
    return payments_of([batch_of(rows)], Asked(arm_column="x_arm", **asked))[0]  # type: ignore[arg-type]


def test_what_does_not_count_is_counted_by_why() -> None:
    rows = [
        Row("outside", 0, None, 1.0, card="a"),
        Row("late", 1, None, 0.0, card="b"),
        Row("late", 2, "new", 1.0, attempt=2, card="b"),
        Row("nobody", 3, "new", 1.0),
        Row("paid", 4, "live", 1.0, card="c", fee=10.0),
        Row("open", 5, "new", card="c"),
        Row("dollars", 6, "new", 0.0, card="d", fee=20.0, currency="USD"),
        Row("moved", 7, "new", 0.0, card="e"),
        Row("moved", 8, "live", 1.0, attempt=2, card="e"),
    ]
    tallies, found = tallies_of(
        _payments(rows, unit="card"), EVEN, unit="card", bounds=(0.0, 1.0), young=3
    )
    assert (found.payments, found.outside, found.began_before, found.without_unit) == (4, 1, 1, 1)
    assert (found.unknown, found.switched, found.too_young) == (1, 1, 3)
    assert (found.currency, found.other_currency) == ("EUR", 1)
    assert tallies.value.moments[:, 0].tolist() == [1.0, 3.0]
    # The card c came to live first, and is no new unit when it comes to new.
    assert tallies.units.tolist() == [1, 2]
    assert tallies.metrics["fees_minor"].moments[:, :2].tolist() == [[1.0, 10.0], [0.0, 0.0]]


def test_arms_that_nobody_planned_are_refused() -> None:
    payments = _payments([Row("p", 0, "live", 1.0), Row("q", 1, "odd", 1.0)])
    with pytest.raises(UserError, match=r"arm\(s\) odd beside live, new"):
        tallies_of(payments, EVEN, unit="payment", bounds=(0.0, 1.0))


def test_the_past_foretells_by_what_payments_have_in_common() -> None:
    rows = [Row(f"p{n}", n, None, float(n < 15), card="c" if n < 10 else "d") for n in range(20)]
    past = _payments(rows, covariates=("card_ref",))
    found = past_means(past).foretold(past.covariates)[:, 0]
    # Ten of c all paid, five of d's ten, fifteen of twenty in all.
    assert found[[0, -1]] == pytest.approx([(10 + 7.5) / 20, (5 + 7.5) / 20])


def test_a_payment_that_got_its_arm_late_does_not_shorten_the_past() -> None:
    rows = [
        Row("late", 0, None, 0.0, card="c"),
        *(Row(f"before{n}", n, None, 1.0, card="c") for n in range(1, 10)),
        Row("late", 10, "new", 1.0, attempt=2, card="c"),
        *(Row(f"p{n}", n, ("live", "new")[n % 2], 1.0, card="c") for n in range(11, 20)),
    ]
    payments = _payments(rows, covariates=("card_ref",))
    tallies, _ = tallies_of(payments, EVEN, unit="payment", bounds=(0.0, 1.0))
    assert tallies.cuped is not None
    assert tallies.cuped.products[-1, 1] == pytest.approx(9.0)


def test_the_past_is_what_began_before_the_experiment_without_an_arm() -> None:
    payments = _payments(experiment_rows(40, (0.8, 0.8)))
    assert before(payments, int(payments.began_us[10])).n == 10
    with pytest.raises(UserError, match="--before"):
        before(payments, int(payments.began_us[0]))


def test_cards_that_differ_foretell_their_payments() -> None:
    rows = [
        Row(f"p{n}", n, None, float(n % 2 == 0 or n % 5 == 0), card=f"c{n % 20}")
        for n in range(4_000)
    ]
    payments = _payments(rows, covariates=("card_ref",), unit="card")
    assert reduction_of(payments) > 0.8
    assert design_effect(payments) > 20.0


def test_payments_that_are_independent_have_a_design_effect_of_about_one() -> None:
    payments = _payments(experiment_rows(4_000, (0.8, 0.8)))
    assert 0.8 < design_effect(payments) < 1.2


@pytest.mark.parametrize(
    ("text", "split"),
    [
        (None, Split(("live", "a", "b"), (1.0, 1.0, 1.0))),
        ("a=95, b=5", Split(("a", "b"), (95.0, 5.0))),
    ],
)
def test_arms_are_equal_and_live_is_the_baseline_unless_said_otherwise(
    text: str | None, split: Split
) -> None:
    assert split_of(["b", "live", "a"], text) == split


@pytest.mark.parametrize("text", ["a", "a=", "=1,b=1", "a=0,b=1", "a=inf,b=1", "a=nan,b=1"])
def test_a_split_that_means_nothing_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="--arms"):
        split_of(["a", "b"], text)
