"""Replay: how a policy that learns would have done, from the log of another.

A learner cannot be judged as a fixed policy is: what it does at a row depends on what it saw
before, and it would not have seen what the logging policy did. A replay lets it see the rows that
it would have seen itself, by rejection sampling (see ``replay_acceptance``), and learn from these
alone, with its own probabilities as their propensities. Two estimates come of one pass:

- *rejection*: the mean reward of the accepted rows. Li, Chu, Langford & Wang, 'Unbiased offline
  evaluation of contextual-bandit-based news article recommendation algorithms', WSDM 2011,
  algorithm 2 and theorem 1, for uniform logging; here for any known propensities.
- *doubly robust replay*: every row, accepted or not, gives a doubly robust term for the policy that
  the learner follows there, and the estimate is sum(c * term) / sum(c) with the multiplier c of the
  row. Dudík, Erhan, Langford & Li, 'Sample-efficient nonstationary policy evaluation for contextual
  bandits', UAI 2012 (DR-ns); the same, 'Doubly robust policy evaluation and optimization',
  Statistical Science 29, 2014. It uses the whole log, and has far less variance.

What is exact. With a fixed c no larger than the smallest p / pi (``max_weight``), the rows that the
learner accepted are distributed as its first rows live, so the k-th accepted reward has the
expectation of the k-th live one, and before the k-th row of the log the learner has the
distribution of a live learner after Binomial(k - 1, c) decisions; every doubly robust term is
unbiased for the value of the policy followed there, whatever c is and whatever the reward model
says. With c at a quantile of the ratios seen (``quantile``) chances are cut at 1 now and then, and
what the learner sees is off by the reported ``distortion``.

What is estimated. Decisions are those that the *logging* policy met. A retry is among them although
the learner might have rejected, or decided otherwise on, an earlier attempt of the same payment: it
is a decision point like any other, and the value is per decision over such points, not per payment.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from authopt.batch import LoggedBatch
from authopt.errors import UserError
from authopt.evaluation.blocks import (
    NO_PROPENSITY,
    PredictsReward,
    arrays_of,
    check_order,
    check_rewards,
    id_of,
    usable,
)
from authopt.evaluation.engine import description_of, without_propensities
from authopt.evaluation.logged_arrays import LoggedArrays
from authopt.evaluation.replay.acceptance import (
    AcceptanceRule,
    acceptance_uniforms,
    first_multiplier,
)
from authopt.evaluation.replay.result import Method, ReplayResult
from authopt.evaluation.replay.run import Follower
from authopt.evaluation.replay.summary import summarise_replay
from authopt.evaluation.replay.totals import Replayed, ReplaySettings
from authopt.evaluation.terms import BadProbabilities
from authopt.logs.rejects import Rejects
from authopt.policies.protocol import LearningPolicy, Policy
from authopt.rewards import DEFAULT_REWARD, Reward

QUANTILE = 0.01
"""Of the ratios p / pi, where no bound on the weights is declared."""


def replay(
    batches: Iterable[LoggedBatch],
    policy: Policy,
    *,
    method: Method | None = None,
    reward_model: PredictsReward | None = None,
    reward: Reward = DEFAULT_REWARD,
    max_weight: float | None = None,
    quantile: float = QUANTILE,
    update_every: int = 1,
    seed: int = 0,
    repetitions: int = 1,
    confidence: float = 0.95,
    path: Path | None = None,
    rejects: Rejects | None = None,
) -> ReplayResult:
    """Judge a policy that learns by replaying a log to it, in one pass and bounded memory.

    The policy itself is left as it is: every repetition works on a copy. A policy that does not
    learn is judged too, as it stands.

    Parameters
    ----------
    batches
        the log in chunks, by time of decision; their rewards are already those of ``reward``.
    policy
        the learner, in the state that it starts with.
    method
        the estimate to quote; both are computed. By default doubly robust where there is a reward
        model, else rejection.
    reward_model
        predicts the reward of every eligible action; its predictions are cut to the bounds of the
        reward. Without it, the lowest reward is predicted everywhere, which makes the doubly robust
        term the inverse propensity score of the reward above its lower bound.
    reward
        gives its name and the bounds that rewards cannot leave.
    max_weight
        a bound on the importance weights, from 1 on: rows are accepted with c = 1 / max_weight, and
        the replay is exact. ``largest_weight`` finds one in the log.
    quantile
        without a bound: the share of weights that may be too large for c, in [0, 1).
    update_every
        accepted rows that the learner learns from at a time.
    seed, repetitions
        which rows are accepted is left to chance (fixed by decision id and seed); several
        repetitions, each with its own, are averaged.
    confidence
        nominal coverage of the intervals.
    path
        file of the log, for messages.
    rejects
        the unsound rows that ``batches`` leaves out as it is read; they are reported too.

    Raises
    ------
    UserError
        If an option is out of range, the policy cannot be copied or returns what are not
        probabilities, a weight is above ``max_weight``, a reward is outside its bounds, the log is
        not in the order of time, or nothing in it can be used.
    """
    _check_options(max_weight, quantile, update_every, repetitions, confidence)
    if method is None:
        method = Method.REJECTION if reward_model is None else Method.DR
    settings = ReplaySettings(
        method=method,
        reward=reward.name,
        reward_low=reward.bounds[0],
        reward_high=reward.bounds[1],
        reward_currency=reward.currency,
        max_weight=max_weight,
        quantile=None if max_weight is not None else quantile,
        update_every=update_every,
        confidence=confidence,
        reward_model=None if reward_model is None else description_of(reward_model),
        path=path,
    )
    replayed = Replayed.empty(settings, repetitions)
    followers: list[Follower] = []
    left_out: Counter[str] = Counter()
    for batch in batches:
        kept = usable(batch, left_out)
        if not kept.n:
            continue
        check_rewards(kept, reward, path)
        check_order(kept, replayed.last)
        if not followers:
            start = first_multiplier(kept) if max_weight is None else 1.0 / max_weight
            replayed.first_multiplier = start
            followers = [
                Follower(
                    policy=_copy(policy),
                    acceptance=AcceptanceRule(start, settings.quantile),
                    update_every=update_every,
                    bounds=reward.bounds,
                )
                for _ in range(repetitions)
            ]
        arrays = _with_predictions(arrays_of(kept, reward_model), reward.bounds)
        followed = []
        for repetition, follower in enumerate(followers):
            uniform = acceptance_uniforms(kept.decision_id, seed, repetition)
            try:
                followed.append(follower.follow(kept, arrays, uniform))
            except BadProbabilities as error:
                raise error.as_user_error(policy.name, id_of(kept, error.decision)) from error
        replayed.add(kept, arrays, followed)
    for follower in followers:
        follower.finish()
    if not replayed.rows and left_out[NO_PROPENSITY]:
        raise UserError(without_propensities(path))
    if rejects is not None:
        left_out.update(rejects.by_reason)
    learns = isinstance(policy, LearningPolicy)
    return summarise_replay(replayed, followers, policy.name, learns, left_out)


def largest_weight(batches: Iterable[LoggedBatch]) -> float | None:
    """The largest importance weight that any policy can meet on a log, for ``max_weight``.

    One over the smallest positive logging probability of any eligible action; None where the log
    has the probability of the taken actions alone, or is empty.
    """
    smallest = np.inf
    for batch in batches:
        known = batch.probability
        if known is None or np.isnan(known).any():
            return None
        for chances in (known, batch.propensity):
            smallest = min(smallest, float(chances[chances > 0.0].min(initial=np.inf)))
    return float(max(1.0, 1.0 / smallest)) if np.isfinite(smallest) else None


def _with_predictions(arrays: LoggedArrays, bounds: tuple[float, float]) -> LoggedArrays:
    low, high = bounds
    q = arrays.q
    return LoggedArrays(
        offsets=arrays.offsets,
        chosen=arrays.chosen,
        reward=arrays.reward,
        propensity=arrays.propensity,
        probability=arrays.probability,
        q=np.full(int(arrays.offsets[-1]), low) if q is None else np.clip(q, low, high),
    )


def _copy(policy: Policy) -> Policy:
    if not isinstance(policy, LearningPolicy):
        return policy
    try:
        return copy.deepcopy(policy)
    except (TypeError, AttributeError, NotImplementedError) as error:
        raise UserError(
            f"policy {policy.name!r} cannot be copied ({error}), and a replay works on a copy so "
            "that what it learns does not leak. Give a policy that copy.deepcopy can copy"
        ) from error


def _check_options(
    max_weight: float | None,
    quantile: float,
    update_every: int,
    repetitions: int,
    confidence: float,
) -> None:
    if max_weight is not None and not 1.0 <= max_weight < np.inf:
        raise UserError(
            f"the largest weight is declared as {max_weight}; expected a number >= 1 (one over the "
            "smallest logging probability)"
        )
    if not 0.0 <= quantile < 1.0:
        raise UserError(f"the quantile of a replay is {quantile}; expected 0 or more, below 1")
    if update_every < 1:
        raise UserError(f"a replay updates every {update_every} accepted rows; expected 1 or more")
    if repetitions < 1:
        raise UserError(f"a replay has {repetitions} repetitions; expected 1 or more")
    if not 0.0 < confidence < 1.0:
        raise UserError(f"confidence is {confidence}; expected a number between 0 and 1")
