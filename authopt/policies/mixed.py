"""A policy that explores a little: another one, mixed with uniform."""

from __future__ import annotations

from dataclasses import dataclass

from authopt.batch import DecisionBatch, FloatArray, LoggedBatch
from authopt.errors import UserError
from authopt.policies.protocol import LearningPolicy, Policy
from authopt.policies.uniform import uniform


@dataclass(frozen=True, slots=True)
class Mixed:
    """``(1 - epsilon)`` of a policy and ``epsilon`` of uniform.

    No eligible action of a decision with k actions gets less than ``epsilon / k``, so what is
    logged can judge any other policy, with weights of at most ``k / epsilon``.

    Attributes
    ----------
    policy
        what is mixed with uniform.
    epsilon
        share of uniform, above 0 and at most 1.
    """

    policy: Policy
    epsilon: float

    def __post_init__(self) -> None:
        if not 0.0 < self.epsilon <= 1.0:
            raise UserError(f"epsilon is {self.epsilon:g}; expected above 0 and at most 1")

    @property
    def name(self) -> str:
        """The policy's own name and the share of uniform."""
        return f"{self.policy.name} + {self.epsilon:g} uniform"

    def probabilities(self, batch: DecisionBatch) -> FloatArray:
        """float64[m], each at least ``epsilon`` over the number of the decision's actions."""
        own = self.policy.probabilities(batch)
        return (1.0 - self.epsilon) * own + self.epsilon * uniform(batch)


@dataclass(frozen=True, slots=True)
class MixedLearning(Mixed):
    """As :class:`Mixed`, of a policy that learns."""

    def update(self, batch: LoggedBatch) -> None:
        """Let the policy learn."""
        assert isinstance(self.policy, LearningPolicy)
        self.policy.update(batch)


def mixed(policy: Policy, epsilon: float) -> Mixed:
    """The policy mixed with uniform; it still learns if the policy does.

    Raises
    ------
    UserError
        If ``epsilon`` is not above 0 and at most 1.
    """
    kind = MixedLearning if isinstance(policy, LearningPolicy) else Mixed
    return kind(policy, epsilon)
