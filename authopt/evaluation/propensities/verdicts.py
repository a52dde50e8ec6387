"""What a check of the propensities says, and how sure it can be among several checks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from authopt.evaluation.propensities.deviations import Deviation

FALSE_ALARM = 0.01
"""Chance at most that a sound log has any check that is not ok."""

CERTAIN = 1e-4
"""Corrected p value below which a check says wrong, not just suspect."""


class Verdict(StrEnum):
    """What a check says of the propensities."""

    OK = "ok"
    SUSPECT = "suspect"
    WRONG = "wrong"
    UNKNOWN = "unknown"
    """The log does not hold what the check needs."""


@dataclass(frozen=True, slots=True)
class Check:
    """One check of the propensities.

    Attributes
    ----------
    name, title
        for machines and for people.
    statistic
        the largest deviation, in standard errors (allowing for rare actions); for checks that need
        no statistics, the share of the rows at fault. None where unknown.
    p_value
        chance at most, with sound propensities, of a deviation as large; corrected for looking at
        many places within the check. None where unknown.
    corrected
        the same, corrected for the number of checks too.
    verdict
        what follows.
    sentence
        what was found, and where it is worst.
    remedy
        what to look at; empty where there is nothing to mend.
    """

    name: str
    title: str
    statistic: float | None
    p_value: float | None
    corrected: float | None
    verdict: Verdict
    sentence: str
    remedy: str


def worst(checks: Iterable[Check]) -> Verdict:
    """The worst verdict; ``unknown`` where no check could tell anything."""
    said = {check.verdict for check in checks}
    for verdict in (Verdict.WRONG, Verdict.SUSPECT, Verdict.OK):
        if verdict in said:
            return verdict
    return Verdict.UNKNOWN


def holm(p_values: Sequence[float]) -> list[float]:
    """P values corrected so that the chance of any false alarm holds (Holm 1979)."""
    order = np.argsort(p_values, kind="stable")
    corrected, highest = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(order.tolist()):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[place]))
        corrected[place] = highest
    return corrected


def judged(found: Sequence[Check]) -> tuple[Check, ...]:
    """The checks with their corrected p values and what follows from these."""
    tested = [at for at, check in enumerate(found) if check.p_value is not None]
    corrected = holm([found[at].p_value or 0.0 for at in tested])
    judged = list(found)
    for at, p in zip(tested, corrected, strict=True):
        verdict = Verdict.OK
        if p < FALSE_ALARM:
            verdict = Verdict.WRONG if p < CERTAIN else Verdict.SUSPECT
        remedy = "" if verdict is Verdict.OK else found[at].remedy
        judged[at] = replace(found[at], corrected=p, verdict=verdict, remedy=remedy)
    return tuple(judged)


def plain_check(name: str, title: str, bad: int, rows: int, sentence: str, remedy: str) -> Check:
    """A check that needs no statistics: any row at fault is one too many."""
    if not rows:
        return unknown_check(name, title)
    verdict = Verdict.WRONG if bad else Verdict.OK
    text = sentence if bad else f"holds in all {rows:,} rows"
    return Check(name, title, bad / rows, None, None, verdict, text, remedy if bad else "")


def unknown_check(name: str, title: str, why: str = "") -> Check:
    """A check that the log does not hold enough for."""
    reason = why or "the log gives the propensity of the taken action alone"
    remedy = "Log the probability of every eligible action." if not why else ""
    return Check(name, title, None, None, None, Verdict.UNKNOWN, reason, remedy)


def tested_check(
    name: str, title: str, found: Sequence[Deviation], sound: str, remedy: str, places: int
) -> Check:
    """A check by the largest of several deviations, each looked at from one side or from both."""
    if not found:
        return unknown_check(name, title, "there is no decision with a choice to test")
    # Of deviations that are equal to rounding, the name decides, and not the order of the log.
    first = min(found, key=lambda each: (round(each.p, 9), -round(abs(each.z), 6), each.where))
    p = min(1.0, places * first.p)
    text = (
        f"{first.where}: {first.observed:,.4g} where {first.expected:,.4g} should be "
        f"({first.rows:,.0f} decisions, z = {first.z:+.1f})"
    )
    return Check(name, title, first.z, p, p, Verdict.OK, f"{sound}; {text}", remedy)
