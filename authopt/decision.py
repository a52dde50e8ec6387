"""Decide: rules, then the policy, then a draw. The one path of simulation and the live endpoint."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np

from authopt.actions import Action
from authopt.asked import Asked, asked, with_stop
from authopt.batch import BoolArray, Column, DecisionBatch, FloatArray, IntArray, LoggedBatch
from authopt.one_decision import asked_of_one, draw_one, is_distribution
from authopt.policies.priority import by_priority
from authopt.policies.protocol import Policy
from authopt.rules import DEFAULT_RULES, Rules
from authopt.rules.apply import ReasonArray
from authopt.rules.tables import NO_REASON
from authopt.sampling import DEFAULT_SALT, normalise, sample, uniforms

_log = logging.getLogger(__name__)

RULES_FAILED = "the rules could not be applied"
POLICY_FAILED = "the policy failed"
NO_DISTRIBUTION = "the policy gave no probability distribution"


@dataclass(frozen=True, slots=True, eq=False)
class Decided:
    """What was decided for n decisions, and everything that made it so.

    Attributes
    ----------
    batch
        the decisions as they were asked, m actions; ``stop`` is added to a decision that the rules
        left without an action.
    keep
        bool[m], the action is eligible: the rules left it.
    reason, reasons
        int16[m] and the texts it indexes: why the rules removed the action; -1 where it was kept.
    probability
        float64[m], what the draw used; sums to 1 within each decision, 0 on removed actions.
    chosen
        int64[n], position of the drawn action among its decision's actions in ``batch``.
    propensity
        float64[n], ``probability`` of the drawn action.
    fell_back
        bool[n], the policy had no say in the decision.
    fallback
        why, where ``fell_back`` holds for any decision.
    """

    batch: DecisionBatch
    keep: BoolArray
    reason: ReasonArray
    reasons: tuple[str, ...]
    probability: FloatArray
    chosen: IntArray
    propensity: FloatArray
    fell_back: BoolArray
    fallback: str | None = None

    @property
    def chosen_action(self) -> IntArray:
        """int64[n], index of the drawn action in the arrays of length m."""
        return self.batch.offsets[:-1] + self.chosen

    def action(self, decision: int = 0) -> Action:
        """The drawn action of one decision, as an object."""
        index = int(self.chosen_action[decision])
        route = self.batch.routes[self.batch.action_route[index]]
        return Action(route, int(self.batch.action_delay_s[index]))

    def logged(
        self, reward: FloatArray | None = None, outcome: Mapping[str, Column] | None = None
    ) -> LoggedBatch:
        """The decisions as an attempt log holds them: eligible actions only, exact propensities.

        Parameters
        ----------
        reward
            float64[n]; not known (NaN) by default.
        outcome
            columns of length n by name.
        """
        eligible = self.batch if self.keep.all() else self.batch.keep_actions(self.keep)
        chosen, probability = self.chosen, self.probability
        if eligible is not self.batch:
            chosen = np.cumsum(self.keep)[self.chosen_action] - 1 - eligible.offsets[:-1]
            probability = probability[self.keep]
        return LoggedBatch(
            **{item.name: getattr(eligible, item.name) for item in fields(DecisionBatch)},
            chosen=chosen,
            propensity=self.propensity,
            probability=probability,
            reward=np.full(self.batch.n, np.nan) if reward is None else reward,
            outcome=outcome or {},
        )


def decide(
    batch: DecisionBatch,
    policy: Policy,
    *,
    rules: Rules = DEFAULT_RULES,
    salt: str = DEFAULT_SALT,
) -> Decided:
    """Draw one eligible action for every decision.

    The policy sees the actions that the rules leave, and nothing else. The draw is fixed by the
    decision id and the salt, so a decision can be replayed exactly.

    Parameters
    ----------
    batch
        n decisions; where the rules leave one of them nothing, it gets ``stop``.
    policy
        gives the probabilities of the eligible actions.
    rules
        what is allowed.
    salt
        of the hash that draws; another salt gives another, independent draw.

    Raises
    ------
    ValueError
        If the policy gives a decision no probability distribution.
    """
    found = _asked(batch, rules)
    return _drawn(found, policy.probabilities(found.eligible), salt)


def decide_safely(
    batch: DecisionBatch,
    policy: Policy,
    priority: Sequence[str],
    *,
    rules: Rules = DEFAULT_RULES,
    salt: str = DEFAULT_SALT,
) -> Decided:
    """As :func:`decide`, but always with an answer: what fails is replaced by the static priority.

    Where the policy raises, every decision of the batch falls back; where it gives numbers that are
    no distribution, the decisions concerned do. Falling back takes, with probability 1, the
    eligible action of :func:`by_priority`. Where the rules themselves raise, nothing but ``stop``
    is known to be allowed, and every decision stops.

    Parameters
    ----------
    batch, policy, rules, salt
        as in :func:`decide`.
    priority
        the merchant's routes, best first.
    """
    try:
        found = _asked(batch, rules)
    except Exception:
        _log.exception(RULES_FAILED)
        return _all_stop(batch, RULES_FAILED)
    eligible = found.eligible
    try:
        given = np.asarray(policy.probabilities(eligible), np.float64)
    except Exception as error:
        _log.exception(POLICY_FAILED)
        why = f"{POLICY_FAILED}: {type(error).__name__}"
        return _fallen_back(found, priority, why, salt)
    broken = _broken(eligible, given)
    if broken is None:
        return _drawn(found, given, salt)
    _log.error("%s for %d of %d decisions", NO_DISTRIBUTION, broken.sum(), eligible.n)
    fallback = by_priority(eligible, priority)
    given = np.where(np.repeat(broken, eligible.counts), fallback, np.resize(given, eligible.m))
    return _drawn(found, given, salt, broken, NO_DISTRIBUTION)


def decide_by_priority(
    batch: DecisionBatch,
    priority: Sequence[str],
    why: str,
    *,
    rules: Rules = DEFAULT_RULES,
) -> Decided:
    """Decide without a policy: the rules, then :func:`by_priority`, with ``why`` as the reason."""
    try:
        found = _asked(batch, rules)
    except Exception:
        _log.exception(RULES_FAILED)
        return _all_stop(batch, RULES_FAILED)
    return _fallen_back(found, priority, why, DEFAULT_SALT)


def _asked(batch: DecisionBatch, rules: Rules) -> Asked:
    return asked_of_one(batch, rules) if batch.n == 1 else asked(batch, rules)


def _all_stop(batch: DecisionBatch, why: str) -> Decided:
    """Every decision stops, by an action added to those asked where it is not among them."""
    reason = np.where(batch.is_stop, NO_REASON, 0).astype(np.int16)
    return _fallen_back(with_stop(batch, reason, (why,)), (), why, DEFAULT_SALT)


def _fallen_back(found: Asked, priority: Sequence[str], why: str, salt: str) -> Decided:
    everywhere = np.ones(found.batch.n, np.bool_)
    return _drawn(found, by_priority(found.eligible, priority), salt, everywhere, why)


def _drawn(
    found: Asked,
    given: FloatArray,
    salt: str,
    fell_back: BoolArray | None = None,
    fallback: str | None = None,
) -> Decided:
    n = found.batch.n
    probability, chosen, propensity = (draw_one if n == 1 else draw)(found, given, salt)
    return Decided(
        batch=found.batch,
        keep=found.keep,
        reason=found.reason,
        reasons=found.reasons,
        probability=probability,
        chosen=chosen,
        propensity=propensity,
        fell_back=np.zeros(n, np.bool_) if fell_back is None else fell_back,
        fallback=fallback,
    )


def draw(asked: Asked, given: FloatArray, salt: str) -> tuple[FloatArray, IntArray, FloatArray]:
    """Draw an action of every decision.

    Parameters
    ----------
    asked
        n decisions with m actions.
    given
        what a policy gives of the eligible actions; normalised here.
    salt
        of the hash that draws.

    Returns
    -------
    tuple
        float64[m], the probability of every action; int64[n], the position of the drawn action of
        each decision; float64[n], its probability.

    Raises
    ------
    ValueError
        If a decision is given no probability distribution.
    """
    batch, eligible = asked.batch, asked.eligible
    probability = normalise(eligible, given)
    drawn = eligible.offsets[:-1] + sample(eligible, probability, uniforms(batch.decision_id, salt))
    if eligible is batch:
        return probability, drawn - batch.offsets[:-1], probability[drawn]
    over_all = np.zeros(batch.m)
    over_all[asked.keep] = probability
    chosen = np.flatnonzero(asked.keep)[drawn] - batch.offsets[:-1]
    return over_all, chosen, probability[drawn]


def _broken(batch: DecisionBatch, given: FloatArray) -> BoolArray | None:
    """bool[n], where a policy's numbers are no distribution over the actions; None: nowhere."""
    if given.shape != (batch.m,):
        return np.ones(batch.n, np.bool_)
    if batch.n == 1:
        return None if is_distribution(given) else np.ones(1, np.bool_)
    sound = np.isfinite(given) & (given >= 0)
    total = batch.sum_by_decision(np.where(sound, given, 0.0))
    all_sound = batch.sum_by_decision((~sound).astype(np.float64)) == 0
    broken = ~(all_sound & (total > 0) & np.isfinite(total))
    return np.asarray(broken) if broken.any() else None
