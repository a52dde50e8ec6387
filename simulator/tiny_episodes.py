"""Payments small enough that every log of a few of them can be listed, retries and all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from math import prod

import numpy as np
import pyarrow as pa

from authopt.actions import STOP_ROUTE
from authopt.batch import Categorical, DecisionBatch, FloatArray, LoggedBatch

Policy = tuple[tuple[Fraction, ...], ...]
"""By state, the probability of each action; the last action is giving up."""


@dataclass(frozen=True, slots=True)
class Step:
    """One decision of a payment: its state, the action taken, and whether it was approved."""

    state: int
    action: int
    approved: int


@dataclass(frozen=True, slots=True)
class Payment:
    """A payment from its first decision to its end, and its probability under some policy."""

    steps: tuple[Step, ...]
    probability: Fraction


@dataclass(frozen=True, slots=True)
class TinyEpisodes:
    """A few states; an approval or giving up ends a payment, a decline leads to another state.

    Attributes
    ----------
    first
        probability of each state at the first decision.
    approval
        by state, the chance that each action is approved; giving up comes last, with 0.
    following
        by state and action, the probability of each next state after a decline; what is missing
        to 1 is the chance that the payer leaves.
    longest
        after as many decisions no further one is made.
    """

    first: tuple[Fraction, ...]
    approval: tuple[tuple[Fraction, ...], ...]
    following: tuple[tuple[tuple[Fraction, ...], ...], ...]
    longest: int

    def payments(self, policy: Policy) -> list[Payment]:
        """Every payment that can happen under a policy; their probabilities sum to 1."""
        ended: list[Payment] = []
        going: list[tuple[int, tuple[Step, ...], Fraction]] = [
            (state, (), chance) for state, chance in enumerate(self.first) if chance
        ]
        for attempt in range(1, self.longest + 1):
            later: list[tuple[int, tuple[Step, ...], Fraction]] = []
            for state, steps, chance in going:
                stop = len(policy[state]) - 1
                for action, probability in enumerate(policy[state]):
                    if not probability:
                        continue
                    approval, so_far = self.approval[state][action], chance * probability
                    if approval:
                        done = (*steps, Step(state, action, 1))
                        ended.append(Payment(done, so_far * approval))
                    declined = (*steps, Step(state, action, 0))
                    left = so_far * (1 - approval)
                    if action == stop or attempt == self.longest:
                        ended.append(Payment(declined, left))
                        continue
                    moves = self.following[state][action]
                    if sum(moves) < 1:
                        ended.append(Payment(declined, left * (1 - sum(moves))))
                    for target, move in enumerate(moves):
                        if move:
                            later.append((target, declined, left * move))
            going = later
        return [payment for payment in ended if payment.probability]

    def value(self, policy: Policy) -> Fraction:
        """The exact share of payments that a policy gets approved."""
        return self.mean(policy, lambda payment: payment.steps[-1].approved)

    def attempts(self, policy: Policy) -> Fraction:
        """The exact number of attempts that a policy makes per payment."""
        return self.mean(policy, lambda payment: sum(map(self.is_attempt, payment.steps)))

    def is_attempt(self, step: Step) -> bool:
        """Whether a step is not giving up."""
        return step.action < len(self.approval[step.state]) - 1

    def mean(self, policy: Policy, number: Callable[[Payment], int]) -> Fraction:
        """The exact mean of a number per payment under a policy."""
        payments = self.payments(policy)
        return sum((each.probability * number(each) for each in payments), Fraction(0))

    def logs(self, policy: Policy, n: int) -> Iterator[tuple[tuple[Payment, ...], float]]:
        """Every log of n independent payments under a policy, with its probability."""
        for payments in product(self.payments(policy), repeat=n):
            chance = prod((payment.probability for payment in payments), start=Fraction(1))
            yield payments, float(chance)


_F = Fraction
EPISODES = TinyEpisodes(
    first=(_F(1), _F(0)),
    approval=((_F(3, 5), _F(1, 3), _F(0)), (_F(1, 4), _F(0))),
    following=(
        ((_F(1, 2), _F(1, 4)), (_F(0), _F(3, 4)), (_F(0), _F(0))),
        ((_F(1, 3), _F(1, 3)), (_F(0), _F(0))),
    ),
    longest=2,
)
"""Two states; in the second, one action less. A payer leaves after a quarter of the declines and
more, and nobody tries a third time."""

LOGGING: Policy = ((_F(1, 2), _F(1, 4), _F(1, 4)), (_F(2, 3), _F(1, 3)))
"""A policy that takes every action, giving up included."""


def by_state(batch: DecisionBatch, policy: Policy) -> FloatArray:
    """float64[m], a policy's probabilities at the decisions of a log of tiny payments."""
    state = batch.context["x_state"]
    assert isinstance(state, Categorical)
    return np.array([float(chance) for code in state.codes for chance in policy[code]])


def episode_log(payments: tuple[Payment, ...], logging: Policy = LOGGING) -> LoggedBatch:
    """Payments as an attempt log; the state is in ``x_state``, each attempt costs 2 minor units."""
    rows = [
        (place, attempt, step)
        for place, payment in enumerate(payments)
        for attempt, step in enumerate(payment.steps, 1)
    ]
    steps = [step for _, _, step in rows]
    counts = np.array([len(logging[step.state]) for step in steps], np.int64)
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    chosen = np.array([step.action for step in steps], np.int64)
    attempt = np.array([attempt for _, attempt, _ in rows], np.int32)
    most = max(map(len, logging)) - 1
    place = np.arange(offsets[-1]) - np.repeat(offsets[:-1], counts)
    is_stop = place == np.repeat(counts, counts) - 1
    probability = np.array([float(chance) for step in steps for chance in logging[step.state]])
    made = ~is_stop[offsets[:-1] + chosen]
    approved = np.array([step.approved for step in steps], np.float64)
    start = np.datetime64("2026-01-05", "us")
    return LoggedBatch(
        decision_id=pa.array([f"t{payment}-{number}" for payment, number, _ in rows]),
        payment_id=pa.array([f"t{payment}" for payment, _, _ in rows]),
        attempt=attempt,
        decided_at=start + attempt * np.timedelta64(1, "h"),
        context={
            "x_state": Categorical(
                np.array([step.state for step in steps], np.int32),
                tuple(f"s{number}" for number in range(len(logging))),
            )
        },
        routes=(*(f"a{number}" for number in range(most)), STOP_ROUTE),
        action_route=np.where(is_stop, most, place).astype(np.int32),
        action_delay_s=np.zeros(offsets[-1], np.int64),
        offsets=offsets,
        chosen=chosen,
        propensity=probability[offsets[:-1] + chosen],
        probability=probability,
        reward=approved,
        outcome={"approved": approved, "fee_minor": np.where(made, 2.0, 0.0)},
    )
