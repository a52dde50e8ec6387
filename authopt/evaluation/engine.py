"""One pass over a log: any number of policies side by side, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from pathlib import Path

from authopt.batch import LoggedBatch
from authopt.errors import UserError
from authopt.evaluation.blocks import (
    NO_PROPENSITY,
    PredictsReward,
    block_of,
    check_order,
    embeddings_of,
    id_of,
)
from authopt.evaluation.candidates import Candidate, candidates_of
from authopt.evaluation.freed_memory import keep_freed_memory
from authopt.evaluation.judged import Named
from authopt.evaluation.log_sums import LogSums
from authopt.evaluation.result import Evaluation
from authopt.evaluation.segments import VOLUME
from authopt.evaluation.settings import Settings
from authopt.evaluation.summary import summarise
from authopt.evaluation.sums import EvaluationSums
from authopt.evaluation.support_bounds import Assumption
from authopt.evaluation.terms import BadProbabilities, Terms, terms_of
from authopt.evaluation.wanted import Wanted
from authopt.logs.rejects import Rejects
from authopt.logs.schema import PropensitySource
from authopt.policies.protocol import Policy
from authopt.rewards import DEFAULT_REWARD, Reward

LEARN_EVERY = 1000
"""Decisions that a learning policy decides before it learns from them."""


def evaluate(
    batches: Iterable[LoggedBatch],
    policies: Sequence[Policy],
    *,
    reward_model: PredictsReward | None = None,
    reward: Reward = DEFAULT_REWARD,
    cluster: str = "payment_id",
    confidence: float = 0.95,
    bootstrap: int = 1000,
    max_weight: float | None = None,
    learn_every: int | None = LEARN_EVERY,
    seed: int = 0,
    segments: Sequence[str] = (),
    volume: bool = False,
    payments: bool = True,
    assumption: Assumption | None = None,
    values_only: bool = False,
    specs: Sequence[str] | None = None,
    propensity_source: PropensitySource = PropensitySource.LOGGED,
    path: Path | None = None,
    rejects: Rejects | None = None,
) -> Evaluation:
    """Judge policies by the log of another, in one pass.

    The logging policy is always judged too, first, by the mean of its own rewards. A policy that
    learns (``LearningPolicy``) follows the log in the order of time: it gives the probabilities of
    a slice of decisions, then learns from that slice's outcomes, and so on; the estimate is of the
    policy that learns from this stream, and the policy is left as it ended. Every other policy, and
    with ``learn_every=None`` every policy, is judged frozen.

    Parameters
    ----------
    batches
        the log in chunks; their rewards are already those of ``reward``.
    policies
        the evaluation policies; ``LoggedPolicy`` among them stands for the logging policy.
    reward_model
        predicts the reward of every eligible action; without it there is no DM and no DR.
    reward
        gives its name and the bounds that rewards cannot leave.
    cluster
        column within whose values rows are not independent: ``payment_id``, ``decision_id`` or a
        context column of names.
    confidence
        nominal coverage of the intervals.
    bootstrap
        replicates of the bootstrap interval.
    max_weight
        largest importance weight that is possible at all, where the user knows it; by default it
        is computed from the logged probabilities of all eligible actions.
    learn_every
        decisions in a slice for policies that learn; None to judge them frozen.
    seed
        of the bootstrap.
    specs
        the text that each policy was loaded from; by default its name.
    propensity_source, path
        where the log's propensities and the log itself are from, for the report.
    rejects
        the unsound rows that ``batches`` leaves out as it is read; they are reported too.
    segments
        columns to judge by segment too (:func:`authopt.evaluation.segment_values.segments_of`).
    volume
        whether to say what gains mean in money, by currency; for rewards that are approval.
    payments
        whether to judge payment by payment too. The rows of all payments are kept to be brought
        together, in a temporary file where they are many (128 bytes a row and policy).
    values_only
        values and gains alone, as fast as they can be had, by the estimators that cut no weights:
        nothing per payment or over time, no anytime-valid intervals and none by empirical
        likelihood, and propensities are not checked.
    assumption
        on the rewards of delays that the logging policy never takes, for bounds of the value.

    Raises
    ------
    UserError
        If a policy returns what are not probabilities, a reward is outside its bounds, the log is
        not in the order of time for a policy that learns, or nothing in the log can be used.
    """
    keep_freed_memory()
    candidates = candidates_of(policies, specs, learn_every)
    batches = iter(batches)
    first = next(batches, None)
    embeddings = () if first is None else embeddings_of(first)
    wanted = wanted_of(
        reward, reward_model, segments, embeddings, volume, payments, assumption, values_only
    )
    batches = batches if first is None else chain([first], batches)
    sums = add_batches(
        batches,
        candidates,
        wanted,
        reward_model=reward_model,
        reward=reward,
        cluster=cluster,
        path=path,
    )
    settings = Settings(
        reward=reward.name,
        reward_low=reward.bounds[0],
        reward_high=reward.bounds[1],
        reward_currency=reward.currency,
        reward_spec=reward.spec,
        reward_by_approval=reward.by_approval,
        cluster=cluster,
        confidence=confidence,
        bootstrap=bootstrap,
        max_weight=max_weight,
        seed=seed,
        propensity_source=propensity_source.value,
        path=path,
        reward_model=None if reward_model is None else description_of(reward_model),
        embeddings=embeddings,
    )
    check_propensities(sums.log, path)
    if rejects is not None:
        sums.log.left_out.update(rejects.by_reason)
    return summarise(
        sums, [Named(each.name, each.spec, each.follows) for each in candidates], settings
    )


def wanted_of(
    reward: Reward,
    reward_model: PredictsReward | None,
    segments: Sequence[str],
    embeddings: tuple[str, ...],
    volume: bool,
    payments: bool = True,
    assumption: Assumption | None = None,
    values_only: bool = False,
    check_every: int = 1,
) -> Wanted:
    """What a pass over an attempt log adds up; arguments as of :func:`evaluate`."""
    low, high = reward.bounds
    return Wanted(
        model=reward_model is not None,
        reward_low=low,
        reward_high=high,
        segments=tuple(dict.fromkeys([*segments, *([VOLUME] if volume else [])])),
        embeddings=embeddings,
        over_time=not values_only,
        payments=payments and not values_only,
        anytime=not values_only,
        likelihood=not values_only,
        families=not values_only,
        assumption=assumption,
        check_every=0 if values_only else check_every,
    )


def add_batches(
    batches: Iterable[LoggedBatch],
    candidates: Sequence[Candidate],
    wanted: Wanted,
    *,
    reward_model: PredictsReward | None,
    reward: Reward,
    cluster: str,
    path: Path | None,
) -> EvaluationSums:
    """The sums of some batches of a log; those of all its pieces add up to those of the whole.

    Only where a candidate learns does it matter that the batches come in the order of time, and
    that no other pass has seen the batches before them.

    Raises
    ------
    UserError
        As :func:`evaluate` does.
    """
    sums = EvaluationSums.empty(len(candidates), wanted)
    for batch in batches:
        before = sums.log.last
        block = block_of(
            batch,
            sums.log.left_out,
            reward=reward,
            reward_model=reward_model,
            cluster=cluster,
            path=path,
            embeddings=wanted.embeddings,
        )
        if block is None:
            continue
        assert block.batch is not None
        if any(candidate.follows for candidate in candidates):
            check_order(block.batch, before, ", or judge the policy frozen (--frozen)")
        terms: list[Terms] = []
        probabilities = [candidate.probabilities(block.batch) for candidate in candidates]
        for candidate, given in zip(candidates, probabilities, strict=True):
            try:
                terms.append(terms_of(block.arrays, given))
            except BadProbabilities as error:
                where = id_of(block.batch, error.decision)
                raise error.as_user_error(candidate.name, where) from error
        sums.add(block, terms, probabilities)
    for candidate in candidates:
        candidate.learn()
    return sums


def check_propensities(log: LogSums, path: Path | None) -> None:
    """Raise a UserError where no row could be used because the log has no propensities."""
    if not log.rows and log.left_out[NO_PROPENSITY]:
        raise UserError(without_propensities(path))


def without_propensities(path: Path | None) -> str:
    """What to tell a user whose log has no propensities."""
    return (
        f"{path or 'the log'} has no propensities (the probability with which each logged action "
        "was taken), and without them no policy can be judged. Estimate them first: "
        f"authopt log propensities {path or 'LOG'} --out with-propensities.parquet"
    )


def description_of(model: PredictsReward) -> str:
    """What reports say of a reward model."""
    return str(getattr(model, "description", type(model).__name__))
