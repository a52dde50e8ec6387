"""Whether the propensities of a log are those that its actions were drawn with.

Every check compares what came with what the logged probabilities say should have come (see
:mod:`authopt.evaluation.propensities.scores`). Under sound propensities the sums are martingales
with a variance that is known, so that by Freedman's inequality ('On Tail Probabilities for
Martingales', Annals of Probability 3, 1975, theorem 1.6) a sum reaches s with a probability of at
most exp(-s^2 / 2 / (V + M s / 3)), M being the largest possible term. Within a check the largest of
many such sums counts, times their number (Bonferroni); over the checks Holm's correction holds the
chance of any false alarm to ``FALSE_ALARM`` (Holm, 'A Simple Sequentially Rejective Multiple Test
Procedure', Scandinavian Journal of Statistics 6, 1979).
"""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations_with_replacement

import numpy as np

from authopt.evaluation.propensities.deviations import (
    WORDS,
    Deviation,
    bin_deviations,
    event_deviation,
    score_deviation,
    tail,
)
from authopt.evaluation.propensities.scores import CDF_BINS, GROUPS, SCORES
from authopt.evaluation.propensities.sums import ALL, FAMILIES, PropensitySums, groups_of
from authopt.evaluation.propensities.verdicts import (
    Check,
    Verdict,
    judged,
    plain_check,
    tested_check,
    unknown_check,
)

STRETCHES = 10
_LEAST_ROWS = 200.0


def checks_of(sums: PropensitySums) -> tuple[Check, ...]:
    """All checks of the propensities of a log, in the order in which a reader should look."""
    found = [
        *_listed(sums),
        _total(sums, "weight"),
        _total(sums, "surprise"),
        _total(sums, "top"),
        *(_reliability(sums, family) for family in (*FAMILIES, "probability")),
        _cdf(sums),
        _independence(sums),
        _segments(sums),
        _drift(sums),
    ]
    return judged(found)


def _listed(sums: PropensitySums) -> list[Check]:
    """The two checks that need no statistics."""
    listed = sums.listed
    off = listed.below + listed.above
    mean = listed.total / listed.rows if listed.rows else 1.0
    below = off and listed.below >= listed.above
    found = [
        plain_check(
            "sums",
            "The probabilities of the eligible actions sum to 1",
            off,
            listed.rows,
            f"in {off:,} of {listed.rows:,} rows the probabilities of the eligible actions do not "
            f"sum to 1 (mean of the sums {mean:.4f})",
            "They look as if they were taken before ineligible actions were masked: log them after "
            "all filters, renormalised, at the moment of the draw."
            if below
            else "Log the probabilities of the eligible actions alone, after all filters.",
        )
    ]
    how = "log the probability of the action that was drawn, after all overrides"
    if listed.of_another:
        how = (
            f"in {listed.of_another:,} of them it is that of another eligible action: {how} (VW "
            "lists actions with their probabilities; take the entry of the drawn one)"
        )
    found.append(
        plain_check(
            "taken",
            "The propensity is the listed probability of the taken action",
            listed.differs,
            listed.rows,
            f"in {listed.differs:,} of {listed.rows:,} rows the propensity is not the probability "
            "that the log lists for the taken action"
            + (f"; {listed.impossible:,} list it as 0" if listed.impossible else ""),
            how[0].upper() + how[1:] + ".",
        )
    )
    return found


_TITLES = {
    "weight": "The mean weight of an even policy is 1",
    "surprise": "Unlikely actions come as rarely as the log says",
    "top": "The likeliest action comes as often as the log says",
}
_REMEDIES = {
    "weight": "Log the probabilities after all overrides, floors and fallbacks, at the moment of "
    "the draw.",
    "surprise": "The policy that drew was flatter or sharper than the one that was logged: look "
    "for a fallback, another version of the model, or exploration that was applied after logging.",
    "top": "The exploration that was logged is not the one that was applied: look at epsilon, at "
    "how ties are broken, and at the order of the actions.",
}


def _total(sums: PropensitySums, score: str) -> Check:
    title = _TITLES[score]
    if not sums.rows or (score != "weight" and not sums.exact):
        return unknown_check(score, title)
    at = sums.cells.labels.index(ALL)
    found = score_deviation(sums.cells.sums[at], sums.cells.largest[at], score, "", WORDS[score])
    found = _one_sided([found], sums.exact)[0]
    p = min(1.0, (2 if sums.exact else 1) * found.p)
    text = (
        f"{found.where} {found.observed:.4f} where {found.expected:.0f} "
        f"{'should be' if sums.exact else 'is the most'} (z = {found.z:+.1f})"
    )
    return Check(score, title, found.z, p, p, Verdict.OK, text, _REMEDIES[score])


