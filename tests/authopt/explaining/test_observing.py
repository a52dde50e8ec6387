from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from authopt.batch import LoggedBatch
from authopt.errors import UserError
from authopt.explaining.behaviour import Behaviour
from authopt.explaining.observing import default_segments, observe
from authopt.policies.logged import LoggedPolicy
from authopt.policies.protocol import Policy
from authopt.policies.spec import load_policy
from authopt.policies.uniform import Uniform
from tests.authopt.explaining.logs import online, sample_log, without_propensities
from tests.factories import logged_batch

LOG = sample_log()
FIRST = LOG.take(np.flatnonzero(LOG.attempt == 1))


def seen(
    policy: Policy,
    live: Policy | None = None,
    log: LoggedBatch = LOG,
    chunk: int = 10_000,
    by: tuple[str, ...] = ("network", "attempt"),
) -> Behaviour:
    batches = [log.take(slice(start, start + chunk)) for start in range(0, log.n, chunk)]
    return observe(batches, policy, live or LoggedPolicy(), by)


def test_the_shares_of_routes_are_the_mean_probabilities() -> None:
    policy = online()
    said = seen(policy)
    decisions = LOG.decisions()
    probability = policy.probabilities(decisions)
    for code, route in enumerate(LOG.routes):
        mean = probability[LOG.action_route == code].sum() / LOG.n
        assert said.overall.routes[route] == pytest.approx(mean, abs=1e-12)
    for each in (said.overall, *said.by["network"], *said.by["attempt"]):
        assert sum(each.routes.values()) == pytest.approx(1.0)
        assert sum(each.live_routes.values()) == pytest.approx(1.0)


def test_delays_and_stop_share_all_traffic() -> None:
    for each in seen(online()).by["attempt"]:
        stops = each.routes.get("stop", 0.0)
        assert sum(each.delays.values()) + stops == pytest.approx(1.0)


def test_delays_are_in_order_of_length() -> None:
    assert list(seen(Uniform()).overall.delays)[:3] == ["now", "2m", "1h"]


def test_chunks_make_no_difference() -> None:
    whole, parts = seen(online()), seen(online(), chunk=97)
    for one, other in zip(whole.by["network"], parts.by["network"], strict=True):
        assert (one.name, one.decisions) == (other.name, other.decisions)
        assert dict(one.routes) == pytest.approx(dict(other.routes), abs=1e-12)
        assert one.changed == pytest.approx(other.changed, abs=1e-12)
        assert one.value == pytest.approx(other.value, abs=1e-9)
        first, second = (
            {(move.source, move.target): move.share for move in each.movements}
            for each in (one, other)
        )
        assert first == pytest.approx(second, abs=1e-12)


def test_a_policy_changes_nothing_beside_itself() -> None:
    said = seen(online(), online())
    for each in (said.overall, *said.by["network"]):
        assert each.changed == 0.0
        assert each.choice_changed == 0.0
        assert each.movements == ()
        assert each.value == each.live_value


def test_a_movement_says_from_where_to_where_and_how_much() -> None:
    live, policy = (load_policy(f"priority:routes={route}") for route in ("atlas", "delta"))
    both = np.isin(FIRST.action_route, [FIRST.routes.index(each) for each in ("atlas", "delta")])
    has_both = FIRST.sum_by_decision(both.astype(np.float64)) == 2
    said = seen(policy, live, FIRST.take(np.flatnonzero(has_both)))
    (move,) = said.overall.movements
    assert (move.source, move.target, move.share) == ("atlas", "delta", 1.0)
    assert move.decisions == said.decisions
    assert said.overall.changed == said.overall.choice_changed == 1.0


def test_exploration_alone_changes_actions_but_not_the_likeliest() -> None:
    live = load_policy("priority:routes=atlas,delta,borealis,cascade=no")
    policy = load_policy("priority:routes=atlas,delta,borealis,cascade=no,epsilon=0.1")
    said = seen(policy, live)
    expected = (0.1 * (1.0 - 1.0 / LOG.counts)).mean()
    assert said.overall.changed == pytest.approx(expected)
    assert said.overall.choice_changed == 0.0


def test_what_a_model_expects_is_the_mean_of_its_scores_under_either_policy() -> None:
    said = seen(online(), Uniform(), FIRST)
    scores = -online().costs(FIRST.decisions())
    own = FIRST.sum_by_decision(online().probabilities(FIRST.decisions()) * scores).mean()
    assert said.overall.value == pytest.approx(own)
    even = (FIRST.sum_by_decision(scores) / FIRST.counts).mean()
    assert said.overall.live_value == pytest.approx(even)


def test_a_policy_without_a_model_expects_nothing() -> None:
    said = seen(Uniform())
    assert said.meaning is None
    assert said.overall.value is None


def test_of_a_log_without_probabilities_what_was_done_is_compared_and_counted() -> None:
    bare = without_propensities(FIRST)
    said = seen(Uniform(), log=bare)
    assert said.live_is_observed == FIRST.n
    done = FIRST.action_route[FIRST.chosen_action]
    for code, route in enumerate(FIRST.routes):
        if route in said.overall.live_routes:
            assert said.overall.live_routes[route] == pytest.approx((done == code).mean())
    assert seen(Uniform(), log=FIRST).live_is_observed == 0


def test_a_row_alone_may_lack_its_probabilities() -> None:
    assert FIRST.probability is not None
    probability = FIRST.probability.copy()
    probability[0] = np.nan
    assert seen(Uniform(), log=replace(FIRST, probability=probability)).live_is_observed == 1


def test_segments_are_in_order_of_size_and_make_up_the_log() -> None:
    segments = seen(Uniform(), by=("network+attempt",)).by["network+attempt"]
    sizes = [each.decisions for each in segments]
    assert sizes == sorted(sizes, reverse=True)
    assert sum(sizes) == LOG.n
    assert sum(each.share for each in segments) == pytest.approx(1.0)


def test_routes_that_a_later_chunk_brings_count_as_unused_before() -> None:
    first = logged_batch(40, routes=("adyen", "checkout"))
    second = logged_batch(40, routes=("braintree", "checkout"), seed=2)
    said = observe([first, second], Uniform(), LoggedPolicy(), ["network"])
    assert dict(said.overall.routes) == {"adyen": 0.25, "braintree": 0.25, "checkout": 0.5}


def test_an_empty_log_is_no_error_here() -> None:
    said = observe([], Uniform(), LoggedPolicy(), ["network"])
    assert said.decisions == 0
    assert said.by == {"network": ()}


def test_too_many_segments_are_refused() -> None:
    log = logged_batch(1_200)
    amounts = replace(
        log, context={**log.context, "amount_minor": np.arange(log.n, dtype=np.float64)}
    )
    with pytest.raises(UserError, match="more than 500 values"):
        observe([amounts], Uniform(), LoggedPolicy(), ["amount_minor"])


def test_segments_are_by_issuer_where_it_is_known_and_by_attempt() -> None:
    assert default_segments(["network", "issuer"]) == ["issuer", "attempt"]
    assert default_segments(["network"]) == ["network", "attempt"]
    assert default_segments([]) == ["attempt"]
