"""What a pass adds up."""

from __future__ import annotations

from dataclasses import dataclass

from authopt.evaluation.support_bounds import Assumption


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a pass adds up beyond the bucket table.

    Attributes
    ----------
    model
        whether there is a reward model.
    reward_low, reward_high
        declared bounds of the reward.
    embeddings
        action features to marginalise over.
    segments
        columns to form segments by (:func:`authopt.evaluation.segment_values.segments_of`).
    over_time, payments
        whether to judge by time, and payment by payment.
    anytime
        whether to make anytime-valid intervals; with ``model_bets`` the reward model takes part,
        which it may only if it has not learnt from these rows or later ones.
    likelihood
        whether to make intervals by empirical likelihood.
    families
        whether to have the estimators that cut weights, at every value of their parameter.
    assumption
        on delays, for bounds where support is lacking.
    check_every
        the propensities of one payment in so many are checked; 0 for none.
    """

    model: bool = False
    reward_low: float = 0.0
    reward_high: float = 1.0
    segments: tuple[str, ...] = ()
    embeddings: tuple[str, ...] = ()
    over_time: bool = False
    payments: bool = False
    anytime: bool = True
    model_bets: bool = False
    likelihood: bool = True
    families: bool = True
    assumption: Assumption | None = None
    check_every: int = 0
