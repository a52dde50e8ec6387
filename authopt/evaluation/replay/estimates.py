"""The estimates of a replay with their intervals, and its learning curve."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri

from authopt.batch import FloatArray
from authopt.evaluation.diagnostics import veto_of
from authopt.evaluation.intervals import Limits
from authopt.evaluation.quantities import Estimate, Guarantee, Interval
from authopt.evaluation.replay.limits import ROUNDING, betting, normal
from authopt.evaluation.replay.result import Acceptance, CurvePoint, Method
from authopt.evaluation.replay.sums import CURVE_POINTS
from authopt.evaluation.replay.totals import Replayed, ReplaySettings

_TITLES = {
    Method.REJECTION: "mean reward of the accepted rows",
    Method.DR: "doubly robust replay",
}
_SOURCES = {
    Method.REJECTION: "Li, Chu, Langford & Wang, WSDM 2011, algorithm 2",
    Method.DR: "Dudík, Erhan, Langford & Li, UAI 2012 (DR-ns)",
}
_NOTES = {
    Method.REJECTION: "of the policies that the learner went through in this replay",
    Method.DR: "of the policies that the learner went through in this replay; its intervals take "
    "the reward model as given",
}


def estimate_of(
    method: Method, replayed: Replayed, acceptance: Acceptance, *, gain: bool
) -> Estimate:
    """An estimate of the value, or of the value less the mean logged reward."""
    settings, confidence = replayed.settings, replayed.settings.confidence
    sums = replayed.rejection if method is Method.REJECTION else replayed.dr
    # In units of the range of rewards: values lie in [0, 1], gains in [-1, 1].
    low, least = (0.0, -1.0) if gain else (settings.reward_low, 0.0)
    value = sums.value
    if value is not None:
        value = low + settings.span * (value - sums.mean_reward if gain else value)

    def interval(
        name: str, limits: Limits, guarantee: Guarantee, veto: str | None = None
    ) -> Interval:
        lower, upper = (float(low + settings.span * limit) for limit in limits)
        return Interval(name, lower, upper, confidence, guarantee, veto)

    found = []
    covering = _betting(method, replayed, acceptance, gain=gain)
    if covering is not None:
        within = (max(covering[0], least), min(covering[1], 1.0))
        found.append(interval("betting", within, Guarantee.COVERS))
    limits = normal(sums, confidence, gain=gain)
    if limits is None:
        why = "the rows do not vary: there is nothing to tell the error from"
        found.append(interval("normal", (least, 1.0), Guarantee.ASYMPTOTIC, why))
    else:
        veto = veto_of(_effective(method, replayed), acceptance.unsupported_mass or 0.0)
        found.append(interval("normal", limits, Guarantee.ASYMPTOTIC, veto))
    return Estimate(
        estimator=method.value,
        title=_TITLES[method],
        source=_SOURCES[method],
        value=value,
        intervals=tuple(found),
        note=_NOTES[method],
    )


def _betting(
    method: Method, replayed: Replayed, acceptance: Acceptance, *, gain: bool
) -> Limits | None:
    """Limits that cover, where there are any: doubly robust terms need a bound on the weights."""
    settings, repetitions = replayed.settings, len(replayed.runs)
    confidence, largest, rows = settings.confidence, settings.max_weight, float(replayed.rows)
    if method is Method.REJECTION:
        planned = None if largest is None else rows / largest
        capital = replayed.accepted_capital.averaged(repetitions)
        # Accepted rows may differ from what the learner would have met by this much.
        off = acceptance.distortion
        if not gain:
            lower, upper = betting(capital, planned, 1.0, confidence)
            return lower - off, upper + off
        # The two means are not of the same rows: each has half of what may go wrong.
        half = 0.5 + 0.5 * confidence
        lower, upper = betting(capital, planned, 1.0, half)
        logged = betting(replayed.logged_capital, rows, 1.0, half)
        return lower - logged[1] - off, upper - logged[0] + off
    if largest is None:
        return None
    if gain:
        capital = replayed.gain_capital.averaged(repetitions)
        lower, upper = betting(capital, rows, largest, confidence)
        return 2.0 * lower - 1.0, 2.0 * upper - 1.0
    return betting(replayed.dr_capital.averaged(repetitions), rows, largest, confidence)


def _effective(method: Method, replayed: Replayed) -> float:
    """Effective sample size: of accepted rows, or of importance weights (Kish 1965)."""
    if method is Method.REJECTION:
        return replayed.rejection.effective
    sizes = [run.cw**2 / run.cw_squared if run.cw_squared else 0.0 for run in replayed.runs]
    return float(np.mean(sizes))


def curve_of(replayed: Replayed) -> tuple[CurvePoint, ...]:
    """The value by number of accepted rows, in at most twice ``CURVE_POINTS`` stretches."""
    size = max(curve.size for curve in replayed.curves)
    curves = [curve.in_stretches_of(size) for curve in replayed.curves]
    points = []
    for place in range(2 * CURVE_POINTS):
        sums = np.array([curve.sums[place] for curve in curves])
        if sums[:, 2].any():
            points.append(_point(sums, place * size, size, replayed.settings))
    return tuple(points)


def _point(sums: FloatArray, start: int, size: int, settings: ReplaySettings) -> CurvePoint:
    """From float64[repetitions, 6], as ``CurveSums`` has them."""
    y, z = float(sums[:, 1].sum()), float(sums[:, 2].sum())
    value = y / z
    squares = sums[:, 3] - 2.0 * value * sums[:, 4] + value**2 * sums[:, 5]
    # Repetitions share rows: their errors are added as if they were the same.
    deviation = float(np.sqrt(np.maximum(squares, 0.0)).sum()) / z
    half = float(ndtri(0.5 + settings.confidence / 2)) * deviation
    varies = deviation > ROUNDING
    return CurvePoint(
        accepted_from=start,
        accepted_to=start + size,
        rows=float(sums[:, 0].mean()),
        value=settings.reward_of(value),
        lower=settings.reward_of(value - half) if varies else None,
        upper=settings.reward_of(value + half) if varies else None,
    )
