"""What a policy is truly worth in the world, and the policy that nobody can beat on a decision."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from authopt.batch import DecisionBatch, FloatArray, LoggedBatch
from authopt.hashing import hash_strings
from authopt.policies.priority import first_of_each
from authopt.policies.protocol import Policy
from authopt.prices import Prices
from authopt.rules import DEFAULT_RULES, Rules
from simulator.protocol import World
from simulator.simulate import simulate
from simulator.traffic import Traffic

GROUPS = 4_096
"""Groups of payments that standard errors rest on."""

Z_95 = 1.959963984540054


@dataclass(frozen=True, slots=True)
class OraclePolicy:
    """Takes the action with the highest true chance of approval, now.

    It is the best at a single decision. It is not the best for whole payments: what an attempt
    costs the later ones is not in its view.
    """

    world: World
    name: str = "oracle"

    def probabilities(self, batch: DecisionBatch) -> FloatArray:
        """float64[m], 1 on one action of each decision."""
        return first_of_each(batch, -self.world.approval_probability(batch))


ExpectedReward = Callable[[World, DecisionBatch], FloatArray]
"""float64[m]: the expected reward of every action of a batch, given all that the world knows."""


def approvals(world: World, batch: DecisionBatch) -> FloatArray:
    """float64[m]: the chance of approval, so that values count approvals."""
    return world.approval_probability(batch)


@dataclass(frozen=True, slots=True)
class ExpectedMoney:
    """The expected margin kept, less fees, in minor units of each decision's own currency.

    Attributes
    ----------
    margin
        share of the amount that the merchant keeps of an approved payment before fees.
    prices
        fees of attempts; none where it is None.
    """

    margin: float
    prices: Prices | None = None

    def __call__(self, world: World, batch: DecisionBatch) -> FloatArray:
        """float64[m]; NaN where an action has no price."""
        chance = world.approval_probability(batch)
        amount = np.repeat(np.asarray(batch.context["amount_minor"]), batch.counts)
        money = chance * self.margin * amount
        if self.prices is None:
            return np.asarray(money)
        approved, declined = (self.prices.fees_minor(batch, each) for each in (True, False))
        return np.asarray(money - chance * approved - (1.0 - chance) * declined)


def value_on(
    world: World,
    batch: DecisionBatch,
    policy: Policy,
    reward: ExpectedReward = approvals,
) -> FloatArray:
    """float64[n]: the expected reward of a policy at given decision points, exactly.

    The mean of it over the decisions of a log is what off-policy evaluation of that log estimates:
    the value over the decision points that the *logging* policy met. No sampling is involved.
    A policy that decides otherwise meets other retries, so its :func:`true_value` per decision is
    another number; the two agree on first attempts, and for the logging policy itself.

    Parameters
    ----------
    world
        whose chances are meant.
    batch
        n decisions of that world, with the actions that were eligible.
    policy
        whose value is asked.
    reward
        of every action; approvals by default.
    """
    return batch.sum_by_decision(policy.probabilities(batch) * reward(world, batch))


@dataclass(frozen=True, slots=True)
class TrueValue:
    """What a policy is worth over the decision points that it meets itself.

    Attributes
    ----------
    policy
        its name.
    payments, decisions
        that the figures rest on.
    per_decision, per_decision_se
        mean reward per decision, and its standard error (payments are independent).
    per_payment, per_payment_se
        mean reward per payment: with approvals, the share of payments paid in the end.
    attempts_per_payment
        mean number of attempts.
    """

    policy: str
    payments: int
    decisions: int
    per_decision: float
    per_decision_se: float
    per_payment: float
    per_payment_se: float
    attempts_per_payment: float

    @property
    def per_decision_interval(self) -> tuple[float, float]:
        """95%, normal, over independent payments."""
        return _interval(self.per_decision, self.per_decision_se)

    @property
    def per_payment_interval(self) -> tuple[float, float]:
        """95%, normal, over independent payments."""
        return _interval(self.per_payment, self.per_payment_se)


def true_value(
    world: World,
    policy: Policy,
    traffic: Traffic,
    *,
    rules: Rules = DEFAULT_RULES,
    reward: ExpectedReward = approvals,
) -> TrueValue:
    """Run a policy in the world and take expectations where they are known.

    Parameters
    ----------
    world
        who takes part.
    policy
        whose value is asked.
    traffic
        the payments, and the seed of all that is drawn.
    rules
        what the policy may do.
    reward
        of every action; approvals by default.
    """
    log = simulate(world, traffic, policy, rules=rules)
    return value_of_own_log(world, policy, log, reward=reward)


def value_of_own_log(
    world: World,
    policy: Policy,
    log: Iterable[LoggedBatch],
    *,
    reward: ExpectedReward = approvals,
) -> TrueValue:
    """The true value of a policy from the log that it made itself.

    At every decision point met, the exact expectation takes the place of the outcome that was drawn
    (Rao-Blackwell), so only what was met is left to chance. The sum of the chances of approval over
    a payment's decisions has the chance that it is paid in the end as its expectation.

    Payments are added up by a hash in ``GROUPS`` groups, and the standard errors are those of the
    groups (they are independent), so that memory does not grow with the log.
    """
    sums = np.zeros((GROUPS, 4))
    for batch in log:
        group = (hash_strings(batch.payment_id) % np.uint64(GROUPS)).astype(np.int64)
        made = ~batch.is_stop[batch.chosen_action]
        # The log says what its policy gave every action: it need not be asked again.
        given = batch.probability
        if given is None:
            given = policy.probabilities(batch.decisions())
        value = batch.sum_by_decision(given * reward(world, batch.decisions()))
        for place, column in enumerate((value, None, batch.attempt == 1, made)):
            sums[:, place] += np.bincount(group, column, GROUPS)
    value, decisions, payments, attempts = sums.T
    per_decision, per_decision_se = _ratio(value, decisions)
    per_payment, per_payment_se = _ratio(value, payments)
    return TrueValue(
        policy=policy.name,
        payments=int(payments.sum()),
        decisions=int(decisions.sum()),
        per_decision=per_decision,
        per_decision_se=per_decision_se,
        per_payment=per_payment,
        per_payment_se=per_payment_se,
        attempts_per_payment=float(attempts.sum() / payments.sum()),
    )


def _interval(value: float, error: float) -> tuple[float, float]:
    return value - Z_95 * error, value + Z_95 * error


def _ratio(above: FloatArray, below: FloatArray) -> tuple[float, float]:
    """Sum over sum of independent groups, and its standard error by the delta method."""
    used = np.flatnonzero(below)
    ratio = float(above.sum() / below.sum())
    if len(used) < 2:
        return ratio, float("inf")
    residual = above[used] - ratio * below[used]
    spread = np.sqrt((residual**2).sum() * len(used) / (len(used) - 1))
    return ratio, float(spread / below.sum())
