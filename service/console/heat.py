"""Approval by route within each value of a cut, as a table whose cells are shaded.

Each cell is held against the other routes of its row: what one would gain or lose by choosing the
route there, as far as payments of a row are alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from service.console.rates import CONFIDENCE, Estimate, difference, share
from service.summaries.cuts import Cut
from service.summaries.reading import Row
from service.summaries.sums import Sums

FEW = 50
"""Attempts below which a cell is grey: nothing can be told from them."""

MOST_ROWS = 25
"""Values that are shown; the export holds all of them."""

DEPTHS = 7
_DEEPEST = 0.10
"""Difference of the deepest colour."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One route within one value of the cut; what is said of it is found when it is asked for.

    Attributes
    ----------
    route
        by name; empty: all together.
    approved, tries
        attempts of those that are counted, and of them those whose outcome is known.
    others
        the same of the other routes of the row.
    confidence
        at which a cell stands out.
    """

    route: str
    approved: int
    tries: int
    others: tuple[int, int]
    confidence: float

    @property
    def rate(self) -> Estimate | None:
        """Approved ones of the tries; None without any."""
        return share(self.approved, self.tries)

    @property
    def against(self) -> Estimate | None:
        """The rate less that of the other routes of the row; None where there are none."""
        return difference(self.approved, self.tries, *self.others)

    @property
    def said(self) -> str:
        """``up`` or ``down`` where the difference is more than chance would make it in any cell of
        the table, else empty.
        """
        if self.is_few:
            return ""
        found = difference(self.approved, self.tries, *self.others, self.confidence)
        if found is None:
            return ""
        return "up" if found.above else "down" if found.below else ""

    @property
    def is_few(self) -> bool:
        """Whether nothing can be told from so little."""
        return self.tries < FEW

    @property
    def shade(self) -> str:
        """Classes of the cell."""
        against = self.against
        if self.is_few or against is None:
            return "few" if self.is_few else ""
        depth = round(DEPTHS * min(1.0, abs(against.value) / _DEEPEST))
        side = "up" if against.value > 0.0 else "down"
        return f"{side} depth-{depth}" if depth else ""


@dataclass(frozen=True, slots=True)
class HeatRow:
    """One value of the cut: all routes together, and each."""

    value: str
    whole: Cell
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Heat:
    """The table.

    Attributes
    ----------
    routes
        in the order of the cells.
    rows
        most attempts first; attempts by their number.
    """

    routes: tuple[str, ...]
    rows: tuple[HeatRow, ...]

    @property
    def shown(self) -> tuple[HeatRow, ...]:
        """Those that there is room for."""
        return self.rows[:MOST_ROWS]


def heat_of(cut: Cut, found: Sequence[Row], routes: Sequence[str], first: bool) -> Heat:
    """Make it of the sums by value and route.

    Parameters
    ----------
    cut, found
        what is told apart, and what :func:`service.summaries.reading.route_by` says.
    routes
        those that come first, in their order.
    first
        whether first attempts alone count: retries have other chances, and other routes.
    """
    by_value: dict[str, dict[str, Sums]] = {}
    for row in found:
        if row.sums.attempts:
            by_value.setdefault(row.value, {})[row.route] = row.sums
    known = {row.route for row in found if row.sums.attempts}
    columns = (*(each for each in routes if each in known), *sorted(known - set(routes)))
    counts = {
        value: {route: _counted(sums, first) for route, sums in of_routes.items()}
        for value, of_routes in by_value.items()
    }
    looks = sum(whole >= FEW for of_routes in counts.values() for _, whole in of_routes.values())
    # All marks together err with this probability (Bonferroni).
    confidence = 1.0 - (1.0 - CONFIDENCE) / max(1, looks)
    rows = [
        HeatRow(value, _whole(of_routes), _cells(columns, of_routes, confidence))
        for value, of_routes in counts.items()
    ]
    if cut is Cut.ATTEMPT:
        rows.sort(key=lambda row: (len(row.value), row.value))
    else:
        rows.sort(key=lambda row: (-row.whole.tries, row.value))
    return Heat(columns, tuple(rows))


def _counted(sums: Sums, first: bool) -> tuple[int, int]:
    if first:
        return sums.first_approved, sums.first_answered
    return sums.approved, sums.answered


def _whole(of_routes: Mapping[str, tuple[int, int]]) -> Cell:
    part, whole = _added(of_routes.values())
    return Cell("", part, whole, (0, 0), CONFIDENCE)


def _cells(
    columns: Sequence[str], of_routes: Mapping[str, tuple[int, int]], confidence: float
) -> tuple[Cell, ...]:
    all_part, all_whole = _added(of_routes.values())
    cells = []
    for route in columns:
        part, whole = of_routes.get(route, (0, 0))
        cells.append(Cell(route, part, whole, (all_part - part, all_whole - whole), confidence))
    return tuple(cells)


def _added(counts: Iterable[tuple[int, int]]) -> tuple[int, int]:
    pairs = list(counts)
    return sum(part for part, _ in pairs), sum(whole for _, whole in pairs)
