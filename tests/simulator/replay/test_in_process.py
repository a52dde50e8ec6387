"""Replay in process: what is the log's, what is not, and what a policy can have learned when."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from authopt.batch import Categorical, DecisionBatch, FloatArray, LoggedBatch, TimeArray, concat
from authopt.policies.logged import LoggedPolicy
from authopt.policies.priority import Priority
from authopt.policies.protocol import Policy
from authopt.policies.success_rate import SuccessRate
from authopt.policies.uniform import Uniform, uniform
from simulator.logging_policy import MerchantRouter
from simulator.replay.answering import ByNobody, ByWorld, Source
from simulator.replay.figures import figures_of
from simulator.replay.logged_payments import in_payments
from simulator.replay.replayed import known_at
from simulator.simulate import nothing_to_decide, simulate
from simulator.traffic import Traffic
from simulator.worlds import named_world
from tests.simulator.replay.small_logs import SAME_WORLD, SEED, WORLD, log, model, replay


def by_id(batch: LoggedBatch) -> dict[str, tuple[object, ...]]:
    """What was decided when and what came of it, by decision id."""
    taken = batch.chosen_action
    code = batch.outcome["response_code"]
    assert isinstance(code, Categorical)
    columns = (
        batch.attempt.tolist(),
        batch.decided_at.tolist(),
        [batch.routes[route] for route in batch.action_route[taken]],
        batch.action_delay_s[taken].tolist(),
        np.asarray(batch.outcome["approved"]).tolist(),
        code.values(),
        np.asarray(batch.outcome["outcome_at"]).tolist(),
    )
    return dict(zip(batch.decision_id.to_pylist(), zip(*columns, strict=True), strict=True))


def test_the_logging_policy_replays_the_log_row_by_row() -> None:
    replayed = replay(LoggedPolicy(), model())
    assert by_id(replayed.batch) == by_id(log().batch)
    assert (replayed.source == Source.LOG).all()
    figures = figures_of(replayed)
    assert figures.replay == figures.log
    assert figures.agreement == 1.0


@pytest.mark.parametrize("name", ["small", "cards"])
def test_a_policy_replayed_in_the_logs_world_does_as_it_would_have_done_there(name: str) -> None:
    """The decisive test: the log of another policy becomes that of the policy itself."""
    named = named_world(name)
    traffic = Traffic(400, days=10, seed=SEED)

    def log_by(policy: Policy) -> LoggedBatch:
        return concat(list(simulate(named.world, traffic, policy)))

    waterfall = Priority(named.order)
    logged = in_payments(log_by(MerchantRouter(named.order)))
    replayed = replay(waterfall, ByWorld(named.world, SEED), of=logged)
    something = np.flatnonzero(~nothing_to_decide(replayed.batch))
    assert by_id(replayed.batch.take(something)) == by_id(log_by(waterfall))
    assert min(np.bincount(replayed.source)[[Source.LOG, Source.WORLD]]) > 50


def test_the_world_answers_with_its_true_chances() -> None:
    replayed = replay(Uniform(), ByWorld(WORLD, 99))
    asked = replayed.batch.take(np.flatnonzero(replayed.source == Source.WORLD))
    chance = WORLD.approval_probability(asked)[asked.chosen_action]
    spread = np.sqrt((chance * (1 - chance)).sum())
    assert asked.n > 500
    assert abs(asked.reward.sum() - chance.sum()) < 4 * spread


def test_the_model_answers_with_the_chance_that_it_gives() -> None:
    replayed = replay(Uniform(), model())
    asked = replayed.batch.take(np.flatnonzero(replayed.source == Source.MODEL))
    chance = model().model.predict_chosen(asked)
    spread = np.sqrt((chance * (1 - chance)).sum())
    assert asked.n > 500
    assert abs(asked.reward.sum() - chance.sum()) < 4 * spread


def test_outcomes_of_the_log_alone_follow_a_payment_as_far_as_it_agrees() -> None:
    replayed = replay(Uniform(), ByNobody())
    assert set(np.unique(replayed.source)) <= {Source.LOG, Source.GIVEN_UP, Source.NOT_FOLLOWED}
    assert np.isnan(replayed.batch.reward[replayed.source == Source.NOT_FOLLOWED]).all()
    decided = set(replayed.batch.decision_id.to_pylist())
    assert decided <= set(log().batch.decision_id.to_pylist())
    agreed = replayed.batch.take(np.flatnonzero(replayed.matched))
    ours, logged = by_id(agreed), by_id(log().batch)
    assert all(logged[name] == row for name, row in ours.items())


@pytest.mark.parametrize("answering", ["model", "world"])
def test_the_same_run_gives_the_same_replay_and_another_one_does_not(answering: str) -> None:
    who = model() if answering == "model" else SAME_WORLD
    first, again, other = (replay(Uniform(), who, run=name) for name in ("a", "a", "b"))
    assert by_id(first.batch) == by_id(again.batch)
    assert by_id(first.batch) != by_id(other.batch)


def test_propensities_are_those_that_were_drawn_with() -> None:
    batch = replay(Uniform(), SAME_WORLD).batch
    assert batch.probability is not None
    assert np.array_equal(batch.propensity, batch.probability[batch.chosen_action])
    assert np.allclose(batch.propensity, 1 / batch.counts)


def test_the_first_payments_alone_are_replayed_as_in_the_whole() -> None:
    few, all_ = (replay(Uniform(), SAME_WORLD, payments=count) for count in (200, 1_500))
    whole = by_id(all_.batch)
    assert len(np.unique(few.batch.payment_id)) == 200
    assert all(whole[name] == row for name, row in by_id(few.batch).items())


def test_an_outcome_that_the_log_lacks_stays_unknown() -> None:
    batch = log().batch
    approved = np.asarray(batch.outcome["approved"]).copy()
    made = np.flatnonzero(~batch.is_stop[batch.chosen_action])
    approved[made[::10]] = np.nan
    holes = in_payments(replace(batch, outcome={**batch.outcome, "approved": approved}))
    replayed = replay(LoggedPolicy(), model(), of=holes)
    assert (replayed.source == Source.UNKNOWN).sum() == len(made[::10])
    assert np.isnan(replayed.batch.reward).sum() == len(made[::10])


def test_giving_up_is_known_at_once_to_bring_nothing() -> None:
    replayed = replay(Uniform(), ByNobody())
    given_up = replayed.batch.take(np.flatnonzero(replayed.source == Source.GIVEN_UP))
    assert given_up.n
    assert (given_up.reward == 0).all()
    assert (known_at(given_up) == given_up.decided_at).all()
    assert given_up.is_stop[given_up.chosen_action].all()


@dataclass
class Witness:
    """Learns nothing, and notes what it is told when."""

    name: str = "witness"
    told: int = 0
    latest: TimeArray = field(default_factory=lambda: np.array(["1970-01-01"], "M8[us]"))

    def probabilities(self, batch: DecisionBatch) -> FloatArray:
        slot = batch.decided_at.min().astype("M8[s]").astype(np.int64) // SLOT_S * SLOT_S
        assert self.latest.max() < np.datetime64(int(slot), "s")
        return uniform(batch)

    def update(self, batch: LoggedBatch) -> None:
        assert np.isfinite(batch.reward).all()
        self.told += batch.n
        self.latest = known_at(batch)


SLOT_S = 7_200


def test_a_learner_is_told_every_outcome_once_and_none_before_it_is_known() -> None:
    witness = Witness()
    replayed = replay(witness, SAME_WORLD, payments=400, slot_s=SLOT_S)
    last = replayed.batch.decided_at.max().astype("M8[s]").astype(np.int64) // SLOT_S * SLOT_S
    by_then = known_at(replayed.batch) < np.datetime64(int(last), "s")
    assert witness.told == by_then.sum()
    assert witness.told > 300


def test_a_learner_has_learned_in_the_end_what_its_own_replay_teaches() -> None:
    learner, pupil = (SuccessRate(window=10**6, dimensions=()) for _ in range(2))
    replayed = replay(learner, SAME_WORLD, payments=400, slot_s=SLOT_S)
    last = replayed.batch.decided_at.max().astype("M8[s]").astype(np.int64) // SLOT_S * SLOT_S
    by_then = known_at(replayed.batch) < np.datetime64(int(last), "s")
    pupil.update(replayed.batch.take(np.flatnonzero(by_then)))
    assert replayed.batch.n > 500
    for route in WORLD.route_names:
        assert learner.overall_rate(route) == pytest.approx(pupil.overall_rate(route), rel=1e-12)
