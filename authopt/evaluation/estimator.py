"""What an estimator is: a sum of ratios of two sums of columns; and families of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Estimator:
    """A sum of ratios sum(numerator) / sum(denominator).

    Attributes
    ----------
    name, title, source
        short name, name in words, and where it was published.
    ratios
        names of columns, numerator and denominator.
    needs_model
        whether it uses a reward model.
    embedding
        the action feature that it needs, or None.
    weighted
        whether it weights rows, so that few rows may carry it.
    score
        column whose mean is the value, without bias, if the propensities are right; the covering
        interval is made from it. None where there is no such column.
    note
        what its intervals do not cover.
    parameter
        of a member of a family: the value that sets how far weights are cut.
    biased
        whether its mean misses the value by more than shrinks with the number of rows.
    """

    name: str
    title: str
    source: str
    ratios: tuple[tuple[str, str], ...]
    needs_model: bool = False
    embedding: str | None = None
    weighted: bool = True
    score: str | None = None
    note: str | None = None
    parameter: float | None = None
    biased: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of all columns in the ratios."""
        return tuple(name for ratio in self.ratios for name in ratio)


@dataclass(frozen=True, slots=True)
class Family:
    """Estimators that differ in one parameter, which trades variance for bias.

    Attributes
    ----------
    name, title, source, needs_model, note, embedding
        as those of its members.
    members
        from the least biased, which cuts no weight, to the most biased.
    """

    name: str
    title: str
    source: str
    needs_model: bool
    note: str
    members: tuple[Estimator, ...]
    embedding: str | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of all columns in the ratios of all members."""
        return tuple(name for member in self.members for name in member.columns)


def family_of(
    name: str,
    title: str,
    source: str,
    column: str,
    words: str,
    note: str,
    grid: Sequence[float],
    *,
    uncut: str,
    normalised: bool = False,
    score: str | None = None,
    needs_model: bool = False,
) -> Family:
    # The first value of a grid cuts nothing; of a family with a model, 0 at the end cuts all.
    ends = {grid[0]: (uncut, "no weight is cut")}
    if not grid[-1]:
        ends[0.0] = ("v", "the model alone")
    members = []
    for parameter in grid:
        numerator, how = ends.get(
            parameter, (f"{column}@{parameter:g}", words.format(f"{parameter:g}"))
        )
        members.append(
            Estimator(
                name,
                f"{title} ({how})",
                source,
                ((numerator, _weights(numerator, uncut, column) if normalised else "one"),),
                needs_model=needs_model,
                weighted=numerator != "v",
                score=score,
                note=note,
                parameter=parameter,
                biased=numerator != uncut,
            )
        )
    return Family(name, title, source, needs_model, note, tuple(members))


def _weights(numerator: str, uncut: str, column: str) -> str:
    """Column of the weights in a column of weighted rewards."""
    return "w" if numerator == uncut else numerator.replace(column, f"{column}w")
