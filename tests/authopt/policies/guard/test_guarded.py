"""A guard leaves what fails, probes it, comes back, and does nothing else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authopt.batch import Categorical, LoggedBatch
from authopt.errors import UserError
from authopt.policies.guard import Guarded, GuardSettings, wrap
from authopt.policies.mixed import mixed
from authopt.policies.priority import Priority
from authopt.policies.protocol import LearningPolicy, Policy
from authopt.policies.spec import load_policy
from authopt.policies.success_rate import SuccessRate
from tests.authopt.policies.batches import Decision, batch_of, decisions
from tests.authopt.policies.guard.outcomes import (
    DECLINES,
    FAILS,
    USUAL,
    Chances,
    down,
    second,
    share_of,
    well,
)

ORDER = ("adyen", "braintree", "checkout")


def explorer(epsilon: float = 0.05) -> Policy:
    return mixed(Priority(ORDER), epsilon)


def lived(
    policy: Guarded,
    seconds: range,
    chances: Chances = well,
    payments: int = 50,
    lost: dict[str, float] | None = None,
) -> Guarded:
    for at in seconds:
        policy.update(second(policy, at, chances, payments=payments, lost=lost))
    return policy


def until(policy: Guarded, seconds: range, chances: Chances, up: bool, **more: object) -> int:
    """Seconds until adyen is up, or down."""
    for passed, at in enumerate(seconds):
        policy.update(second(policy, at, chances, **more))  # type: ignore[arg-type]
        if is_up(policy, "adyen") == up:
            return passed + 1
    raise AssertionError("it never came to that")


def is_up(policy: Guarded, route: str, value: str | None = None) -> bool:
    return all(each.is_up for each in policy.status() if (each.route, each.value) == (route, value))


def at_noon() -> Guarded:
    """A guarded explorer after a good minute at ten payments a second."""
    return lived(wrap(explorer()), range(60), payments=10)


@pytest.mark.parametrize("cause", [FAILS, DECLINES, (0.0, 0.0, 0.0, 0.0, 1.0)])
def test_a_route_that_fails_is_left_within_seconds(cause: tuple[float, ...]) -> None:
    policy = at_noon()
    assert until(policy, range(60, 90), down("adyen", cause), up=False) <= 5
    assert share_of(policy, "adyen") <= 0.02
    assert share_of(policy, "braintree") > 0.9


def test_half_an_outage_is_seen_too() -> None:
    half = tuple((one + other) / 2 for one, other in zip(FAILS, USUAL, strict=True))
    assert until(at_noon(), range(60, 90), down("adyen", half), up=False) <= 5


def test_the_route_is_taken_again_within_minutes_of_its_recovery() -> None:
    policy = lived(at_noon(), range(60, 180), down("adyen"))
    assert not is_up(policy, "adyen")
    assert until(policy, range(180, 480), well, up=True) <= 180
    assert share_of(policy, "adyen") == share_of(explorer(), "adyen")


def test_answers_that_stay_away_are_an_outage() -> None:
    policy = at_noon()
    assert until(policy, range(60, 120), well, up=False, lost={"adyen": 1.0}) <= 20
    (standing,) = (each for each in policy.status() if not each.is_up)
    assert (standing.route, standing.why) == ("adyen", "answers stay away")
    lived(policy, range(120, 180), lost={"adyen": 1.0})
    assert not is_up(policy, "adyen")
    assert until(policy, range(180, 480), well, up=True) <= 180


def test_attempts_said_to_be_overdue_are_failures() -> None:
    policy = at_noon()
    open_ones = second(policy, 60, well)
    policy.missed(open_ones, datetime(2026, 3, 4, 12, 2, tzinfo=UTC))
    assert not is_up(policy, "adyen")


def test_attempts_that_are_not_sent_yet_are_not_overdue() -> None:
    policy = at_noon()
    policy.missed(second(policy, 600, well), datetime(2026, 3, 4, 12, 2, tzinfo=UTC))
    assert is_up(policy, "adyen")


def test_a_network_alone_is_left_where_the_others_are_well() -> None:
    policy = lived(at_noon(), range(60, 70), down("adyen", FAILS, "visa"))
    assert not is_up(policy, "adyen", "visa")
    assert share_of(policy, "adyen", "visa") < 0.2
    assert share_of(policy, "adyen", "mastercard") == share_of(explorer(), "adyen")


def test_only_the_network_that_is_down_is_kept_from_the_policy() -> None:
    policy = at_noon()
    held = policy.held_back
    batch = second(policy, 60, down("adyen", FAILS, "visa"), payments=400)
    policy.update(batch)
    sent = batch.action_route[batch.chosen_action] == batch.routes.index("adyen")
    network = batch.context["network"]
    assert isinstance(network, Categorical)
    of_visa = int((sent & (network.codes == network.categories.index("visa"))).sum())
    assert not is_up(policy, "adyen", "visa")
    assert 0.8 * of_visa < policy.held_back - held <= of_visa


def test_declines_for_want_of_funds_are_not_the_routes_fault() -> None:
    policy = at_noon()
    lived(policy, range(60, 90), down("adyen", (0.3, 0.0, 0.7, 0.0, 0.0)))
    assert is_up(policy, "adyen")


def test_one_merchant_whose_payments_are_declined_is_not_the_routes_fault() -> None:
    policy = at_noon()
    for at in range(60, 90):
        policy.update(second(policy, at, well, payments=30))
        attack = second(policy, at + 0.5, down("adyen", DECLINES), payments=20, merchants=("m1",))
        policy.update(attack)
    assert is_up(policy, "adyen")


def test_where_all_routes_are_down_the_policy_decides_alone() -> None:
    policy = lived(at_noon(), range(60, 90), lambda route, network: FAILS, payments=400)
    assert not any(each.is_up for each in policy.status())
    assert share_of(policy, "adyen") == share_of(explorer(), "adyen")


def test_delays_beyond_the_horizon_are_left_alone() -> None:
    policy = lived(at_noon(), range(60, 70), down("adyen"))
    row = Decision(
        2, (("adyen", 86_400), ("adyen", 0), ("braintree", 0)), "visa", 1.0, None, (0,) * 3
    )
    batch = batch_of([row])
    alone = Guarded(Priority(("adyen",)), policy.settings, 0, policy._health)
    probability = alone.probabilities(batch)
    assert probability[1] < 0.02
    assert probability.sum() == pytest.approx(1.0)


@pytest.mark.parametrize("payments", [2, 40])
def test_probes_are_as_many_as_asked_for_at_low_and_at_high_traffic(payments: int) -> None:
    policy = lived(wrap(explorer()), range(100), payments=payments)
    lived(policy, range(100, 280), down("adyen"), payments=payments)
    (before,) = (each for each in policy.status() if each.route == "adyen")
    assert not before.is_up
    lived(policy, range(280, 460), down("adyen"), payments=payments)
    (after,) = (each for each in policy.status() if each.route == "adyen")
    assert 2.0 <= (after.probes - before.probes) / 3.0 <= 25.0


def test_the_policy_is_not_taught_by_what_a_route_does_while_it_is_down() -> None:
    policy = wrap(SuccessRate(window=100, hedging=0.1, dimensions=()))
    lived(policy, range(60))
    held = policy.held_back
    lived(policy, range(60, 180), down("adyen"))
    assert policy.held_back > held
    inner = policy.policy
    assert isinstance(inner, SuccessRate)
    assert inner.overall_rate("adyen") > 0.7


def test_a_guard_says_since_when_and_why() -> None:
    policy = lived(at_noon(), range(60, 70), down("adyen"))
    (standing,) = (each for each in policy.status() if not each.is_up)
    assert standing.route == "adyen"
    assert standing.why == "the route or its switch fails"
    assert standing.since is not None
    noon = datetime(2026, 3, 4, 12, tzinfo=UTC)
    assert timedelta(seconds=60) < standing.since - noon < timedelta(seconds=64)
    assert 0.0 < standing.share <= 0.1


def test_saved_and_restored_it_goes_on_to_the_bit(tmp_path: Path) -> None:
    policy = lived(wrap(SuccessRate(window=50, hedging=0.1)), range(60))
    lived(policy, range(60, 70), down("adyen"))
    policy.save(tmp_path / "guarded.json")
    restored = load_policy(f"guarded:{tmp_path / 'guarded.json'}")
    assert isinstance(restored, Guarded)
    assert restored.status() == policy.status()
    for at in range(70, 160, 2):
        batch = second(policy, at, down("adyen") if at < 80 else well)
        other = second(restored, at, down("adyen") if at < 80 else well)
        assert np.array_equal(
            policy.probabilities(batch.decisions()), restored.probabilities(other.decisions())
        )
        policy.update(batch)
        restored.update(other)
    assert restored.status() == policy.status()
    assert restored.held_back == policy.held_back


def test_a_guard_of_a_policy_that_cannot_be_saved_is_given_it_again(tmp_path: Path) -> None:
    policy = lived(at_noon(), range(60, 70), down("adyen"))
    policy.save(tmp_path / "guarded.json")
    with pytest.raises(UserError, match="name the policy"):
        Guarded.load(tmp_path / "guarded.json")
    restored = Guarded.load(tmp_path / "guarded.json", explorer())
    assert share_of(restored, "adyen") == share_of(policy, "adyen")


def test_any_policy_can_be_guarded_by_its_spec() -> None:
    policy = load_policy("guarded+success-rate:window=100")
    assert isinstance(policy, Guarded)
    assert isinstance(policy, LearningPolicy)
    assert policy.name == "guarded success-rate"


@pytest.mark.parametrize(
    "wrong",
    [
        {"failing": 1.0},
        {"approvals_left": 0.0},
        {"most_share": 0.001},
        {"probes_per_minute": 0.0},
        {"dimension": "amount_minor"},
        {"outcomes_between_false_alarms": 1.0},
    ],
)
def test_settings_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(UserError, match=next(iter(wrong))):
        GuardSettings(**wrong)  # type: ignore[arg-type]


@given(rows=decisions(), seen=st.integers(0, 3))
@settings(max_examples=40, deadline=None)
def test_probabilities_are_distributions_of_the_decision_alone_whatever_is_down(
    rows: list[Decision], seen: int
) -> None:
    policy = GUARDS[seen]
    batch = batch_of(rows)
    together = policy.probabilities(batch)
    assert (together >= 0.0).all()
    assert batch.sum_by_decision(together) == pytest.approx(1.0, abs=1e-12)
    alone = [policy.probabilities(batch_of([row])) for row in rows]
    assert together == pytest.approx(np.concatenate(alone), abs=1e-12)


@given(rows=decisions(), seen=st.integers(0, 3))
@settings(max_examples=40, deadline=None)
def test_every_action_keeps_a_share_of_its_floor(rows: list[Decision], seen: int) -> None:
    policy = GUARDS[seen]
    batch = batch_of(rows)
    own = policy.policy.probabilities(batch)
    least = policy.settings.least_share
    assert (policy.probabilities(batch) >= own * least * (1 - 1e-9)).all()


def test_a_logged_batch_is_decided_as_its_decisions_are() -> None:
    policy = GUARDS[1]
    log: LoggedBatch = second(policy, 0.0, well)
    assert np.array_equal(policy.probabilities(log), policy.probabilities(log.decisions()))


def test_an_empty_batch_changes_nothing() -> None:
    policy = lived(at_noon(), range(60, 70), down("adyen"))
    empty = second(policy, 70, well).take(slice(0, 0))
    before = policy.status()
    policy.update(empty)
    assert policy.status() == before
    assert len(policy.probabilities(empty.decisions())) == 0


GUARDS = (
    wrap(explorer()),
    lived(at_noon(), range(60, 70), down("adyen")),
    lived(at_noon(), range(60, 70), down("adyen", FAILS, "visa")),
    lived(at_noon(), range(60, 90), lambda route, network: FAILS, payments=400),
)


@pytest.mark.slow
def test_over_a_million_outcomes_of_healthy_routes_there_is_no_false_alarm() -> None:
    policy = wrap(explorer(0.5))
    for at in range(1_000):
        policy.update(second(policy, at, well, payments=1_000, seed=7))
        assert all(each.is_up for each in policy.status())
