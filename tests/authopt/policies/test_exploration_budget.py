"""Exploration is held to a price, and never below its least."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings

from authopt.batch import Categorical, DecisionBatch, FloatArray, IntArray, LoggedBatch, TimeArray
from authopt.errors import UserError
from authopt.policies.exploration_budget import BudgetState, ExplorationBudget, gaps
from authopt.policies.protocol import LearningPolicy
from authopt.policies.uniform import Uniform, uniform
from simulator.live import simulate_live
from simulator.simulate import simulate
from simulator.small.world import small_world
from simulator.traffic import Traffic
from tests.authopt.policies.batches import Decision, batch_of, decisions

MIDNIGHT = np.datetime64("2026-03-02T00:00:00", "us")
LEAST, MOST = 0.002, 0.2


def moment(day: int, hour: float) -> np.datetime64:
    return MIDNIGHT + np.timedelta64(day, "D") + np.timedelta64(round(hour * 3600), "s")


def times(day: int, hour: float, n: int) -> TimeArray:
    return moment(day, hour) + np.arange(n) * np.timedelta64(1, "s")


def days_of(
    budget: ExplorationBudget, days: range, gap: float, by_hour: list[int] | None = None
) -> list[float]:
    """Let so many decisions be recorded in every hour: what every day truly cost."""
    spent = []
    for day in days:
        total = 0.0
        for hour, n in enumerate(by_hour or [100] * 24):
            total += budget.epsilon * gap * n
            at = times(day, hour, n)
            budget.record(np.full(n, gap), at, at[-1] if n else moment(day, hour))
        spent.append(total)
    return spent


def test_every_day_costs_about_its_budget_and_no_more() -> None:
    budget = ExplorationBudget(20.0, LEAST, MOST)
    spent = days_of(budget, range(5), gap=0.1)
    assert all(19.0 <= each <= 20.6 for each in spent[1:])
    assert spent[0] <= 20.6


def test_an_uneven_day_is_paced_too() -> None:
    budget = ExplorationBudget(20.0, LEAST, MOST)
    by_hour = [5] * 8 + [200] * 12 + [20] * 4
    spent = days_of(budget, range(6), 0.1, by_hour)
    assert all(17.0 <= each <= 22.0 for each in spent[2:])
    at_noon = [each for each in budget.state.changed_to if LEAST < each < MOST]
    assert max(at_noon[-20:]) / min(at_noon[-20:]) < 3.0


def test_a_gap_that_grows_is_answered_within_the_day() -> None:
    budget = ExplorationBudget(20.0, LEAST, MOST)
    days_of(budget, range(3), gap=0.05)
    before = budget.epsilon
    spent = days_of(budget, range(3, 6), gap=0.15)
    assert budget.epsilon < before
    assert all(each <= 23.0 for each in spent)


def test_exploration_never_falls_below_its_least_whatever_it_costs() -> None:
    budget = ExplorationBudget(0.01, LEAST, MOST)
    spent = days_of(budget, range(3), gap=0.1)
    assert budget.epsilon == LEAST
    assert spent[-1] == pytest.approx(LEAST * 0.1 * 2_400)
    report = budget.report()
    assert report.least_binds
    assert report.over_days == 0


def test_exploration_never_rises_above_its_most_however_cheap_it_is() -> None:
    budget = ExplorationBudget(1e6, LEAST, MOST)
    days_of(budget, range(2), gap=0.1)
    assert budget.epsilon == MOST
    days_of(budget, range(2, 4), gap=0.0)
    assert budget.epsilon == MOST
    assert not budget.report().least_binds


def test_before_anything_is_known_exploration_is_at_its_least() -> None:
    budget = ExplorationBudget(20.0, LEAST, MOST)
    assert budget.epsilon == LEAST
    budget.record(np.full(10, 0.1), times(0, 9, 10), moment(0, 10))
    assert budget.epsilon == LEAST
    assert budget.report().lost_today == pytest.approx(10 * 0.1 * LEAST)


def test_a_policy_may_explore_less_than_its_budget_allows() -> None:
    budget = ExplorationBudget(1e6, LEAST, MOST)
    budget.record(np.full(500, 0.1), times(0, 9, 500), moment(0, 10), at_most=0.03)
    assert budget.epsilon == 0.03
    budget.record(np.full(100, 0.1), times(0, 11, 100), moment(0, 12))
    assert budget.report().lost_today == pytest.approx(500 * 0.1 * LEAST + 100 * 0.1 * 0.03)


def test_a_late_outcome_costs_what_exploration_was_when_it_was_decided() -> None:
    budget = ExplorationBudget(20.0, LEAST, MOST)
    days_of(budget, range(2), gap=0.1)
    assert budget.epsilon != LEAST
    before = budget.report().lost_today
    budget.record(np.full(7, 0.5), times(0, 0.0, 7), moment(1, 23.9))
    assert budget.report().lost_today - before == pytest.approx(7 * 0.5 * LEAST)


def test_the_report_tells_every_day() -> None:
    budget = ExplorationBudget(20.0, LEAST, MOST)
    spent = days_of(budget, range(3), gap=0.1)
    report = budget.report()
    assert [day for day, _, _ in report.days] == ["2026-03-02", "2026-03-03", "2026-03-04"]
    assert [n for _, n, _ in report.days] == [2_400] * 3
    assert [lost for _, _, lost in report.days] == pytest.approx(spent, rel=0.02)
    assert report.lost_today == report.days[-1][2]


def test_restored_it_goes_on_to_the_bit() -> None:
    budget = ExplorationBudget(20.0, LEAST, MOST)
    days_of(budget, range(2), gap=0.1)
    state = msgspec.json.decode(msgspec.json.encode(budget.state), type=BudgetState)
    restored = ExplorationBudget(20.0, LEAST, MOST, state)
    assert days_of(budget, range(2, 4), 0.07) == days_of(restored, range(2, 4), 0.07)
    assert budget.state == restored.state


@pytest.mark.parametrize(
    ("lost", "least", "most"), [(0.0, 0.01, 0.1), (1.0, 0.0, 0.1), (1.0, 0.2, 0.1), (1.0, 0.1, 2.0)]
)
def test_numbers_out_of_range_are_refused(lost: float, least: float, most: float) -> None:
    with pytest.raises(UserError, match="explor"):
        ExplorationBudget(lost, least, most)


@given(rows=decisions())
@settings(max_examples=20, deadline=None)
def test_the_gap_is_what_acting_evenly_loses(rows: list[Decision]) -> None:
    batch = batch_of(rows)
    value = np.linspace(0.0, 1.0, batch.m) ** 2
    best = np.maximum.reduceat(value, batch.offsets[:-1])
    assert gaps(batch, value) == pytest.approx(
        best - batch.sum_by_decision(uniform(batch) * value), abs=1e-12
    )


STRENGTH = 50.0
"""Outcomes' worth of its row that a cell of the learner starts from."""


