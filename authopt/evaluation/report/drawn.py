"""Which charts an evaluation gets, by the names that the page knows them by."""

from __future__ import annotations

from typing import TYPE_CHECKING

from authopt.evaluation.report import (
    figures_forest,
    figures_log,
    figures_sensitivity,
    figures_time,
)
from authopt.evaluation.report.payment_measures import with_payments
from authopt.evaluation.report.wording import Scale
from authopt.evaluation.result import Evaluation

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


def drawn(evaluation: Evaluation) -> dict[str, Figure]:
    """All charts that there are data for."""
    others = [policy for policy in evaluation.policies if not policy.is_logging_policy]
    found = {"values": figures_forest.values_figure(evaluation)}
    if evaluation.routes:
        found["overlap"] = figures_log.overlap_figure(evaluation)
        if all(each.logging is not None for each in evaluation.routes):
            found["calibration"] = figures_log.calibration_figure(evaluation)
    if evaluation.over_time:
        found["log-time"] = figures_log.log_time_figure(evaluation)
    if others:
        found["gains"] = figures_forest.gains_figure(evaluation)
        found["weights"] = figures_log.weights_figure(evaluation)
    if evaluation.comparisons:
        found["comparisons"] = figures_forest.comparisons_figure(evaluation)
    per_payment = [
        (policy.name, payments.value.gain)
        for policy, payments in with_payments(evaluation)
        if payments.value.gain is not None
    ]
    if per_payment:
        found["payments"] = figures_forest.gains_forest(per_payment, Scale.of(evaluation))
    for place, policy in enumerate(others, 1):
        found[f"estimators-{place}"] = figures_sensitivity.estimators_figure(evaluation, policy)
    for place, family in enumerate(figures_sensitivity.families(evaluation), 1):
        found[f"family-{place}"] = figures_sensitivity.family_figure(evaluation, family)
    with_times = [policy.over_time for policy in others if policy.over_time is not None]
    for place, over_time in enumerate(with_times, 1):
        found[f"over-time-{place}"] = figures_time.over_time_figure(evaluation, over_time)
    return found
