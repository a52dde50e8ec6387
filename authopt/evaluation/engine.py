"""One pass over a log: any number of policies side by side, in bounded memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np

from authopt.batch import DecisionBatch, FloatArray, LoggedBatch, concat
from authopt.errors import UserError
from authopt.evaluation.buckets import bucket_of, cluster_hashes
from authopt.evaluation.result import LOGGING_POLICY, Evaluation
from authopt.evaluation.summary import Judged, Settings, summarise
from authopt.evaluation.sums import LogSums, PolicySums, route_mass
from authopt.evaluation.terms import BadProbabilities, LoggedArrays, logging_terms, terms_of
from authopt.logs.rejects import Rejects
from authopt.logs.schema import PropensitySource
from authopt.policies.logged import LoggedPolicy
from authopt.policies.protocol import LearningPolicy, Policy
from authopt.rewards import DEFAULT_REWARD, Reward

NO_OUTCOME = "the outcome is not known"
NO_PROPENSITY = "the propensity is not known"
BAD_PROPENSITY = "the propensity is outside (0, 1]"

LEARN_EVERY = 1000
"""Decisions that a learning policy decides before it learns from them."""


class PredictsReward(Protocol):
    """A reward model: q(x, a), cross-fitted, so that no row was seen in its own prediction."""

    def predict(self, batch: DecisionBatch) -> FloatArray:
        """float64[m], predicted reward of every eligible action."""


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

    Raises
    ------
    UserError
        If a policy returns what are not probabilities, a reward is outside its bounds, the log is
        not in the order of time for a policy that learns, or nothing in the log can be used.
    """
    settings = Settings(
        reward=reward.name,
        reward_low=reward.bounds[0],
        reward_high=reward.bounds[1],
        cluster=cluster,
        confidence=confidence,
        bootstrap=bootstrap,
        max_weight=max_weight,
        seed=seed,
        propensity_source=propensity_source.value,
        path=path,
        reward_model=None if reward_model is None else _description(reward_model),
    )
    judged = [policy for policy in policies if not isinstance(policy, LoggedPolicy)]
    texts = [policy.name for policy in policies] if specs is None else list(specs)
    texts = [
        text
        for text, policy in zip(texts, policies, strict=True)
        if not isinstance(policy, LoggedPolicy)
    ]
    candidates = [
        _Candidate(policy, name, text, learn_every if isinstance(policy, LearningPolicy) else None)
        for policy, name, text in zip(judged, _distinct(judged), texts, strict=True)
    ]
    if learn_every is not None and learn_every < 1:
        raise UserError(f"a slice to learn from has {learn_every} decisions; expected 1 or more")
    with_model = reward_model is not None
    own = PolicySums.empty(with_model)
    sums = [PolicySums.empty(with_model) for _ in candidates]
    log = LogSums()
    for batch in batches:
        usable = _usable(batch, log.left_out)
        if not usable.n:
            continue
        _check_rewards(usable, reward, path)
        arrays = _arrays(usable, reward_model)
        hashes = cluster_hashes(usable, cluster)
        bucket = bucket_of(hashes)
        log.add(hashes, arrays)
        if any(candidate.follows for candidate in candidates):
            _check_order(usable, log)
        log.add_times(usable.decided_at, usable.reward)
        log.add_routes(usable)
        own.add(bucket, logging_terms(arrays))
        for candidate, total in zip(candidates, sums, strict=True):
            probabilities = candidate.probabilities(usable)
            try:
                terms = terms_of(arrays, probabilities)
            except BadProbabilities as error:
                raise error.as_user_error(candidate.name, _id(usable, error.decision)) from error
            total.add(bucket, terms, route_mass(usable, probabilities))
    for candidate in candidates:
        candidate.learn()
    _check_propensities(log, path)
    if rejects is not None:
        log.left_out.update(rejects.by_reason)
    return summarise(
        log,
        [
            Judged(LOGGING_POLICY, LOGGING_POLICY, own, is_logging_policy=True),
            *(
                Judged(candidate.name, candidate.spec, total, learns=candidate.follows)
                for candidate, total in zip(candidates, sums, strict=True)
            ),
        ],
        settings,
    )


