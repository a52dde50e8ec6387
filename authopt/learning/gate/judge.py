"""The gate: may a candidate replace the live policy, by this log?"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path

import numpy as np

from authopt.batch import LoggedBatch, utc_datetime
from authopt.errors import UserError
from authopt.evaluation.blocks import PredictsReward, usable
from authopt.evaluation.engine import evaluate
from authopt.evaluation.payments.result import VALUE
from authopt.evaluation.quantities import Estimate, Guarantee
from authopt.evaluation.result import PolicyResult
from authopt.learning.gate.along_log import AlongLog
from authopt.learning.gate.candidate import Remembered
from authopt.learning.gate.checks import checks_of
from authopt.learning.gate.gains import Sides, interval_by
from authopt.learning.gate.settings import SEGMENTS, Gate
from authopt.learning.gate.trained_on import TrainedOn
from authopt.learning.gate.verdict import (
    GainBound,
    GateVerdict,
    Judged,
    Look,
    Outcome,
    Slice,
)
from authopt.logs.rejects import Rejects
from authopt.logs.schema import PropensitySource
from authopt.policies.logged import LoggedPolicy
from authopt.policies.protocol import Policy
from authopt.rewards import DEFAULT_REWARD, Reward


def judge(
    batches: Iterable[LoggedBatch],
    candidate: Policy,
    live: Policy,
    gate: Gate | None = None,
    *,
    columns: Sequence[str] = (),
    reward: Reward = DEFAULT_REWARD,
    reward_model: PredictsReward | None = None,
    max_weight: float | None = None,
    specs: tuple[str, str] | None = None,
    fingerprints: tuple[str | None, str | None] = (None, None),
    propensity_source: PropensitySource = PropensitySource.LOGGED,
    path: Path | None = None,
    rejects: Rejects | None = None,
    trained: TrainedOn | None = None,
    same_log: bool = False,
    earlier: Sequence[Look] = (),
    is_further: bool = False,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> GateVerdict:
    """Hold a candidate against the live policy, by a log that neither needs to have made.

    Both are judged as they stand: policies that learn do not learn on the way. The log is read
    once, in its order, which should be that of time.

    Parameters
    ----------
    batches
        the log in chunks; their rewards are already those of ``reward``.
    candidate, live
        the policies; ``LoggedPolicy`` as the live one stands for the policy that made the log.
    gate
        the conditions; by default those of :class:`authopt.learning.gate.settings.Gate`.
    columns
        of the log, to form segments by where the conditions name none.
    reward
        what is gained.
    reward_model
        for doubly robust estimates, cross-fitted; not needed.
    max_weight
        largest importance weight that is possible at all, as declared beforehand; by default by
        the log's probabilities of all eligible actions.
    specs
        the texts that the two policies were loaded from; by default their names.
    fingerprints
        sha256 of the files that these name.
    propensity_source, path, rejects
        as in :func:`authopt.evaluation.engine.evaluate`.
    trained
        what the candidate learned from; None where that is not known.
    same_log
        whether it learned from this very log.
    earlier
        looks that were taken before at the same two policies, by shorter logs with the same
        beginning; by another log, the looks begin anew.
    is_further
        whether this log is known to hold those of ``earlier``, however it begins.
    now
        gives the time of the look.

    Raises
    ------
    UserError
        If nothing in the log can be used, or a policy, reward or segment does not fit it.
    """
    gate = gate or Gate()
    first, batches = _first(batches)
    earlier = [look for look in earlier if is_further or look.first == first]
    looks = len(earlier) + 1
    error = _Error.of(gate, looks)
    # A bound per payment by betting comes from the evaluation too.
    alpha = error.anytime if gate.bound == "anytime" else error.fixed
    asked, current = Remembered(candidate), live
    if not isinstance(live, LoggedPolicy):
        current = Remembered(live)
    names = gate.segments if gate.segments is not None else _present(columns)
    along = AlongLog.of(
        asked, current, reward, names, gate.segments is not None, path, _until(trained)
    )
    judged = [asked, *([] if along.live_made_the_log else [current])]
    texts = specs or (candidate.name, live.name)
    named = texts[: len(judged)]
    # A gain per payment between two policies that did not make the log has the error of both.
    apart = gate.unit == "payment" and not along.live_made_the_log
    evaluation = evaluate(
        along.watch(batches),
        judged,
        reward=reward,
        reward_model=reward_model,
        confidence=1.0 - (1.0 if apart else 2.0) * alpha,
        bootstrap=0,
        max_weight=max_weight,
        learn_every=None,
        specs=named,
        propensity_source=propensity_source,
        path=path,
        rejects=rejects,
    )
    sides = Sides.of(evaluation)
    gain = _gain(sides, gate)
    bounds = _bounds(gain, along, gate, (error.anytime, alpha), max_weight)
    deciding = next(bound for bound in bounds if bound.decides)
    checks = checks_of(sides, along, gate, deciding, gain.value, trained, same_log)
    facts = evaluation.log
    looked = Look(
        at=now(),
        decisions=facts.rows,
        first=facts.first,
        last=facts.last,
        spent=error.spent,
        lower=deciding.lower,
        passed=all(check.outcome is not Outcome.FAIL for check in checks),
    )
    return GateVerdict(
        candidate=Judged(texts[0], candidate.name, _value(sides.candidate, gate), fingerprints[0]),
        live=Judged(texts[1], live.name, _value(sides.live_or_log, gate), fingerprints[1]),
        log=Slice(
            path=facts.path,
            decisions=facts.rows,
            payments=facts.clusters,
            first=facts.first,
            last=facts.last,
            propensity_source=facts.propensity_source,
        ),
        reward=facts.reward,
        currency=facts.reward_currency,
        unit=gate.unit,
        gain=gain.value,
        bounds=bounds,
        checks=checks,
        looks=(*earlier, looked),
        settings=gate,
        remarks=tuple(remark.text for remark in evaluation.remarks),
    )


def _first(
    batches: Iterable[LoggedBatch],
) -> tuple[datetime | None, Iterable[LoggedBatch]]:
    """Time of the first decision that can be used, and the batches that it was read from too."""
    batches, read, found = iter(batches), [], None
    for batch in batches:
        read.append(batch)
        kept = usable(batch, Counter())
        if kept.n:
            found = utc_datetime(kept.decided_at.min())
            break
    return found, chain(read, batches)


@dataclass(frozen=True, slots=True)
class _Error:
    """What a look may spend, one-sided, by the kind of bound; what is only shown has all of it."""

    anytime: float
    fixed: float
    spent: float

    @classmethod
    def of(cls, gate: Gate, look: int) -> _Error:
        error = 1.0 - gate.confidence
        # The series of 1 / j^2 adds up to pi^2 / 6.
        share = error * 6.0 / (math.pi * look) ** 2
        first = error if look == 1 else 0.0
        if gate.bound == "anytime":
            return cls(error, error, first)
        if gate.bound == "fixed":
            return cls(error, share, share)
        return cls(error / 2.0, share / 2.0, first / 2.0 + share / 2.0)


def _present(columns: Sequence[str]) -> tuple[str, ...]:
    return tuple(name for name in SEGMENTS if name in columns)


def _until(trained: TrainedOn | None) -> np.datetime64 | None:
    return None if trained is None else trained.until


def _gain(sides: Sides, gate: Gate) -> Estimate:
    if gate.unit == "decision":
        return sides.gain()
    gain = sides.payment_gain(VALUE)
    if gain is None:
        raise UserError("the log has no payments to judge by; set the gate's unit to 'decision'")
    return gain


def _value(policy: PolicyResult, gate: Gate) -> float | None:
    if gate.unit == "payment" and policy.payments is not None:
        return policy.payments.value.estimate.value
    return policy.value.value


def _bounds(
    gain: Estimate,
    along: AlongLog,
    gate: Gate,
    alphas: tuple[float, float],
    max_weight: float | None,
) -> tuple[GainBound, ...]:
    """The intervals of the gain side by side, the one that decides first.

    ``alphas`` are the errors of the sequence and of the evaluation's intervals, one-sided.
    """
    found: list[GainBound] = []
    if gate.unit == "decision":
        lower = along.sequence.lower(alphas[0], max_weight)
        upper = -along.reversed.lower(alphas[0], max_weight)
        found.append(GainBound("sequence", lower, upper, 1.0 - alphas[0], True, False))
    for guarantee in (Guarantee.ANYTIME, Guarantee.COVERS):
        each = interval_by(gain, guarantee)
        if each is not None:
            anytime = guarantee is Guarantee.ANYTIME
            limits = each.lower, each.upper
            found.append(GainBound(each.method, *limits, 1.0 - alphas[1], anytime, False))
    may = [bound for bound in found if _may_decide(bound, gate)]
    if not may:
        raise UserError(
            f"the log gives no {gate.bound} bound of the gain per {gate.unit}; set the bound of "
            f"the gate to {'fixed' if gate.bound == 'anytime' else 'anytime'!r}"
        )
    deciding = max(may, key=lambda bound: bound.lower)
    if gate.gain_rule == "not-shown-worse":
        deciding = min(may, key=lambda bound: math.inf if bound.upper is None else bound.upper)
    rest = [bound for bound in found if bound is not deciding]
    return (replace(deciding, decides=True), *rest)


def _may_decide(bound: GainBound, gate: Gate) -> bool:
    """Whether error was set apart for a bound."""
    if not bound.anytime:
        return gate.bound != "anytime"
    # Of a whole payment there is no sequence; betting then has the evaluation's error, which is the
    # part for one look unless the gate goes by anytime bounds alone.
    kind = "sequence" if gate.unit == "decision" else "betting"
    if gate.unit == "payment" and gate.bound == "either":
        return False
    return gate.bound != "fixed" and bound.method == kind
