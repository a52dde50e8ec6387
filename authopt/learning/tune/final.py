"""The winner on the last slice, which no candidate was chosen by."""

from __future__ import annotations

from pathlib import Path

import msgspec

from authopt.errors import UserError
from authopt.evaluation.quantities import Estimate
from authopt.learning.tune.judging import (
    FLOORED,
    GREEDY,
    Limits,
    evaluation_of,
    limits_of,
    most_probable,
)
from authopt.learning.tune.space import Candidate
from authopt.learning.tune.trial import Setting, train_on
from authopt.policies.vw import VwPolicy

DEFAULT = "default"


class FinalExam(msgspec.Struct, frozen=True):
    """Values per decision on the last slice; intervals cover.

    Attributes
    ----------
    decisions
        that judged.
    logged
        mean reward of the policy that made the log.
    greedy, floored
        the winner's value, played greedily and with its exploration.
    gain
        of the greedy winner over the policy that made the log.
    over_default
        of the greedy winner over the greedy first candidate, trained on the same slices; None where
        the winner is the first candidate.
    """

    decisions: int
    logged: float
    greedy: Limits
    floored: Limits
    gain: Limits | None
    over_default: Limits | None


def final_exam(setting: Setting, winner: Candidate, first: Candidate, out: Path) -> FinalExam:
    """Judge the model at ``out``.

    Raises
    ------
    UserError
        If the last slice has nothing to judge by.
    """
    last = len(setting.slices.files) - 1
    exam = setting.exam(last)
    if exam is None:
        raise UserError(
            f"the last slice of the log, from {setting.slices.begin[last]}Z on, has no decision "
            "with a known outcome and propensity to judge by"
        )
    decisions = exam.batch.decisions()
    floored = VwPolicy.load(out).probabilities(decisions)
    given = {GREEDY: most_probable(exam, floored), FLOORED: floored}
    if winner != first:
        other = setting.folder / "first.vw"
        train_on(setting, first, last, other)
        given[DEFAULT] = most_probable(exam, VwPolicy.load(other).probabilities(decisions))
    evaluation = evaluation_of(exam, given)
    best = evaluation.policy(GREEDY)
    return FinalExam(
        exam.batch.n,
        float(exam.batch.reward.mean()),
        limits_of(best.value),
        limits_of(evaluation.policy(FLOORED).value),
        _limits(best.gain),
        limits_of(evaluation.compare(GREEDY, DEFAULT).difference) if winner != first else None,
    )


def _limits(estimate: Estimate | None) -> Limits | None:
    return None if estimate is None else limits_of(estimate)
