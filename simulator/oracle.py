"""What the best plan for whole payments could bring: a policy that plans, and a bound on all.

The policy ``simulator.truth.OraclePolicy`` is the best at one decision. A payment is more than one:
an attempt now uses up later chances, and its decline changes them. Two answers to that are here.

- :class:`PlanningOracle` looks ahead, with all that the world knows but not its luck. It is a
  policy: its true value can be reached.
- :func:`foresight` knows the luck too, and searches each payment's plans for one that gets it
  paid. No policy gets more of the same payments paid.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from authopt.batch import BoolArray, DecisionBatch, FloatArray, IntArray, LoggedBatch, take_column
from authopt.hashing import hash_strings
from authopt.policies.priority import first_of_each
from authopt.rules import DEFAULT_RULES, Rules, apply_rules
from simulator.protocol import World
from simulator.traffic import Traffic
from simulator.truth import OraclePolicy, TrueValue, true_value

CHUNK_PAYMENTS = 2_000
WIDTH = 24

_ROW = "x_oracle_row"
"""Context column that tells which row a following decision point comes from."""


@dataclass(frozen=True, slots=True)
class PlanningOracle:
    """Takes the action that is best for the payment, as far as it looks ahead.

    The value of an action is its chance of approval, plus the chance of a decline times the value
    of the best action at the decision point that follows (expectimax, Russell and Norvig,
    *Artificial Intelligence*, chapter 5). Chances are the world's own; which decline comes back,
    and so which point follows, is drawn ``samples`` times, apart from the luck of the traffic.

    Attributes
    ----------
    world
        whose chances it knows, hidden states included.
    rules
        what it may do at the points that follow.
    depth
        attempts that it looks at, the one decided included; 1 is the oracle of one decision.
    samples
        declines that are drawn for every action at the first step; 1 at each further one.
    """

    world: World
    rules: Rules = DEFAULT_RULES
    depth: int = 2
    samples: int = 2
    name: str = "planning oracle"

    def probabilities(self, batch: DecisionBatch) -> FloatArray:
        """float64[m], 1 on one action of each decision."""
        return first_of_each(batch, -self.values(batch))

    def values(self, batch: DecisionBatch) -> FloatArray:
        """float64[m], the chance that the payment is paid if each action is taken and the best
        ones follow, as far as it looks ahead; 0 for ``stop``."""
        return self._values(batch, self.depth, self.samples)

    def _values(self, batch: DecisionBatch, depth: int, samples: int) -> FloatArray:
        chance = self.world.approval_probability(batch)
        if depth == 1:
            return chance
        taken = _each_action(batch, np.flatnonzero(~batch.is_stop))
        total, drawn = np.zeros(batch.m), np.zeros(batch.m)
        for sample in range(samples):
            # No traffic has a negative seed: this is not the luck that the payment will have.
            seed = -1 - sample - depth * self.samples
            ended = self.world.with_outcome(taken, seed)
            declined = ended.take(np.flatnonzero(ended.reward == 0.0))
            action = _marks(declined)
            drawn[action] += 1
            points = _open_points(self.world.following(declined, seed), self.rules)
            if points.n:
                best = np.maximum.reduceat(self._values(points, depth - 1, 1), points.offsets[:-1])
                total[_marks(points)] += best
        return chance + (1.0 - chance) * total / np.maximum(drawn, 1)


@dataclass(frozen=True, slots=True)
class Foresight:
    """What plans could bring to some payments, their luck being known.

    Attributes
    ----------
    payments
        how many.
    paid
        share for which a plan was found that gets the payment paid.
    bound
        share that no policy exceeds at these payments: those, and those with so many plans that not
        all were looked at.
    bound_se
        standard error of ``bound`` over independent payments.
    attempts
        plans' attempts that were looked at.
    """

    payments: int
    paid: float
    bound: float
    bound_se: float
    attempts: int


@dataclass(frozen=True, slots=True)
class OracleValue:
    """What could be had by those who know more than any policy.

    Attributes
    ----------
    greedy
        true value of the best action at each decision.
    planning
        true value of the policy that plans ahead.
    foresight
        the luck being known: a bound on every policy.
    """

    greedy: TrueValue
    planning: TrueValue
    foresight: Foresight


def oracle_value(
    world: World, traffic: Traffic, *, rules: Rules = DEFAULT_RULES, width: int = WIDTH
) -> OracleValue:
    """What the best could bring to some payments, in approvals.

    Parameters
    ----------
    world
        who takes part.
    traffic
        the payments, and the seed of all that is drawn.
    rules
        what may be done.
    width
        as in :func:`foresight`.
    """
    return OracleValue(
        greedy=true_value(world, OraclePolicy(world), traffic, rules=rules),
        planning=true_value(world, PlanningOracle(world, rules), traffic, rules=rules),
        foresight=foresight(world, traffic, rules=rules, width=width),
    )


def foresight(
    world: World,
    traffic: Traffic,
    *,
    rules: Rules = DEFAULT_RULES,
    width: int = WIDTH,
    chunk_payments: int = CHUNK_PAYMENTS,
) -> Foresight:
    """Search every payment's plans for one that gets it paid, the luck of the traffic being known.

    What comes back from an attempt is fixed by ids and context, so a plan has one outcome. A policy
    follows one plan of each payment: where none gets it paid, no policy does. The search goes
    attempt by attempt over all actions that the rules leave.

    Parameters
    ----------
    world
        who takes part.
    traffic
        the payments, and the seed of all that is drawn.
    rules
        what a plan may do.
    width
        decision points of a payment that are followed up after each attempt, those with the
        highest chance of approval first. Where there are more, and no plan was found, the payment
        counts in ``bound`` but not in ``paid``.
    chunk_payments
        payments that are searched at a time.
    """
    paid, payable, attempts = 0, 0, 0
    for first in range(0, traffic.payments, chunk_payments):
        last = min(first + chunk_payments, traffic.payments)
        found, cut, looked_at = _search(world, traffic, rules, width, first, last)
        paid += int(found.sum())
        payable += int((found | cut).sum())
        attempts += looked_at
    n = traffic.payments
    bound = payable / n
    return Foresight(n, paid / n, bound, float(np.sqrt(bound * (1 - bound) / n)), attempts)


def _search(
    world: World, traffic: Traffic, rules: Rules, width: int, first: int, last: int
) -> tuple[BoolArray, BoolArray, int]:
    """Of some payments: bool[n] a plan was found, bool[n] not all were looked at, and attempts."""
    points = _open_points(world.arrivals(traffic, first, last), rules)
    names = np.sort(hash_strings(points.payment_id))
    found, cut = np.zeros(last - first, np.bool_), np.zeros(last - first, np.bool_)
    looked_at = 0
    while points.n:
        taken = _each_action(points, np.flatnonzero(~points.is_stop))
        looked_at += taken.n
        ended = world.with_outcome(taken, traffic.seed)
        payment = _places(names, ended)
        found[payment[ended.reward == 1.0]] = True
        declined = ended.take(np.flatnonzero((ended.reward == 0.0) & ~found[payment]))
        points = _open_points(world.following(declined, traffic.seed), rules)
        if points.n:
            payment = _places(names, points)
            best = np.maximum.reduceat(world.approval_probability(points), points.offsets[:-1])
            kept = _best_of_each(payment, best, width)
            cut[payment[~kept]] = True
            points = points.take(np.flatnonzero(kept))
    return found, cut & ~found, looked_at


def _places(names: np.ndarray, batch: DecisionBatch) -> IntArray:
    return np.searchsorted(names, hash_strings(batch.payment_id))


def _best_of_each(group: IntArray, score: FloatArray, most: int) -> BoolArray:
    """bool[n], the rows of each group with the highest scores, at most so many."""
    order = np.lexsort((-score, group))
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    sizes = np.diff(np.append(starts, len(order)))
    rank = np.arange(len(order)) - np.repeat(starts, sizes)
    kept = np.empty(len(order), np.bool_)
    kept[order] = rank < most
    return kept


def _open_points(batch: DecisionBatch, rules: Rules) -> DecisionBatch:
    """The decision points at which the rules leave an attempt, with the actions that they leave."""
    if not batch.n:
        return batch
    keep = apply_rules(batch, rules).keep
    attempts = batch.sum_by_decision((keep & ~batch.is_stop).astype(np.float64))
    some = attempts > 0
    return batch.take(np.flatnonzero(some)).keep_actions(keep[np.repeat(some, batch.counts)])


def _each_action(batch: DecisionBatch, actions: IntArray) -> LoggedBatch:
    """One decision per action (int64[k] in ``range(m)``), in which it is taken; marked by it."""
    rows = batch.decision_of_action[actions]
    k = len(actions)
    context = {name: take_column(column, rows) for name, column in batch.context.items()}
    return LoggedBatch(
        decision_id=batch.decision_id.take(rows),
        payment_id=batch.payment_id.take(rows),
        attempt=batch.attempt[rows],
        decided_at=batch.decided_at[rows],
        context={**context, _ROW: actions.astype(np.float64)},
        routes=batch.routes,
        action_route=batch.action_route[actions],
        action_delay_s=batch.action_delay_s[actions],
        offsets=np.arange(k + 1, dtype=np.int64),
        chosen=np.zeros(k, np.int64),
        propensity=np.ones(k),
        reward=np.full(k, np.nan),
    )


def _marks(batch: DecisionBatch) -> IntArray:
    return np.asarray(batch.context[_ROW]).astype(np.int64)