@dataclass(slots=True, eq=False)
class _Candidate:
    """A policy under judgement; one that follows the log learns from slices of a fixed size.

    The slices run on over the ends of chunks, so that the answer does not depend on the chunks.
    """

    policy: Policy
    name: str
    spec: str
    learn_every: int | None
    waiting: list[LoggedBatch] = field(default_factory=list)

    @property
    def follows(self) -> bool:
        return self.learn_every is not None

    def probabilities(self, batch: LoggedBatch) -> FloatArray:
        if self.learn_every is None:
            return np.asarray(self.policy.probabilities(batch.decisions()), np.float64)
        parts, start = [], 0
        while start < batch.n:
            room = self.learn_every - sum(part.n for part in self.waiting)
            part = batch.take(slice(start, start + room))
            parts.append(np.asarray(self.policy.probabilities(part.decisions()), np.float64))
            self.waiting.append(part)
            start += part.n
            if part.n == room:
                self.learn()
        return np.concatenate(parts)

    def learn(self) -> None:
        if self.waiting:
            assert isinstance(self.policy, LearningPolicy)
            self.policy.update(concat(self.waiting))
            self.waiting = []


def _usable(batch: LoggedBatch, left_out: Counter[str]) -> LoggedBatch:
    no_outcome = np.isnan(batch.reward)
    no_propensity = ~no_outcome & np.isnan(batch.propensity)
    bad = ~no_outcome & ~no_propensity & ~((batch.propensity > 0.0) & (batch.propensity <= 1.0))
    for reason, rows in (
        (NO_OUTCOME, no_outcome),
        (NO_PROPENSITY, no_propensity),
        (BAD_PROPENSITY, bad),
    ):
        if rows.any():
            left_out[reason] += int(rows.sum())
    keep = ~(no_outcome | no_propensity | bad)
    return batch if keep.all() else batch.take(np.flatnonzero(keep))


def _arrays(batch: LoggedBatch, reward_model: PredictsReward | None) -> LoggedArrays:
    q = None
    if reward_model is not None:
        q = np.asarray(reward_model.predict(batch.decisions()), np.float64)
        if q.shape != (batch.m,) or not np.isfinite(q).all():
            raise ValueError(f"the reward model must give {batch.m} finite predictions")
    probability = batch.probability
    if probability is not None and np.isnan(probability).any():
        probability = None
    return LoggedArrays(
        offsets=batch.offsets,
        chosen=batch.chosen,
        reward=batch.reward,
        propensity=batch.propensity,
        probability=probability,
        q=q,
    )


def _check_rewards(batch: LoggedBatch, reward: Reward, path: Path | None) -> None:
    low, high = reward.bounds
    outside = np.flatnonzero(~((batch.reward >= low) & (batch.reward <= high)))
    if len(outside):
        row = int(outside[0])
        raise UserError(
            f"{path or 'the log'}: decision {_id(batch, row)!r} has reward {batch.reward[row]:g} "
            f"(reward {reward.name!r}), outside its bounds [{low:g}, {high:g}]. Intervals rest on "
            "the bounds: declare them so that they hold, for example --reward "
            f"column:{reward.name}:LOW:HIGH"
        )


def _check_order(batch: LoggedBatch, log: LogSums) -> None:
    times = batch.decided_at
    before = np.concatenate([times[:1] if log.last is None else [log.last], times[:-1]])
    early = np.flatnonzero(times < before)
    if len(early):
        row = int(early[0])
        raise UserError(
            f"a policy that learns follows the log in the order of time, but decision "
            f"{_id(batch, row)!r} ({times[row]}Z) stands after one at {before[row]}Z. Sort the log "
            "by decided_at, or judge the policy frozen (--frozen)"
        )


def _check_propensities(log: LogSums, path: Path | None) -> None:
    if not log.rows and log.left_out[NO_PROPENSITY]:
        raise UserError(without_propensities(path))


def without_propensities(path: Path | None) -> str:
    """What to tell a user whose log has no propensities."""
    return (
        f"{path or 'the log'} has no propensities (the probability with which each logged action "
        "was taken), and without them no policy can be judged. Estimate them first: "
        f"authopt log propensities {path or 'LOG'} --out with-propensities.parquet"
    )


def _distinct(policies: Sequence[Policy]) -> Iterator[str]:
    taken = {LOGGING_POLICY}
    for policy in policies:
        name, number = policy.name, 2
        while name in taken:
            name, number = f"{policy.name} #{number}", number + 1
        taken.add(name)
        yield name


def _description(model: PredictsReward) -> str:
    return str(getattr(model, "description", type(model).__name__))


def _id(batch: LoggedBatch, decision: int | None) -> str | None:
    return None if decision is None else str(batch.decision_id[decision].as_py())
