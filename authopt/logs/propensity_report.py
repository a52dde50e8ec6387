"""How far estimated propensities can be trusted: fit, calibration and overlap.

All figures are of out-of-fold probabilities. Standard errors take the payments as independent of
each other, not the attempts of a payment.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure and its standard error."""

    value: float
    standard_error: float


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Decisions for which about the same probability was predicted for an action.

    Attributes
    ----------
    predicted
        mean of the probabilities.
    observed
        share in which the action was taken.
    count
        number of decisions.
    lower, upper
        95% interval of what ``observed`` estimates (Wilson 1927), the decisions taken as
        independent of each other.
    """

    predicted: float
    observed: float
    count: int
    lower: float
    upper: float


@dataclass(frozen=True, slots=True)
class ActionSupport:
    """One action (route and delay) in the log.

    Attributes
    ----------
    action
        route, with the delay where there is one.
    offered, taken
        decisions of the whole log in which it was eligible, and was taken.
    smallest, first_percentile
        of its probability where it was eligible.
    inverse_sum
        sum of 1{taken} / probability over the number of decisions that offered it; 1 if the
        probabilities are right. None for an action that was never taken.
    reliability
        predicted against observed, in bins of about equal size.
    """

    action: str
    offered: int
    taken: int
    smallest: float
    first_percentile: float
    inverse_sum: Estimate | None
    reliability: tuple[ReliabilityBin, ...]


@dataclass(frozen=True, slots=True)
class Overlap:
    """How much of every action the log holds, over decisions with a choice.

    Attributes
    ----------
    with_choice
        decisions with more than one eligible action.
    smallest
        quantiles, by their order, of the smallest probability within a decision.
    below_1_percent, below_5_percent
        share of the decisions where an action has less than that.
    nearly_certain
        share of the decisions where one action has 99% or more.
    unsupported
        share of the decisions with an action that the log never took anywhere.
    largest_weight
        importance weight that a deterministic policy can meet at worst, among the actions that the
        log took somewhere.
    floored
        share of the decisions where an action was lifted to the floor.
    floor
        the floor.
    """

    with_choice: int
    smallest: dict[str, float]
    below_1_percent: float
    below_5_percent: float
    nearly_certain: float
    unsupported: float
    largest_weight: float
    floored: float
    floor: float


@dataclass(frozen=True, slots=True)
class PropensityReport:
    """What was fitted, how well it predicts, whether it is calibrated, and how much overlap.

    Attributes
    ----------
    decisions, sampled, payments
        decisions of the log; those that the model was fitted and judged on; their payments.
    folds
        of the cross-fit.
    log_loss
        mean of -log(probability of the action taken), in nats.
    log_loss_uncalibrated, log_loss_marginal, log_loss_uniform
        the same before calibration; of a model without context; of equal probabilities.
    gain
        ``log_loss_marginal - log_loss``: above 0 if the context tells something.
    ridge
        strength of the prior that predicted best out of fold, in pseudo-rows.
    slopes
        of the calibration, by fold; 1 = nothing to mend, below 1 = the model was too sure.
    calibration_error
        expected calibration error: mean distance of predicted and observed over the bins.
    calibration_noise
        what that error comes to by chance alone with exact probabilities.
    mean_inverse
        mean of 1 / propensity of the actions taken.
    mean_actions
        what that has to be: mean number of eligible actions that the log took somewhere.
    reliability
        predicted against observed over all actions, in bins of about equal size.
    delays_banded
        whether similar delays were taken for the same action, as there were too many.
    warnings
        what a reader has to know, in sentences.
    """

    decisions: int
    sampled: int
    payments: int
    folds: int
    log_loss: float
    log_loss_uncalibrated: float
    log_loss_marginal: float
    log_loss_uniform: float
    gain: Estimate
    ridge: float
    slopes: tuple[float, ...]
    calibration_error: Estimate
    calibration_noise: float
    mean_inverse: Estimate
    mean_actions: float
    overlap: Overlap
    actions: tuple[ActionSupport, ...]
    reliability: tuple[ReliabilityBin, ...]
    delays_banded: bool
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Thresholds:
    """What ``--strict`` demands.

    Attributes
    ----------
    calibration_error
        most calibration error beyond noise and two standard errors.
    inverse_deviation
        most relative deviation of mean 1/propensity from the number of actions, beyond three
        standard errors.
    worse_than_shares
        most log loss (nats) above that of a model without context, beyond two standard errors.
    below_1_percent
        largest share of the decisions with an action below 1%.
    """

    calibration_error: float = 0.01
    worse_than_shares: float = 0.005
    inverse_deviation: float = 0.05
    below_1_percent: float = 0.05


STRICT = Thresholds()


def shortcomings(report: PropensityReport, limits: Thresholds = STRICT) -> tuple[str, ...]:
    """Where the report fails the thresholds, in sentences; empty where it does not."""
    found: list[str] = []
    error = report.calibration_error
    excess = error.value - report.calibration_noise - 2 * error.standard_error
    if excess > limits.calibration_error:
        found.append(
            f"calibration: the expected calibration error is {error.value:.4f}; chance alone "
            f"explains {report.calibration_noise:.4f} + 2 x {error.standard_error:.4f}, and at "
            f"most {limits.calibration_error} more is allowed"
        )
    inverse = report.mean_inverse
    away = abs(inverse.value - report.mean_actions)
    if away - 3 * inverse.standard_error > limits.inverse_deviation * report.mean_actions:
        found.append(
            f"calibration: the mean of 1/propensity is {inverse.value:.3f} "
            f"(standard error {inverse.standard_error:.3f}); expected {report.mean_actions:.3f} "
            f"to within {limits.inverse_deviation:.0%}"
        )
    if -report.gain.value - 2 * report.gain.standard_error > limits.worse_than_shares:
        found.append(
            f"fit: the model predicts worse than the plain frequencies (log loss "
            f"{report.log_loss:.4f} against {report.log_loss_marginal:.4f})"
        )
    overlap = report.overlap
    if overlap.below_1_percent > limits.below_1_percent:
        found.append(
            f"overlap: {overlap.below_1_percent:.1%} of the decisions with a choice have an action "
            f"below 1%; at most {limits.below_1_percent:.0%} is allowed"
        )
    return tuple(found)
