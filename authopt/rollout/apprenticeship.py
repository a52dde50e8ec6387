"""How well a router is imitated, and what acting by a better policy would gain."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from authopt.batch import LoggedBatch
from authopt.evaluation.engine import evaluate
from authopt.evaluation.quantities import Estimate
from authopt.evaluation.result import PolicyResult
from authopt.learning.reward_model import fit_reward_model
from authopt.logs.propensity import PropensityModel
from authopt.logs.propensity_report import PropensityReport, shortcomings
from authopt.logs.schema import PropensitySource
from authopt.policies.protocol import Policy
from authopt.rewards import Reward

Read = Callable[[], Iterable[LoggedBatch]]
"""Gives the log from its beginning, with the rewards that are meant."""


@dataclass(frozen=True, slots=True)
class Imitation:
    """How well the router is imitated, on payments that the model was not fitted on.

    Attributes
    ----------
    decisions
        of the log.
    log_loss
        mean of -log(probability of what the router did), in nats.
    log_loss_shares, log_loss_uniform
        the same of a model that knows how often each action is taken and no context, and of equal
        probabilities.
    agreement
        share of the decisions whose action is the one that the model holds most likely.
    calibration_error
        mean distance of predicted and observed frequencies.
    shortcomings
        what is not good enough, in sentences.
    """

    decisions: int
    log_loss: float
    log_loss_shares: float
    log_loss_uniform: float
    agreement: float
    calibration_error: float
    shortcomings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Gain:
    """What a better policy would gain over the router: reward per decision.

    Attributes
    ----------
    column, segment
        of the payments; None for all.
    decisions
        that this rests on.
    router
        mean reward of what was done.
    gain
        estimate of the better policy's value less that; None where nothing tells.
    lower, upper
        its limits; those of all segments hold together.
    """

    column: str | None
    segment: str | None
    decisions: int
    router: float
    gain: float | None
    lower: float
    upper: float

    @property
    def is_sure(self) -> bool:
        """Whether there is a gain beyond doubt: where to act first."""
        return self.lower > 0.0


@dataclass(frozen=True, slots=True)
class Acting:
    """What acting by a better policy would gain.

    Attributes
    ----------
    spec
        the better policy.
    reward
        that is gained.
    confidence
        of the limits.
    effective_share
        share of the decisions that tell of the better policy, by the weights.
    whole, segments
        the gains.
    first
        where to act first, as the key ``only`` of an apprentice takes it; None where no segment
        gains beyond doubt.
    """

    spec: str
    reward: str
    confidence: float
    effective_share: float
    whole: Gain
    segments: tuple[Gain, ...]
    first: str | None


def imitation_of(read: Read, router: PropensityModel, report: PropensityReport) -> Imitation:
    """How well the router is imitated.

    Parameters
    ----------
    read
        the log that the model was fitted on: each payment is judged by the model without it.
    router, report
        as :func:`authopt.logs.propensity.estimate_propensities` gives them.
    """
    agreed, decisions = 0.0, 0
    for batch in read():
        given = router.probabilities(batch.decisions())
        best = np.maximum.reduceat(given, batch.offsets[:-1])
        taken = given[batch.chosen_action]
        # A tie is half an agreement at most; it counts by the number of actions that tie.
        ties = batch.sum_by_decision((given == np.repeat(best, batch.counts)).astype(np.float64))
        agreed += float(((taken == best) / ties).sum())
        decisions += batch.n
    return Imitation(
        decisions=decisions,
        log_loss=report.log_loss,
        log_loss_shares=report.log_loss_marginal,
        log_loss_uniform=report.log_loss_uniform,
        agreement=agreed / decisions,
        calibration_error=report.calibration_error.value,
        shortcomings=shortcomings(report),
    )


def acting_by(
    read: Read,
    router: PropensityModel,
    source: PropensitySource,
    better: Policy,
    spec: str,
    reward: Reward,
    columns: Sequence[str],
    *,
    with_model: bool = True,
) -> Acting:
    """Judge a better policy by the router's log.

    Parameters
    ----------
    read
        the log.
    router
        gives the propensities where the log has none.
    source
        where those of the log are from.
    better, spec
        the policy, frozen as it is.
    reward
        that is meant.
    columns
        to form segments by.
    with_model
        whether to fit a reward model, for doubly robust estimates.

    Raises
    ------
    UserError
        If nothing in the log can be used, or there is no such column.
    """
    has_own = source is not PropensitySource.UNKNOWN

    def filled() -> Iterator[LoggedBatch]:
        for batch in read():
            yield batch if has_own else router.fill(batch)

    found = evaluate(
        filled(),
        [better],
        reward_model=fit_reward_model(filled()) if with_model else None,
        reward=reward,
        bootstrap=0,
        learn_every=None,
        segments=columns,
        payments=False,
        specs=[spec],
        propensity_source=source if has_own else PropensitySource.ESTIMATED,
    )
    result = found.policies[1]
    assert result.gain is not None
    whole = _gain(None, None, found.log.rows, found.log.mean_reward or 0.0, result.gain)
    segments = tuple(_segments(result))
    return Acting(
        spec=spec,
        reward=found.log.reward,
        confidence=found.confidence,
        effective_share=result.diagnostics.effective_share,
        whole=whole,
        segments=segments,
        first=_first(segments),
    )


def _segments(result: PolicyResult) -> Iterator[Gain]:
    for column in result.segments:
        for each in column.segments:
            assert each.gain is not None
            yield _gain(column.column, each.name, each.rows, each.logged, each.gain)


def _gain(
    column: str | None, segment: str | None, decisions: int, router: float, gain: Estimate
) -> Gain:
    limits = gain.interval
    return Gain(column, segment, decisions, router, gain.value, limits.lower, limits.upper)


def _first(segments: Sequence[Gain]) -> str | None:
    """The sure segments of the column whose sure gains are the largest together."""
    by_column: dict[str, list[Gain]] = {}
    for each in segments:
        if each.is_sure and each.column is not None:
            by_column.setdefault(each.column, []).append(each)
    if not by_column:
        return None
    column, sure = max(
        by_column.items(), key=lambda item: sum(each.lower * each.decisions for each in item[1])
    )
    return f"{column}:{'+'.join(each.segment or '' for each in sure)}"
