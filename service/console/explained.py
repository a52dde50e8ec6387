"""Why a decision was made, as a page shows it: scores, shares of probabilities, and features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from authopt.explaining.explanation import ActionExplained, Comparison
from authopt.explaining.shares import MEANINGS
from service.api.explain import ExplanationAnswer
from service.console.tables import Column, Table

MOST_PARTS = 8
"""Parts of a difference that are shown; the others are added up in one row."""


@dataclass(frozen=True, slots=True)
class Compared:
    """Why one action has a higher score than another.

    Attributes
    ----------
    heading
        which ones.
    difference
        of their scores.
    parts
        what features add to it, the largest first.
    reach
        size of the largest.
    """

    heading: str
    difference: float
    parts: tuple[tuple[str, float], ...]
    reach: float


@dataclass(frozen=True, slots=True)
class Explained:
    """An explanation.

    Attributes
    ----------
    tables
        the actions with their scores.
    score, method
        what scores are, and how parts were found; None where there are none.
    meanings
        of the shares of probabilities, by name.
    drawn
        one sentence on the draw.
    comparisons
        of the best action with others.
    """

    tables: tuple[Table, ...]
    score: str | None
    meanings: tuple[tuple[str, str], ...]
    drawn: str
    comparisons: tuple[Compared, ...]
    method: str | None


def explained(why: ExplanationAnswer | None) -> Explained | None:
    """What there is to show; None where no policy decided, or it cannot be had any more."""
    if why is None or why.explanation is None:
        return None
    told = why.explanation
    figures = list(dict.fromkeys(name for each in told.actions for name in each.evidence))
    shares = [
        name
        for name in dict.fromkeys(name for each in told.actions for name in each.shares)
        if any(each.shares.get(name) for each in told.actions)
    ]
    columns = [Column("route", "route", "code"), Column("delay_s", "after", "span")]
    columns += [Column(f"evidence {name}", name, "number") for name in figures]
    if any(each.score is not None for each in told.actions):
        columns.append(Column("score", "score", "number"))
    columns.append(Column("probability", "probability", "meter"))
    columns += [Column(f"share {name}", f"of it: {name}", "chance") for name in shares]
    columns.append(Column("drawn_below", "drawn below", "chance"))
    rows = [
        {
            "route": each.route,
            "delay_s": each.delay_s,
            "score": each.score,
            "probability": each.probability,
            "drawn_below": each.drawn_below,
        }
        | {f"evidence {name}": each.evidence.get(name) for name in figures}
        | {f"share {name}": each.shares.get(name) for name in shares}
        for each in told.actions
    ]
    drawn = next(each for each in told.actions if each.is_drawn)
    return Explained(
        (Table("scores", "What the policy thinks of each action", tuple(columns), rows),),
        told.score,
        tuple((name, MEANINGS[name]) for name in shares if name in MEANINGS),
        (
            f"The hash of the decision's id is {told.uniform:.6f}: {drawn.route} is drawn between "
            f"{drawn.drawn_from:.4f} and {drawn.drawn_below:.4f}."
        ),
        tuple(_compared(told.actions, each) for each in told.comparisons if each.parts),
        told.method,
    )


def _compared(actions: Sequence[ActionExplained], each: Comparison) -> Compared:
    better, than = actions[each.better], actions[each.than]
    parts = [(part.feature, part.value) for part in each.parts]
    shown, rest = parts[:MOST_PARTS], parts[MOST_PARTS:]
    if rest:
        shown.append((f"{len(rest)} smaller parts together", sum(value for _, value in rest)))
    return Compared(
        f"{_name(better)} rather than {_name(than)}",
        each.difference,
        tuple(shown),
        max(abs(value) for _, value in shown),
    )


def _name(action: ActionExplained) -> str:
    return action.route + (f" after {action.delay_s:,} s" if action.delay_s else "")