@dataclass(eq=False)
class Means:
    """A learner of mean approvals by last code, route and delay, with its exploration held."""

    budget: ExplorationBudget
    name: str = "means"
    codes: list[str | None] = field(default_factory=list)
    delays: list[int] = field(default_factory=list)
    approved: FloatArray = field(default_factory=lambda: np.zeros((40, 8, 40)))
    seen: FloatArray = field(default_factory=lambda: np.zeros((40, 8, 40)))

    def cells(self, batch: DecisionBatch) -> tuple[IntArray, IntArray, IntArray]:
        column = batch.context["previous_response_code"]
        assert isinstance(column, Categorical)
        names = [*column.categories, None]
        self.codes += [name for name in names if name not in self.codes]
        code = np.array([self.codes.index(name) for name in names])[column.codes]
        found, delay = np.unique(batch.action_delay_s, return_inverse=True)
        self.delays += [each for each in found.tolist() if each not in self.delays]
        place = np.array([self.delays.index(each) for each in found.tolist()])[delay]
        return code[batch.decision_of_action], batch.action_route.astype(np.int64), place

    def values(self, batch: DecisionBatch) -> FloatArray:
        code, route, delay = self.cells(batch)
        of_code = (self.approved.sum(axis=(1, 2)) + 1.0) / (self.seen.sum(axis=(1, 2)) + 2.0)
        approved = self.approved[code, route, delay] + STRENGTH * of_code[code]
        value = approved / (self.seen[code, route, delay] + STRENGTH)
        return np.where(batch.is_stop, 0.0, value)

    def probabilities(self, batch: DecisionBatch) -> FloatArray:
        best = best_of(batch, self.values(batch))
        epsilon = self.budget.epsilon
        return np.asarray((1.0 - epsilon) * best + epsilon * uniform(batch))

    def update(self, batch: LoggedBatch) -> None:
        now = np.asarray(batch.outcome["outcome_at"], "M8[us]").max()
        self.budget.record(gaps(batch, self.values(batch)), batch.decided_at, now)
        self.learn(batch)

    def learn(self, batch: LoggedBatch) -> None:
        at = batch.chosen_action
        cells = tuple(each[at] for each in self.cells(batch))
        np.add.at(self.approved, cells, batch.reward)
        np.add.at(self.seen, cells, 1.0)


def best_of(batch: DecisionBatch, value: FloatArray) -> FloatArray:
    """float64[m], evenly over the best actions of each decision."""
    top = np.repeat(np.maximum.reduceat(value, batch.offsets[:-1]), batch.counts)
    best = (value == top).astype(np.float64)
    return np.asarray(best / np.repeat(batch.sum_by_decision(best), batch.counts))


def test_in_the_simulator_the_true_cost_of_exploration_keeps_to_the_budget() -> None:
    world, lost_per_day, days = small_world(), 8.0, 8
    policy = Means(ExplorationBudget(lost_per_day, 0.005, 0.5))
    assert isinstance(policy, LearningPolicy)
    for batch in simulate(world, Traffic(12_000, seed=5), Uniform()):
        policy.learn(batch)
    traffic = Traffic(4_800, days=days, seed=3)
    true = np.zeros(days)
    for batch in simulate_live(world, traffic, policy, slot_s=6 * 3_600):
        assert batch.probability is not None
        chance = world.approval_probability(batch)
        greedy = best_of(batch, batch.probability)
        lost = batch.sum_by_decision((greedy - batch.probability) * chance)
        day = (batch.decided_at - traffic.start).astype("m8[D]").astype(np.int64)
        inside = day < days
        true += np.bincount(day[inside], lost[inside], days)
    booked = np.array([lost for _, _, lost in policy.budget.report().days[:days]])
    assert true.mean() <= lost_per_day
    assert true[2:].mean() >= 0.5 * lost_per_day
    assert booked[2:].mean() == pytest.approx(true[2:].mean(), rel=0.3)
