"""What a policy is truly worth in the world, and the policy that nobody can beat on a decision."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from authopt.batch import DecisionBatch, FloatArray
from authopt.hashing import hash_strings
from authopt.policies.priority import first_of_each
from authopt.policies.protocol import Policy
from authopt.rules import DEFAULT_RULES, Rules
from simulator.arrivals import Traffic
from simulator.simulate import simulate
from simulator.world import World


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


def value_on(world: World, batch: DecisionBatch, policy: Policy) -> FloatArray:
    """float64[n]: the expected approval of a policy at given decision points, exactly.

    The mean of it over the decisions of a log is what off-policy evaluation of that log estimates:
    the value over the decision points that the *logging* policy met. No sampling is involved.
    """
    chance = policy.probabilities(batch) * world.approval_probability(batch)
    return batch.sum_by_decision(chance)


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
        mean approval per decision, and its standard error (payments are independent).
    per_payment, per_payment_se
        share of payments paid in the end.
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


def true_value(
    world: World, policy: Policy, traffic: Traffic, *, rules: Rules = DEFAULT_RULES
) -> TrueValue:
    """Run a policy in the world and take expectations where they are known.

    At every decision point met, the exact chance of approval takes the place of the outcome that
    was drawn (Rao-Blackwell), so only what was met is left to chance.
    """
    payments, values, attempts = [], [], 0
    for batch in simulate(world, traffic, policy, rules=rules):
        payments.append(hash_strings(batch.payment_id))
        values.append(value_on(world, batch.decisions(), policy))
        attempts += int((~batch.is_stop[batch.chosen_action]).sum())
    _, payment = np.unique(np.concatenate(payments), return_inverse=True)
    value = np.concatenate(values)
    by_payment = np.bincount(payment, value).astype(np.float64)
    decisions = np.bincount(payment).astype(np.float64)
    n = len(by_payment)
    ratio = float(by_payment.sum() / decisions.sum())
    residual = (by_payment - ratio * decisions) / decisions.mean()
    return TrueValue(
        policy=policy.name,
        payments=n,
        decisions=len(value),
        per_decision=ratio,
        per_decision_se=_standard_error(residual),
        per_payment=float(by_payment.mean()),
        per_payment_se=_standard_error(by_payment),
        attempts_per_payment=attempts / n,
    )


def _standard_error(values: FloatArray) -> float:
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else float("inf")
