"""Decide: rules, then the policy, then a draw. The one path of simulation and the live endpoint."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import pyarrow as pa

from authopt.actions import STOP_ROUTE, Action
from authopt.batch import (
    BoolArray,
    Categorical,
    Column,
    DecisionBatch,
    FloatArray,
    IntArray,
    LoggedBatch,
)
from authopt.policies.priority import by_priority
from authopt.policies.protocol import Policy
from authopt.rules import DEFAULT_RULES, Allowed, Rules, apply_rules
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
        eligible = _eligible(self.batch, self.keep)
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
    batch, allowed = _allowed(batch, rules)
    eligible = _eligible(batch, allowed.keep)
    probability = normalise(eligible, policy.probabilities(eligible))
    return _drawn(batch, allowed, eligible, probability, salt, np.zeros(batch.n, np.bool_), None)


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
        batch, allowed = _allowed(batch, rules)
    except Exception:
        _log.exception(RULES_FAILED)
        return _all_stop(batch, RULES_FAILED)
    eligible = _eligible(batch, allowed.keep)
    fallback = by_priority(eligible, priority)
    try:
        given = np.asarray(policy.probabilities(eligible), np.float64)
    except Exception as error:
        _log.exception(POLICY_FAILED)
        why = f"{POLICY_FAILED}: {type(error).__name__}"
        everywhere = np.ones(batch.n, np.bool_)
        return _drawn(batch, allowed, eligible, fallback, salt, everywhere, why)
    broken = _broken(eligible, given)
    text: str | None = None
    if broken.any():
        _log.error("%s for %d of %d decisions", NO_DISTRIBUTION, broken.sum(), batch.n)
        text = NO_DISTRIBUTION
        given = np.where(np.repeat(broken, eligible.counts), fallback, np.resize(given, eligible.m))
    return _drawn(batch, allowed, eligible, normalise(eligible, given), salt, broken, text)


def decide_by_priority(
    batch: DecisionBatch,
    priority: Sequence[str],
    why: str,
    *,
    rules: Rules = DEFAULT_RULES,
) -> Decided:
    """Decide without a policy: the rules, then :func:`by_priority`, with ``why`` as the reason."""
    try:
        batch, allowed = _allowed(batch, rules)
    except Exception:
        _log.exception(RULES_FAILED)
        return _all_stop(batch, RULES_FAILED)
    eligible = _eligible(batch, allowed.keep)
    everywhere = np.ones(batch.n, np.bool_)
    chosen = by_priority(eligible, priority)
    return _drawn(batch, allowed, eligible, chosen, DEFAULT_SALT, everywhere, why)


def _allowed(batch: DecisionBatch, rules: Rules) -> tuple[DecisionBatch, Allowed]:
    """The batch, with ``stop`` where it has to be added, and what the rules leave of it."""
    allowed = apply_rules(batch, rules)
    if allowed.keep.all():
        return batch, allowed
    left = batch.sum_by_decision(allowed.keep.astype(np.float64))
    if left.all():
        return batch, allowed
    return _with_stop(batch, allowed, left == 0)


def _with_stop(
    batch: DecisionBatch, allowed: Allowed, lacking: BoolArray
) -> tuple[DecisionBatch, Allowed]:
    """Add the action ``stop``, which no rule forbids, to the decisions where ``lacking``."""
    routes = batch.routes if STOP_ROUTE in batch.routes else (*batch.routes, STOP_ROUTE)
    at = batch.offsets[1:][lacking]
    offsets = batch.offsets + np.concatenate([[0], np.cumsum(lacking)])
    with_stop = replace(
        batch,
        routes=routes,
        action_route=np.insert(batch.action_route, at, routes.index(STOP_ROUTE)),
        action_delay_s=np.insert(batch.action_delay_s, at, 0),
        offsets=offsets.astype(np.int64),
        action_features={
            name: _with_missing(column, at) for name, column in batch.action_features.items()
        },
    )
    return with_stop, replace(
        allowed,
        keep=np.insert(allowed.keep, at, True),
        reason=np.insert(allowed.reason, at, NO_REASON),
    )


def _with_missing(column: Column, at: IntArray) -> Column:
    """A column of length m with a missing value put in before each of the positions ``at``."""
    if isinstance(column, Categorical):
        return Categorical(np.insert(column.codes, at, -1), column.categories)
    if isinstance(column, pa.Array):
        position = np.insert(np.arange(len(column), dtype=np.int64), at, -1)
        return column.take(pa.array(position, mask=position < 0))
    missing = np.datetime64("NaT") if column.dtype.kind == "M" else np.nan
    return np.insert(column, at, missing)


def _all_stop(batch: DecisionBatch, why: str) -> Decided:
    """Every decision stops, by an action added to those asked where it is not among them."""
    nothing = Allowed(
        keep=batch.is_stop,
        reason=np.where(batch.is_stop, NO_REASON, 0).astype(np.int16),
        reasons=(why,),
        unknown_code=np.zeros(batch.n, np.bool_),
    )
    lacking = batch.sum_by_decision(batch.is_stop.astype(np.float64)) == 0
    batch, allowed = _with_stop(batch, nothing, lacking)
    eligible = _eligible(batch, allowed.keep)
    everywhere = np.ones(batch.n, np.bool_)
    chosen = by_priority(eligible, ())
    return _drawn(batch, allowed, eligible, chosen, DEFAULT_SALT, everywhere, why)


def _eligible(batch: DecisionBatch, keep: BoolArray) -> DecisionBatch:
    return batch if keep.all() else batch.keep_actions(keep)


def _drawn(
    batch: DecisionBatch,
    allowed: Allowed,
    eligible: DecisionBatch,
    probability: FloatArray,
    salt: str,
    fell_back: BoolArray,
    fallback: str | None,
) -> Decided:
    drawn = eligible.offsets[:-1] + sample(eligible, probability, uniforms(batch.decision_id, salt))
    over_all, chosen = probability, drawn - batch.offsets[:-1]
    if eligible is not batch:
        over_all = np.zeros(batch.m)
        over_all[allowed.keep] = probability
        chosen = np.flatnonzero(allowed.keep)[drawn] - batch.offsets[:-1]
    return Decided(
        batch=batch,
        keep=allowed.keep,
        reason=allowed.reason,
        reasons=allowed.reasons,
        probability=over_all,
        chosen=chosen,
        propensity=probability[drawn],
        fell_back=fell_back,
        fallback=fallback,
    )


def _broken(batch: DecisionBatch, given: FloatArray) -> BoolArray:
    """bool[n], where the numbers that a policy gave are no distribution over the actions."""
    if given.shape != (batch.m,):
        return np.ones(batch.n, np.bool_)
    sound = np.isfinite(given) & (given >= 0)
    total = batch.sum_by_decision(np.where(sound, given, 0.0))
    all_sound = batch.sum_by_decision((~sound).astype(np.float64)) == 0
    return np.asarray(~(all_sound & (total > 0) & np.isfinite(total)))