def _reliability(sums: PropensitySums, family: str) -> Check:
    """Events against their probabilities: per route (delay, position), and in ten bins of each."""
    title = f"Actions come as often as their probabilities say, by {family}"
    if not sums.exact or not sums.rows:
        return unknown_check(family, title)
    table = sums.events["position" if family == "probability" else family]
    if not len(table):
        return unknown_check(
            family, title, "the log came as plain arrays, without routes and delays"
        )
    found = []
    if family == "probability":
        found = bin_deviations(table.sums.sum(axis=0), "")
    else:
        for label, cells in zip(table.labels, table.sums, strict=True):
            found += [event_deviation(cells.sum(axis=0), f"{family} {label!r}")]
            found += bin_deviations(cells, f"{family} {label!r}, ")
    found = [each for each in found if each.rows]
    return tested_check(
        family,
        title,
        found,
        f"{len(found)} bins",
        "These actions were not drawn with the probabilities that were logged: look at rules, "
        "fallbacks and overrides that force or forbid them after the probabilities were computed, "
        "and at whether actions and probabilities are logged in the same order.",
        2 * len(found),
    )


def _cdf(sums: PropensitySums) -> Check:
    title = "Draws hit every part of the distribution equally often"
    if not sums.exact or not sums.rows:
        return unknown_check("cdf", title)
    found = []
    for place in range(CDF_BINS):
        excess, squares = float(sums.cdf[0, place]), float(sums.cdf[1, place])
        z, p = tail(excess, squares, 1.0)
        where = f"between {place / CDF_BINS:.2f} and {(place + 1) / CDF_BINS:.2f}"
        share = 1.0 / CDF_BINS
        found.append(Deviation(where, z, p, sums.rows, share + excess / sums.rows, share))
    return tested_check(
        "cdf",
        title,
        found,
        f"{CDF_BINS} parts",
        "The random numbers that actions were drawn with were not uniform, or the probabilities "
        "were laid out in another order than they were logged in.",
        2 * CDF_BINS,
    )


def _independence(sums: PropensitySums) -> Check:
    title = "The draws of a payment do not depend on each other"
    if not sums.exact or not sums.rows:
        return unknown_check("independence", title)
    draws, variance = sums.draws
    excess = draws**2 - variance
    z, p = tail(float(excess.sum()), float(excess @ excess), float(np.abs(excess).max()))
    if z < 0.0:
        p = 1.0
    ratio = float((draws**2).sum() / variance.sum()) if variance.sum() > 0.0 else 1.0
    return Check(
        "independence",
        title,
        z,
        p,
        p,
        Verdict.OK,
        f"draws vary {ratio:.2f} times as much by payment as independent ones would (z = {z:+.1f})",
        "The attempts of a payment were drawn with the same random number: seed each draw by its "
        "decision, not by its payment.",
    )


def _segments(sums: PropensitySums) -> Check:
    title = "Weights and draws are as expected in every segment (control variates)"
    found = []
    words = _words(sums)
    scores = SCORES if sums.exact else ("weight",)
    for label, cell, largest in zip(
        sums.cells.labels, sums.cells.sums, sums.cells.largest, strict=True
    ):
        if label != ALL:
            found += [
                score_deviation(cell, largest, score, label, words[score]) for score in scores
            ]
    if not found:
        return unknown_check("segments", title, "the log has no columns to form segments by")
    return tested_check(
        "segments",
        title,
        _one_sided(found, sums.exact),
        f"{len(found)} control variates",
        "In this segment actions were not drawn with the logged probabilities: look for a rule or "
        "a model of its own there.",
        len(found) * (2 if sums.exact else 1),
    )


def _drift(sums: PropensitySums) -> Check:
    title = "Weights and draws are as expected all the time"
    scores = SCORES if sums.exact else ("weight",)
    found, words = [], _words(sums)
    stretches = sums.hours.equal_rows(STRETCHES, _LEAST_ROWS)
    # What goes wrong lasts as long as it lasts: every run of neighbouring stretches is looked at.
    for first, last in combinations_with_replacement(range(len(stretches)), 2):
        rows = np.concatenate(stretches[first : last + 1])
        start, end = sums.hours.between(rows)
        cell, largest = sums.hours.sums[rows].sum(axis=0), sums.hours.largest[rows].max(axis=0)
        where = f"{start}Z to {end}Z"
        found += [score_deviation(cell, largest, score, where, words[score]) for score in scores]
    if not found:
        return unknown_check("drift", title, "the times of the decisions are not known")
    return tested_check(
        "drift",
        title,
        _one_sided(found, sums.exact),
        f"{len(found)} sums over runs of stretches",
        "The probabilities that were logged then are those of another policy (a stale model, a "
        "roll-out, an outage): find out what changed, and leave that time out.",
        len(found) * (2 if sums.exact else 1),
    )


def _words(sums: PropensitySums) -> dict[str, str]:
    """Every score in words; a group by the routes that are in it."""
    words, family = dict(WORDS), "route" if len(sums.events["route"]) else "position"
    names = sums.events[family].labels
    bits = groups_of(names) if names else np.zeros(0, np.int64)
    for bit, group in enumerate(GROUPS):
        inside = [names[at] for at in np.flatnonzero((bits >> bit) & 1).tolist()]
        shown = ", ".join(inside[:3]) + (f" and {len(inside) - 3} more" if len(inside) > 3 else "")
        words[group] = f"share of {family} {shown} less its probability"
    return words


def _one_sided(found: list[Deviation], exact: bool) -> list[Deviation]:
    """Where only propensities are known, too small a mean weight is no fault: support may lack."""
    if exact:
        return found
    return [each if each.z > 0.0 else replace(each, p=1.0) for each in found]
