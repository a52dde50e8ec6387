"""The default interval must hold the truth: with few rows, heavy weights and missing support."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authopt.evaluation.arrays import evaluate_arrays
from authopt.evaluation.quantities import Estimate, Guarantee
from authopt.evaluation.result import Evaluation, PolicyResult

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class World:
    """Contexts with a success rate per action, a logging and an evaluation policy."""

    success: Array
    logging: Array
    evaluation: Array

    @property
    def value(self) -> float:
        return float((self.evaluation * self.success).sum(1).mean())

    @property
    def logged_value(self) -> float:
        return float((self.logging * self.success).sum(1).mean())

    def judge(self, rng: np.random.Generator, n: int, attempts: int = 1) -> PolicyResult:
        """One log of n rows; rows of a payment share context and luck."""
        contexts = len(self.success)
        payments = -(-n // attempts)
        context = np.repeat(rng.integers(0, contexts, payments), attempts)[:n]
        luck = np.repeat(rng.random(payments), attempts)[:n]
        action = (rng.random(n)[:, None] > self.logging[context].cumsum(1)).sum(1)
        action = action.clip(0, self.success.shape[1] - 1)
        return evaluate_arrays(
            chosen=action,
            reward=(luck < self.success[context, action]).astype(float),
            logging=self.logging[context],
            evaluation={"new": self.evaluation[context]},
            q=(0.9 * self.success + 0.05)[context],
            cluster=np.arange(n) // attempts,
            bootstrap=0,
            anytime=False,
            likelihood=False,
        ).policy("new")


def world(epsilon: float, agree: float, unsupported: bool = False) -> World:
    """Approval near 0.93, a greedy logging policy, a deterministic evaluation policy."""
    rng = np.random.default_rng(5)
    success = rng.uniform(0.7, 0.99, (20, 4))
    best = success.argmax(1)
    greedy = np.where(rng.random(20) < agree, best, (best + 1) % 4)
    logging = np.full((20, 4), epsilon / 4)
    logging[np.arange(20), greedy] += 1 - epsilon
    evaluation = np.zeros((20, 4))
    evaluation[np.arange(20), best] = 1.0
    if unsupported:
        lacking = (best[:5] + 2) % 4
        evaluation[np.arange(5), best[:5]] = 0.4
        evaluation[np.arange(5), lacking] = 0.6
        logging[np.arange(5), lacking] = 0.0
        logging /= logging.sum(1, keepdims=True)
    return World(success, logging, evaluation)


def coverage(case: World, n: int, repeats: int, attempts: int = 1) -> dict[str, float]:
    """Share of logs whose covering intervals hold the truth, by estimate and method."""
    rng = np.random.default_rng(1)
    held: dict[str, list[bool]] = {}
    for _ in range(repeats):
        result = case.judge(rng, n, attempts)
        for prefix, estimates, truth in (
            ("value", result.estimates, case.value),
            ("gain", result.gains, case.value - case.logged_value),
        ):
            for each in estimates:
                for interval in each.intervals:
                    if interval.guarantee is Guarantee.COVERS:
                        # The recommended one under its own name: its method may vary.
                        method = "" if interval is each.interval else interval.method
                        key = f"{prefix} {each.estimator} {method}"
                        inside = interval.lower <= truth <= interval.upper
                        held.setdefault(key, []).append(inside)
    for name in ("ips", "snips", "dr", "sndr"):
        assert len(held[f"value {name} "]) == len(held[f"gain {name} "]) == repeats
    return {key: float(np.mean(inside)) for key, inside in held.items()}


def test_intervals_cover_where_few_actions_were_explored() -> None:
    assert min(coverage(world(0.05, 0.5), n=300, repeats=150).values()) >= 0.94


def test_intervals_cover_where_support_is_lacking() -> None:
    assert min(coverage(world(0.2, 0.5, unsupported=True), n=300, repeats=150).values()) >= 0.94


@pytest.mark.slow
@pytest.mark.parametrize(
    ("epsilon", "agree", "n", "attempts"),
    [
        (1.0, 0.0, 1000, 1),
        (0.05, 0.5, 100, 1),
        (0.05, 0.5, 1000, 1),
        (0.05, 0.0, 1000, 1),
        (0.02, 0.0, 1000, 1),
        (0.5, 0.5, 1000, 4),
        (1.0, 0.0, 4000, 4),
    ],
    ids=["mild", "few rows", "explored 5%", "no agreement", "harsh", "clustered", "large"],
)
def test_intervals_cover_in_every_regime(
    epsilon: float, agree: float, n: int, attempts: int
) -> None:
    held = coverage(world(epsilon, agree), n, repeats=600, attempts=attempts)
    assert min(held.values()) >= 0.94, held


def evaluate(**changes: object) -> Evaluation:
    arguments: dict[str, object] = {
        "chosen": np.zeros(50, np.int64),
        "reward": np.ones(50),
        "logging": np.full((50, 2), 0.5),
        "evaluation": {"new": np.tile([0.5, 0.5], (50, 1))},
        "q": np.full((50, 2), 0.8),
        "bootstrap": 20,
    }
    return evaluate_arrays(**(arguments | changes))  # type: ignore[arg-type]


def assert_honest(evaluation: Evaluation) -> None:
    """Finite limits in order, of positive width, around the estimate."""
    low, high = evaluation.log.reward_low, evaluation.log.reward_high
    span = high - low
    for policy in evaluation.policies:
        identical = (policy.diagnostics.largest_weight_possible or 2.0) < 1.0 + 1e-9
        for estimates, least, most in ((policy.estimates, low, high), (policy.gains, -span, span)):
            for each in estimates:
                assert each.value is None or np.isfinite(each.value)
                for interval in each.intervals:
                    assert np.isfinite([interval.lower, interval.upper]).all(), each
                    assert interval.width > 0 or (identical and estimates is policy.gains), each
                covering = each.interval
                if covering.guarantee is Guarantee.COVERS:
                    assert least - 1e-9 <= covering.lower <= covering.upper <= most + 1e-9
                    if each.value is not None and least <= each.value <= most:
                        assert covering.lower <= each.value <= covering.upper


def test_no_overlap_gives_the_whole_range_of_rewards() -> None:
    evaluation = evaluate(
        logging=np.tile([1.0, 0.0], (50, 1)), evaluation={"new": np.tile([0.0, 1.0], (50, 1))}
    )
    result = evaluation.policy("new")
    assert result.diagnostics.unsupported_mass == 1.0
    assert result.estimate("snips").value is None
    for each in result.estimates:
        if each.interval.guarantee is Guarantee.COVERS:
            assert (each.interval.lower, each.interval.upper) == pytest.approx((0.0, 1.0))
    assert all(
        interval.vetoed
        for each in result.estimates
        for interval in each.intervals
        if interval.guarantee is Guarantee.ASYMPTOTIC
    )
    assert_honest(evaluation)


def test_no_overlap_is_no_knowledge_even_where_only_the_taken_propensity_is_logged() -> None:
    evaluation = evaluate(
        logging=None,
        propensity=np.full(50, 0.5),
        evaluation={"new": np.tile([0.0, 1.0], (50, 1))},
    )
    snips = evaluation.policy("new").estimate("snips")
    assert (snips.interval.lower, snips.interval.upper) == pytest.approx((0.0, 1.0))
    assert_honest(evaluation)


def test_missing_support_widens_the_interval_by_the_mass_that_is_missing() -> None:
    rng = np.random.default_rng(0)
    n = 20_000
    chosen = rng.integers(0, 2, n)
    evaluation = evaluate(
        chosen=chosen,
        reward=(rng.random(n) < 0.8).astype(float),
        logging=np.tile([0.5, 0.5, 0.0], (n, 1)),
        evaluation={"new": np.tile([0.4, 0.4, 0.2], (n, 1))},
        q=np.full((n, 3), 0.8),
    )
    for name in ("ips", "dr"):
        interval = evaluation.policy("new").estimate(name).interval
        assert interval.lower == pytest.approx(0.8 * 0.8, abs=0.02)
        assert interval.upper == pytest.approx(0.8 * 0.8 + 0.2, abs=0.02)


@pytest.mark.parametrize("reward", [0.0, 1.0, 0.5])
def test_constant_rewards_do_not_give_certainty(reward: float) -> None:
    evaluation = evaluate(reward=np.full(50, reward))
    assert_honest(evaluation)
    on_policy = evaluation.policies[0].value.interval
    # With 50 rows a rate of up to about 3/50 may have gone unseen (Hanley & Lippman-Hand 1983).
    assert 0.04 < on_policy.width < 0.3


def test_one_row_tells_nothing() -> None:
    one = {"chosen": np.zeros(1, np.int64), "reward": np.ones(1), "q": np.full((1, 2), 0.8)}
    evaluation = evaluate(
        **one, logging=np.full((1, 2), 0.5), evaluation={"new": np.array([[0.6, 0.4]])}
    )
    for policy in evaluation.policies:
        for each in policy.estimates:
            assert (each.interval.lower, each.interval.upper) == (0.0, 1.0)
    assert_honest(evaluation)


def test_one_payment_tells_nothing_however_many_rows_it_has() -> None:
    evaluation = evaluate(cluster=np.zeros(50, np.int64))
    assert evaluation.log.clusters == 1
    assert evaluation.policy("new").estimate("snips").interval.width == 1.0


def test_the_gain_of_a_policy_that_is_the_logging_policy_is_zero() -> None:
    gain = evaluate().policy("new").gain
    assert gain is not None
    assert gain.value == pytest.approx(0.0, abs=1e-12)
    assert gain.interval.width == pytest.approx(0.0, abs=1e-9)


def test_the_declared_largest_weight_narrows_the_interval() -> None:
    rng = np.random.default_rng(0)
    kept: dict[str, object] = {
        "logging": None,
        "propensity": np.full(50, 0.5),
        "chosen": rng.integers(0, 2, 50),
        "reward": rng.integers(0, 2, 50).astype(float),
        "evaluation": {"new": np.tile([0.9, 0.1], (50, 1))},
    }
    open_, declared = evaluate(**kept), evaluate(**kept, max_weight=2.0)
    assert open_.policy("new").diagnostics.largest_weight_source == "unbounded"
    assert declared.policy("new").diagnostics.largest_weight_source == "declared"
    assert (
        declared.policy("new").estimate("ips").interval.width
        < open_.policy("new").estimate("ips").interval.width
    )


def _drawn(data: st.DataObject) -> dict[str, object]:
    n, k = data.draw(st.integers(1, 40)), data.draw(st.integers(1, 4))
    rng = np.random.default_rng(data.draw(st.integers(0, 10_000)))
    logging = rng.dirichlet(np.full(k, 0.5), n)
    if data.draw(st.booleans()):
        logging[logging < 0.2] = 0.0
    logging /= logging.sum(1, keepdims=True)
    evaluation = rng.dirichlet(np.full(k, 0.3), n)
    if data.draw(st.booleans()):
        evaluation = (evaluation == evaluation.max(1, keepdims=True)).astype(float)
    chosen = (rng.random(n)[:, None] > logging.cumsum(1)).sum(1).clip(0, k - 1)
    chosen = np.where(logging[np.arange(n), chosen] > 0, chosen, logging.argmax(1))
    low, high = data.draw(st.sampled_from([(0.0, 1.0), (-5.0, 100.0), (10.0, 11.0)]))
    reward = low + (high - low) * data.draw(
        st.sampled_from([rng.random(n), (rng.random(n) < 0.9).astype(float), np.zeros(n)])
    )
    return {
        "chosen": chosen,
        "reward": reward,
        "logging": logging,
        "evaluation": {"new": evaluation},
        "q": low + (high - low) * rng.random((n, k)),
        "cluster": rng.integers(0, n, n),
        "reward_bounds": (low, high),
    }


@given(st.data())
def test_whatever_the_log_every_interval_is_honest(data: st.DataObject) -> None:
    drawn = _drawn(data)
    evaluation = evaluate(**drawn)
    assert_honest(evaluation)
    low, high = evaluation.log.reward_low, evaluation.log.reward_high
    for name in ("snips", "dm"):
        value = evaluation.policy("new").estimate(name).value
        assert value is None or low - 1e-9 <= value <= high + 1e-9


def _moved(estimates: tuple[Estimate, ...], shift: float, scale: float) -> dict[str, list[float]]:
    return {
        each.estimator: [
            limit * scale + shift
            for limit in (each.interval.lower, each.interval.upper, each.value or 0.0)
        ]
        for each in estimates
        if each.estimator in ("snips", "dr", "dm", "on-policy") and each.value is not None
    }


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_estimates_and_covering_intervals_move_with_the_rewards(data: st.DataObject) -> None:
    drawn = _drawn(data)
    shift, scale = data.draw(st.sampled_from([(3.0, 1.0), (-7.0, 2.0), (0.0, 10.0)]))
    low, high = drawn["reward_bounds"]  # type: ignore[misc]
    moved = drawn | {
        "reward": drawn["reward"] * scale + shift,  # type: ignore[operator]
        "q": drawn["q"] * scale + shift,  # type: ignore[operator]
        "reward_bounds": (low * scale + shift, high * scale + shift),
    }
    one, other = evaluate(**drawn).policy("new"), evaluate(**moved).policy("new")
    if one.diagnostics.unsupported_mass:
        return
    expected, found = _moved(one.estimates, shift, scale), _moved(other.estimates, 0.0, 1.0)
    for name, figures in expected.items():
        assert found[name] == pytest.approx(figures, rel=1e-6, abs=1e-6 * (high - low) * scale)


def test_a_hundred_times_the_log_gives_the_same_estimate_with_a_tenth_of_the_width() -> None:
    rng = np.random.default_rng(0)
    n = 2000
    logging = rng.dirichlet(np.ones(3), n) * 0.9 + 0.1 / 3
    drawn = {
        "chosen": (rng.random(n)[:, None] > logging.cumsum(1)).sum(1).clip(0, 2),
        "reward": (rng.random(n) < 0.8).astype(float),
        "logging": logging,
        "q": rng.uniform(0.75, 0.85, (n, 3)),
    }
    new = rng.dirichlet(np.ones(3), n)
    once = evaluate(**drawn, evaluation={"new": new}).policy("new")
    often = evaluate(
        **{name: np.concatenate([array] * 100) for name, array in drawn.items()},
        evaluation={"new": np.concatenate([new] * 100)},
    ).policy("new")
    for one, other in zip(once.estimates, often.estimates, strict=True):
        if one.parameter is not None:
            # Chosen by the log: with more rows it is another.
            continue
        assert other.value == pytest.approx(one.value, abs=1e-9)
        # Every row is a cluster here, so the error falls with the square root of their number; the
        # covering interval, which allows for rows that were not seen, gains more.
        normals = [
            next(interval for interval in each.intervals if interval.method == "normal")
            for each in (one, other)
        ]
        assert normals[0].width / normals[1].width == pytest.approx(10.0, rel=0.1)
        assert one.interval.width / other.interval.width >= 9.0


def test_two_rows_that_look_alike_leave_most_of_the_range_open() -> None:
    value = evaluate_arrays(
        chosen=np.zeros(2, np.int64),
        reward=np.ones(2),
        logging=np.full((2, 2), 0.5),
        evaluation={"new": np.tile([0.6, 0.4], (2, 1))},
        bootstrap=0,
    ).policy("new")
    for estimate in value.estimates:
        if estimate.interval.guarantee is Guarantee.COVERS:
            assert estimate.interval.width > 0.7
