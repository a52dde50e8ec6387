"""What is asked of an evaluation."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from authopt.errors import UserError
from authopt.evaluation.quantities import Remark


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What was asked.

    Attributes
    ----------
    reward, reward_low, reward_high
        name and bounds of the reward.
    reward_currency, reward_spec
        currency that it is minor units of, or None; the text that it was made from.
    reward_by_approval
        whether an attempt that is not approved earns nothing: its reward is at most 0.
    cluster
        name of the column whose values are the clusters.
    confidence
        nominal coverage of the intervals, in (0, 1).
    bootstrap
        number of bootstrap replicates; 0 for none.
    max_weight
        largest possible weight as the user declares it, or None.
    seed
        of the bootstrap.
    propensity_source
        where the log's propensities are from.
    path
        file of the log, or None.
    reward_model
        description of the reward model, or None where there is none.
    declared
        bounds of the reward as declared, where those above are wider because rewards are completed
        for outcomes that are late or lost; None where they are the same.
    remarks
        on the log, beyond those that its sums give.
    options
        further options of the command that made the evaluation, to make it again.
    embeddings
        action features that the log has, for estimators that need one.
    """

    reward: str = "reward"
    reward_low: float = 0.0
    reward_high: float = 1.0
    reward_currency: str | None = None
    reward_spec: str = "approved"
    reward_by_approval: bool = False
    cluster: str = "payment_id"
    confidence: float = 0.95
    bootstrap: int = 1000
    max_weight: float | None = None
    seed: int = 0
    propensity_source: str = "logged"
    path: Path | None = None
    reward_model: str | None = None
    declared: tuple[float, float] | None = None
    remarks: tuple[Remark, ...] = ()
    options: tuple[str, ...] = ()
    embeddings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 0.0 < self.confidence < 1.0:
            raise UserError(f"confidence is {self.confidence}; expected above 0 and below 1")
        if self.bootstrap < 0:
            raise UserError(f"bootstrap replicates are {self.bootstrap}; expected 0 or more")
        if not -np.inf < self.reward_low < self.reward_high < np.inf:
            raise UserError(
                f"the reward's bounds are {self.reward_low} and {self.reward_high}; expected two "
                "finite numbers, the lower one first"
            )
        if self.max_weight is not None and not 1.0 <= self.max_weight < np.inf:
            raise UserError(
                f"the largest weight is declared as {self.max_weight}; expected a number >= 1 "
                "(a policy that is the logging policy has weights of 1)"
            )
