"""Propensities estimated for a log that has none."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authopt.batch import Categorical, LoggedBatch
from authopt.errors import UserError
from authopt.logs.propensity import PropensityEstimate, estimate_propensities
from authopt.logs.propensity_page import render
from authopt.logs.propensity_report import shortcomings
from authopt.policies.protocol import Policy
from authopt.sampling import normalise, sample, uniforms
from tests.factories import logged_batch

PSP_LOG = Path(__file__).parents[4] / "shared/data/psp-routing/attempts.csv"


def drop_actions(batch: LoggedBatch, keep: np.ndarray) -> LoggedBatch:
    """Another log: the same contexts, with only the eligible actions where ``keep`` holds."""
    left = batch.decisions().keep_actions(keep)
    return replace(
        batch,
        action_route=left.action_route,
        action_delay_s=left.action_delay_s,
        offsets=left.offsets,
        probability=None,
        chosen=np.zeros(batch.n, np.int64),
    )


def logged_by(batch: LoggedBatch, scores: np.ndarray) -> LoggedBatch:
    """The batch as a softmax of ``scores`` (float64[m]) would have logged it."""
    probability = normalise(batch, np.exp(scores))
    chosen = sample(batch, probability, uniforms(batch.decision_id, "softmax"))
    return replace(
        batch,
        chosen=chosen,
        probability=probability,
        propensity=probability[batch.offsets[:-1] + chosen],
    )


def softmax_log(n: int, seed: int = 1) -> LoggedBatch:
    """Depends on network, amount and attempt; some routes are not always eligible."""
    batch = logged_batch(n=n, seed=seed)
    rng = np.random.default_rng(seed)
    keep = (rng.random(batch.m) < 0.7) | (batch.action_route == 0)
    batch = drop_actions(batch, keep)
    network = batch.context["network"]
    amount = batch.context["amount_minor"]
    assert isinstance(network, Categorical)
    assert isinstance(amount, np.ndarray)
    size = (np.log1p(amount) - 9) / 2
    by_network = np.array([[0.0, 1.0, -1.0], [0.5, -1.0, 1.0]])
    by_size = np.array([0.0, 0.6, -0.6])
    by_attempt = np.array([0.0, -0.8, 0.4])
    decision, route = batch.decision_of_action, batch.action_route
    scores = by_network[network.codes[decision], route] + by_size[route] * size[decision]
    scores += by_attempt[route] * (batch.attempt[decision] == 2)
    return logged_by(batch, scores)


def unknown(batch: LoggedBatch) -> LoggedBatch:
    return replace(batch, propensity=np.full(batch.n, np.nan), probability=None)


TRUE = softmax_log(20_000)


@pytest.fixture(scope="module")
def estimate() -> PropensityEstimate:
    return estimate_propensities([unknown(TRUE)])


def test_the_estimate_comes_close_to_the_truth(estimate: PropensityEstimate) -> None:
    filled = estimate.model.fill(unknown(TRUE))
    assert TRUE.probability is not None
    assert filled.probability is not None
    error = abs(filled.probability - TRUE.probability)
    assert np.sqrt((error**2).mean()) < 0.02
    assert np.quantile(error, 0.99) < 0.05


def test_the_report_knows_that_it_is_good(estimate: PropensityEstimate) -> None:
    report = estimate.report
    entropy = float(-np.log(TRUE.propensity).mean())
    assert report.log_loss == pytest.approx(entropy, abs=0.005)
    assert report.log_loss < report.log_loss_marginal < report.log_loss_uniform
    assert report.gain.value > 20 * report.gain.standard_error
    error = report.calibration_error
    assert error.value < report.calibration_noise + 3 * error.standard_error
    inverse = report.mean_inverse
    assert abs(inverse.value - report.mean_actions) < 4 * inverse.standard_error
    for action in report.actions:
        assert action.inverse_sum is not None
        deviation = action.inverse_sum.value - 1
        assert abs(deviation) < 4 * action.inverse_sum.standard_error
        assert sum(one.count for one in action.reliability) == action.offered
    assert shortcomings(report) == ()
    assert report.warnings == ()


def test_probabilities_lie_within_the_intervals_of_the_shares_that_were_taken(
    estimate: PropensityEstimate,
) -> None:
    reliability = estimate.report.reliability
    assert len(reliability) == 10
    assert sum(one.count for one in reliability) == TRUE.m
    assert all(one.lower < one.observed < one.upper for one in reliability)
    # Of ten intervals of 95%, three or more miss with a chance of 1%.
    assert sum(one.lower <= one.predicted <= one.upper for one in reliability) >= 8


def test_the_page_has_plots_needs_no_network_and_holds_all_figures_in_tables(
    estimate: PropensityEstimate,
) -> None:
    page = render(estimate.report, (), "attempts <1>.parquet")
    assert "attempts &lt;1&gt;.parquet" in page
    assert "<link" not in page
    assert 'src="http' not in page
    assert 'id="chart-overall"' in page
    assert 'id="chart-actions"' in page
    for action in estimate.report.actions:
        assert f'<th scope="row">{action.action}</th>' in page
    for one in estimate.report.reliability:
        assert f"{one.observed:.4f}</td><td>{one.lower:.4f} to {one.upper:.4f}" in page


def test_the_estimated_logging_policy_is_a_policy(estimate: PropensityEstimate) -> None:
    assert isinstance(estimate.model, Policy)


def test_overlap_is_that_of_the_probabilities(estimate: PropensityEstimate) -> None:
    filled = estimate.model.fill(TRUE)
    assert filled.probability is not None
    choice = TRUE.counts > 1
    smallest = np.minimum.reduceat(filled.probability, TRUE.offsets[:-1])[choice]
    overlap = estimate.report.overlap
    assert overlap.with_choice == choice.sum()
    assert overlap.below_5_percent == (smallest < 0.05).mean()
    assert overlap.below_1_percent == (smallest < 0.01).mean()
    assert overlap.smallest["0.5"] == pytest.approx(np.median(smallest))
    assert overlap.largest_weight == pytest.approx(1 / filled.probability.min())


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 1000), n=st.integers(1, 60), share=st.floats(0.1, 1.0))
def test_probabilities_are_a_distribution_over_the_eligible_actions_that_were_ever_taken(
    seed: int, n: int, share: float
) -> None:
    batch = logged_batch(n=n, seed=seed, with_stop=True)
    rng = np.random.default_rng(seed)
    keep = rng.random(batch.m) < share
    keep[batch.offsets[:-1] + rng.integers(0, 4, n)] = True
    batch = drop_actions(batch, keep)
    batch = replace(batch, chosen=rng.integers(0, batch.counts))
    estimate = estimate_propensities([unknown(batch)])
    filled = estimate.model.fill(batch)
    assert filled.probability is not None
    np.testing.assert_allclose(batch.sum_by_decision(filled.probability), 1.0, atol=1e-12)
    taken = np.isin(batch.action_route, batch.action_route[batch.chosen_action])
    assert (filled.probability[~taken] == 0).all()
    assert (filled.probability[taken] >= 0.0009).all()
    assert (filled.propensity == filled.probability[batch.chosen_action]).all()


def leaky(payments: int = 40, attempts: int = 25) -> LoggedBatch:
    """Each payment always goes to the same route, drawn at random; a column names the payment."""
    n = payments * attempts
    batch = logged_batch(n=n, attempts_per_payment=attempts)
    payment = np.arange(n) // attempts
    route = np.random.default_rng(3).integers(0, 3, payments)
    names = Categorical(payment.astype(np.int32), tuple(f"payment {i}" for i in range(payments)))
    return unknown(replace(batch, context={"x_payment": names}, chosen=route[payment]))


def test_the_propensity_of_a_payment_comes_from_a_model_that_never_saw_it() -> None:
    log = leaky()
    report = estimate_propensities([log]).report
    assert report.log_loss > np.log(3) - 0.05
    # The leak is there to be exploited: cross-fitted by decision, the same model finds it.
    split = replace(log, payment_id=log.decision_id)
    assert estimate_propensities([split]).report.log_loss < 0.3


@pytest.mark.slow
def test_rows_in_any_order_and_chunks_give_the_same_propensities(
    estimate: PropensityEstimate,
) -> None:
    order = np.random.default_rng(0).permutation(TRUE.n)
    mixed = unknown(TRUE.take(order))
    chunks = [mixed.take(slice(start, start + 777)) for start in range(0, mixed.n, 777)]
    again = estimate_propensities(iter(chunks)).model
    propensity = np.concatenate([again.fill(chunk).propensity for chunk in chunks])
    expected = estimate.model.fill(TRUE).propensity
    np.testing.assert_allclose(propensity, expected[order], rtol=1e-12)


def test_a_log_above_the_row_limit_is_fitted_on_a_sample_and_filled_whole() -> None:
    estimate = estimate_propensities([unknown(TRUE)], max_rows=3_000)
    report = estimate.report
    assert 2_990 < report.sampled <= 3_000
    assert report.decisions == TRUE.n
    assert any("of 20,000 decisions" in sentence for sentence in report.warnings)
    filled = estimate.model.fill(unknown(TRUE))
    assert TRUE.probability is not None
    assert filled.probability is not None
    assert np.sqrt(((filled.probability - TRUE.probability) ** 2).mean()) < 0.05


def test_an_action_that_was_never_taken_is_reported_as_without_support() -> None:
    log = logged_batch(n=1000)
    log = unknown(replace(log, chosen=log.chosen % 2))
    estimate = estimate_propensities([log])
    filled = estimate.model.fill(log)
    assert filled.probability is not None
    assert (filled.probability[log.action_route == 2] == 0).all()
    never = estimate.report.actions[2]
    assert (never.taken, never.inverse_sum, never.smallest) == (0, None, 0.0)
    assert estimate.report.overlap.unsupported == 1.0
    assert any("without support: checkout" in text for text in estimate.report.warnings)
    assert any("overlap" in text for text in shortcomings(estimate.report))


def test_a_log_that_always_does_the_same_has_propensity_one_and_says_so() -> None:
    log = logged_batch(n=500)
    log = unknown(replace(log, chosen=np.ones(500, np.int64)))
    estimate = estimate_propensities([log])
    assert (estimate.model.fill(log).propensity == 1).all()
    assert any("one and the same action" in text for text in estimate.report.warnings)
    assert shortcomings(estimate.report)


def test_a_rule_by_context_is_called_deterministic() -> None:
    log = logged_batch(n=2000)
    network = log.context["network"]
    assert isinstance(network, Categorical)
    log = unknown(replace(log, chosen=network.codes.astype(np.int64)))
    estimate = estimate_propensities([log])
    assert any("deterministic" in text for text in estimate.report.warnings)
    assert any("overlap" in text for text in shortcomings(estimate.report))
    assert estimate.report.overlap.floored == 1.0
    assert estimate.model.fill(log).propensity.min() > 0.98


def test_a_log_without_any_choice_says_so() -> None:
    log = logged_batch(n=50)
    log = unknown(drop_actions(log, log.action_route == 1))
    estimate = estimate_propensities([log])
    assert (estimate.model.fill(log).propensity == 1).all()
    assert any("more than one eligible action" in text for text in estimate.report.warnings)


def test_one_decision_is_not_too_few() -> None:
    log = unknown(logged_batch(n=1))
    estimate = estimate_propensities([log])
    assert (estimate.model.fill(log).propensity == 1).all()
    assert any("coarse" in text for text in estimate.report.warnings)


def test_delays_are_told_apart() -> None:
    log = logged_batch(n=4000, routes=("a", "b"), uniform_logging=True)
    delay = np.tile(np.array([0, 3600], np.int64), log.n)
    routes = np.zeros(log.m, np.int32)
    log = logged_by(
        replace(log, action_route=routes, action_delay_s=delay), np.tile([0.0, 1.0], log.n)
    )
    estimate = estimate_propensities([unknown(log)])
    assert [action.action for action in estimate.report.actions] == ["a", "a+3600s"]
    filled = estimate.model.fill(log)
    assert log.probability is not None
    np.testing.assert_allclose(filled.probability, log.probability, atol=0.04)


def test_another_log_with_another_action_is_refused_by_name(estimate: PropensityEstimate) -> None:
    other = logged_batch(n=5, routes=("adyen", "nobody"))
    other = replace(other, chosen=np.ones(5, np.int64))
    with pytest.raises(UserError, match=r"'d0-0' took 'nobody'.*Fit the model on this log"):
        estimate.model.fill(other)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"folds": 1}, "folds is 1; expected 2 to 50"),
        ({"floor": 0.0}, "floor is 0.0"),
        ({"max_rows": 0}, "max rows is 0"),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, int], said: str) -> None:
    with pytest.raises(UserError, match=said):
        estimate_propensities([TRUE], **options)  # type: ignore[arg-type]


def test_an_empty_log_is_refused() -> None:
    with pytest.raises(UserError, match="no decisions"):
        estimate_propensities([])


def psp_chunks() -> Iterator[LoggedBatch]:
    frame = pd.read_csv(PSP_LOG, parse_dates=["tmsp"])
    frame = frame.sort_values(["country", "amount", "tmsp", "ID"], kind="stable")
    gap = frame.groupby(["country", "amount"])["tmsp"].diff().dt.total_seconds()
    frame["payment"] = "p" + (~(gap <= 60)).cumsum().astype(str)
    frame["attempt"] = frame.groupby("payment").cumcount() + 1
    frame["previous"] = frame.groupby("payment")["PSP"].shift()
    routes = tuple(sorted(frame["PSP"].unique()))
    n = len(frame)

    def column(name: str) -> Categorical:
        codes, values = pd.factorize(frame[name], use_na_sentinel=True)
        return Categorical(codes.astype(np.int32), tuple(values))

    yield LoggedBatch(
        decision_id=pa.array(frame["ID"].astype(str).tolist()),
        payment_id=pa.array(frame["payment"].tolist()),
        attempt=frame["attempt"].to_numpy(np.int32),
        decided_at=frame["tmsp"].to_numpy("datetime64[us]"),
        context={
            "issuer_country": column("country"),
            "network": column("card"),
            "amount_minor": frame["amount"].to_numpy(np.float64) * 100,
            "three_ds": frame["3D_secured"].to_numpy(np.float64),
            "previous_route": column("previous"),
            "local_hour": frame["tmsp"].dt.hour.to_numpy(np.float64),
        },
        routes=routes,
        action_route=np.tile(np.arange(len(routes), dtype=np.int32), n),
        action_delay_s=np.zeros(n * len(routes), np.int64),
        offsets=np.arange(0, n * len(routes) + 1, len(routes), dtype=np.int64),
        chosen=pd.Categorical(frame["PSP"], routes).codes.astype(np.int64),
        propensity=np.full(n, np.nan),
        reward=frame["success"].to_numpy(np.float64),
    )


@pytest.mark.skipif(not PSP_LOG.exists(), reason="the PSP log of real payments is not here")
def test_on_real_payments_the_known_shares_by_attempt_are_found() -> None:
    (log,) = psp_chunks()
    estimate = estimate_propensities([log])
    probability = estimate.model.fill(log).probability
    assert probability is not None
    by_route = probability.reshape(log.n, 4)
    assert log.routes == ("Goldcard", "Moneycard", "Simplecard", "UK_Card")
    first = by_route[log.attempt == 1].mean(axis=0)
    np.testing.assert_allclose(first, [0.08, 0.18, 0.26, 0.48], atol=0.02)
    later = by_route[log.attempt > 1].mean(axis=0)
    assert later[3] == pytest.approx(0.57, abs=0.01)
    assert later[0] == pytest.approx(0.05, abs=0.01)
    assert shortcomings(estimate.report) == ()
    assert estimate.report.gain.value > 3 * estimate.report.gain.standard_error
    assert estimate.report.overlap.below_1_percent == 0.0
