"""Why a policy takes the action that it takes, for one decision of a log."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from authopt.actions import STOP_ROUTE, Action
from authopt.batch import Categorical, FloatArray, LoggedBatch, utc_datetime
from authopt.explaining.contributions import Contributions, contributions
from authopt.explaining.evidence import evidence
from authopt.explaining.explanation import (
    ActionExplained,
    Comparison,
    DecisionExplained,
    Logged,
    OtherAction,
    Part,
)
from authopt.explaining.scores import scores
from authopt.explaining.shares import shares
from authopt.policies.logged import LoggedPolicy
from authopt.policies.protocol import Policy
from authopt.rules.explain import explain as explain_rules
from authopt.rules.one_payment import with_actions
from authopt.rules.rule_set import Rules
from authopt.sampling import DEFAULT_SALT, normalise, sample, uniforms

TOP = 3
"""Actions that are compared, the best one among them."""

NOTHING = 1e-9
"""Parts below this are rounding of the float32 that Vowpal Wabbit adds up in."""


def explain_decision(
    one: LoggedBatch,
    policy: Policy,
    *,
    salt: str = DEFAULT_SALT,
    top: int = TOP,
    offered: Sequence[Action] = (),
    rules: Rules | None = None,
) -> DecisionExplained:
    """Explain a logged decision as a policy would make it.

    Parameters
    ----------
    one
        a batch of one decision, with the actions that were eligible.
    policy
        who decides.
    salt
        of the hash that draws.
    top
        actions that are compared, the best one among them; the logged one is compared too.
    offered
        actions that may have been asked for: those of them that the log does not have are judged
        by the rules.
    rules
        which; None: those that are not in the log are left out.

    Raises
    ------
    ValueError
        If the batch does not hold exactly one decision.
    """
    if one.n != 1:
        raise ValueError(f"{one.n} decisions; expected one")
    asked = one if isinstance(policy, LoggedPolicy) else one.decisions()
    given = normalise(asked, policy.probabilities(asked))
    split = shares(policy, asked)
    scored = scores(policy, asked)
    values = np.full(one.m, np.nan) if scored is None else scored.values
    counted = evidence(policy, asked)
    parts = None if scored is None else contributions(policy, asked)
    uniform = float(uniforms(one.decision_id, salt)[0])
    drawn = int(sample(asked, given, np.array([uniform]))[0])
    ends = np.cumsum(given)
    logged_probability = _logged_probability(one)
    actions = tuple(
        ActionExplained(
            route=action.route,
            delay_s=action.delay_s,
            score=_number(values[at]),
            evidence={}
            if counted is None
            else {
                name: float(figure[at])
                for name, figure in counted.figures.items()
                if np.isfinite(figure[at])
            },
            probability=float(given[at]),
            shares={name: float(each[at]) for name, each in split.items()},
            drawn_from=float(ends[at] - given[at]),
            drawn_below=float(ends[at]),
            is_drawn=at == drawn,
            is_logged=at == int(one.chosen[0]),
            logged_probability=_number(logged_probability[at]),
        )
        for at, action in enumerate(one.actions(0))
    )
    return DecisionExplained(
        decision_id=one.decision_id[0].as_py(),
        payment_id=one.payment_id[0].as_py(),
        attempt=int(one.attempt[0]),
        decided_at=utc_datetime(one.decided_at[0]),
        policy=policy.name,
        actions=actions,
        others=() if rules is None else _others(one, offered, rules),
        uniform=uniform,
        salt=salt,
        score=None if scored is None else scored.meaning,
        segment=None if counted is None else counted.segment,
        method=None if parts is None else parts.method,
        adds_up=parts is not None and parts.adds_up,
        comparisons=() if parts is None else _comparisons(one, values, parts, given, top),
        logged=_logged(one, uniform),
    )


def _comparisons(
    one: LoggedBatch, values: FloatArray, parts: Contributions, given: FloatArray, top: int
) -> tuple[Comparison, ...]:
    comparable = np.isfinite(values) & ~one.is_stop
    # The policy's own first choice comes first among equal scores.
    order = [at for at in np.lexsort((-given, -values)).tolist() if comparable[at]]
    if len(order) < 2:
        return ()
    best, others = order[0], order[1:top]
    logged = int(one.chosen[0])
    if logged in order[top:]:
        others.append(logged)
    return tuple(_comparison(best, other, values, parts) for other in others)


def _comparison(best: int, other: int, values: FloatArray, found: Contributions) -> Comparison:
    differences = {name: float(each[best] - each[other]) for name, each in found.parts.items()}
    parts = [Part(name, value) for name, value in differences.items() if abs(value) > NOTHING]
    parts.sort(key=lambda part: (-abs(part.value), part.feature))
    return Comparison(best, other, float(values[best] - values[other]), tuple(parts))


def _others(one: LoggedBatch, offered: Sequence[Action], rules: Rules) -> tuple[OtherAction, ...]:
    """The offered actions that were not eligible, and the rules that remove them."""
    there = set(one.actions(0))
    absent = [each for each in offered if each not in there and each.route != STOP_ROUTE]
    if not absent:
        return ()
    # Beside those that were eligible, as a promise of volume looks at all that is offered.
    beside = with_actions(one.decisions(), [*one.actions(0), *absent])
    told = explain_rules(beside, rules).actions[one.m :]
    return tuple(OtherAction(a.route, a.delay_s, a.reason, a.allowed_at) for a in told)


def _logged(one: LoggedBatch, uniform: float) -> Logged:
    probability = _logged_probability(one)
    redrawn: bool | None = None
    if np.isfinite(probability).all() and probability.sum() > 0.0:
        again = sample(one, normalise(one, probability), np.array([uniform]))
        redrawn = bool(again[0] == one.chosen[0])
    return Logged(
        action=int(one.chosen[0]),
        propensity=_number(one.propensity[0]),
        is_redrawn=redrawn,
        reward=_number(one.reward[0]),
        outcome=_outcome(one),
    )


def _logged_probability(one: LoggedBatch) -> FloatArray:
    return np.full(one.m, np.nan) if one.probability is None else one.probability


def _outcome(one: LoggedBatch) -> dict[str, str | float]:
    told: dict[str, str | float] = {}
    for name, column in one.outcome.items():
        if isinstance(column, Categorical):
            value = column.values()[0]
            if value is not None:
                told[name] = value
        elif isinstance(column, np.ndarray) and column.dtype.kind == "M":
            moment = utc_datetime(column[0])
            if moment is not None:
                told[name] = moment.isoformat()
        elif isinstance(column, np.ndarray) and np.isfinite(column[0]):
            told[name] = float(column[0])
    return told


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
