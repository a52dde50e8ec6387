"""Estimates over a stretch of time from sums of columns, and how much rows depend on each other."""

from __future__ import annotations

from authopt.evaluation.buckets import BucketTable
from authopt.evaluation.columns import product
from authopt.evaluation.time_sums import Totals

QUANTITIES = ("logged", "value", "gain")
"""Mean logged reward; value of the policy (doubly robust with a reward model, else SNIPS); the one
less the other, paired."""


def estimate(totals: Totals, quantity: str) -> float | None:
    """Of one of ``QUANTITIES``; None where the log holds nothing to estimate it from."""
    logged = totals["r"] / totals.rows
    if quantity == "logged":
        return logged
    if totals["w"] <= 0.0:
        return None
    value = totals["wr"] / totals["w"]
    if totals.with_model:
        value = totals["dr"] / totals.rows
    return value - logged if quantity == "gain" else value


def variance(totals: Totals, quantity: str, about: float) -> float:
    """Of the estimate, by linearisation, from the spread of the scores about a value.

    As if rows were independent of each other.
    """
    n = totals.rows
    logged = totals["r"] / n
    own = totals.both("r", "r") - 2.0 * logged * totals["r"] + n * logged**2
    if quantity == "logged":
        own += n * (logged - about) ** 2
        return max(own, 0.0) / n**2
    value = about + logged if quantity == "gain" else about
    if totals.with_model:
        squares = totals.both("dr", "dr") - 2.0 * value * totals["dr"] + n * value**2
        cross = totals.both("dr", "r") - value * totals["r"]
        cross -= logged * (totals["dr"] - value * n)
        scale = 1.0
    else:
        squares = totals.both("wr", "wr") - 2.0 * value * totals.both("wr", "coverage")
        squares += value**2 * totals.both("coverage", "coverage")
        cross = totals.both("wr", "r") - value * totals.both("coverage", "r")
        cross -= logged * (totals["wr"] - value * totals["coverage"])
        if totals["coverage"] <= 0.0:
            return 0.0
        scale = n / totals["coverage"]
    total = scale**2 * squares
    if quantity == "gain":
        total += own - 2.0 * scale * cross
    return max(total, 0.0) / n**2


def dependence(table: BucketTable) -> float:
    """How much more sums of clusters vary than if rows were independent; at least 1.

    Of the residuals w (r - value) of the whole log: their variance between the buckets of clusters
    over that between rows. It widens the intervals of
    stretches of time, as if it were the same at all times.
    """
    coverage = table.total("coverage")
    if coverage <= 0.0:
        return 1.0
    value = table.total("wr") / coverage
    rows = table.total(product("wr", "wr")) - 2.0 * value * table.total(product("wr", "coverage"))
    rows += value**2 * table.total(product("coverage", "coverage"))
    used = table["one"] > 0.0
    groups = int(used.sum())
    if groups < 2 or rows <= 1e-12 * table.total(product("wr", "wr")):
        return 1.0
    between = (table["wr"] - value * table["coverage"])[used]
    return max(1.0, groups / (groups - 1) * float((between**2).sum()) / rows)
