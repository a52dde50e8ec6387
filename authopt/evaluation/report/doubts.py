"""What speaks against an answer, each thing once, the worst first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from authopt.evaluation.over_time import Drift
from authopt.evaluation.propensities.verdicts import Check, Verdict
from authopt.evaluation.quantities import Level
from authopt.evaluation.report.wording import p_value
from authopt.evaluation.result import Evaluation, PolicyResult

_WORST_FIRST = (Level.ALARM, Level.WARNING, Level.NOTE)


@dataclass(frozen=True, slots=True)
class Doubt:
    """Something that a reader must know.

    Attributes
    ----------
    level
        how much it matters.
    about
        names of the policies that it is said of; empty where it is said of the log.
    text
        what it is.
    whose
        the names in a row, or that it is the log, or every policy.
    """

    level: Level
    about: tuple[str, ...]
    text: str
    whose: str


def doubts(evaluation: Evaluation) -> tuple[Doubt, ...]:
    """All of them: of the log, of its propensities, of every policy and of its payments.

    What is said of several policies in the same words is said once.
    """
    said: dict[tuple[Level, str], list[str]] = {}
    for level, text in _of_the_log(evaluation):
        said.setdefault((level, text), [])
    for policy in evaluation.policies:
        for key in _of(policy):
            said.setdefault(key, []).append(policy.name)
    found = []
    for (level, text), names in said.items():
        about = tuple(dict.fromkeys(names))
        everyone = len(about) == len(evaluation.policies) > 1
        whose = "every policy" if everyone else ", ".join(about) or "the log"
        found.append(Doubt(level, about, text, whose))
    return tuple(sorted(found, key=lambda doubt: _WORST_FIRST.index(doubt.level)))


def alarmed(evaluation: Evaluation) -> bool:
    """Whether there is an alarm on any policy or on the log."""
    return any(doubt.level is Level.ALARM for doubt in doubts(evaluation))


def _of_the_log(evaluation: Evaluation) -> Iterator[tuple[Level, str]]:
    for remark in evaluation.remarks:
        yield remark.level, remark.text
    for check in evaluation.checks:
        if check.verdict is Verdict.WRONG:
            yield Level.ALARM, _failed(check)
        elif check.verdict is Verdict.SUSPECT:
            yield Level.WARNING, _failed(check)


def _of(policy: PolicyResult) -> Iterator[tuple[Level, str]]:
    for remark in policy.remarks:
        yield remark.level, remark.text
    for remark in () if policy.payments is None else policy.payments.remarks:
        yield remark.level, remark.text
    for drift in () if policy.over_time is None else policy.over_time.drifts:
        if drift.found and drift.quantity == "gain":
            yield Level.WARNING, _drifts(drift)


def _failed(check: Check) -> str:
    remedy = f" {check.remedy}" if check.remedy else ""
    return f"a check of the propensities fails ({check.title}): {check.sentence}.{remedy}"


def _drifts(drift: Drift) -> str:
    where = ""
    if drift.start is not None and drift.end is not None:
        where = f", most of all from {drift.start:%Y-%m-%d %H:%M} to {drift.end:%Y-%m-%d %H:%M} UTC"
    return (
        f"its gain over the logging policy changes over time (p = {p_value(drift.p_value)})"
        f"{where}: the mean over the whole log may not be what comes next"
    )
