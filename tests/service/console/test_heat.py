"""The heat map: a cell stands out only where its route differs from the others of its row."""

from __future__ import annotations

from service.console.heat import FEW, MOST_ROWS, heat_of
from service.summaries.cuts import Cut
from service.summaries.reading import Row
from service.summaries.sums import Sums


def row(value: str, route: str, approved: int, tries: int, retries: int = 0) -> Row:
    sums = Sums(
        decisions=tries + retries,
        attempts=tries + retries,
        answered=tries + retries,
        approved=approved,
        first_answered=tries,
        first_approved=approved,
    )
    return Row(value, route, sums)


def test_rows_are_by_volume_and_columns_by_the_static_priority_with_unknown_routes_after() -> None:
    found = [row("small", "b", 9, 10), row("large", "a", 90, 100), row("large", "zeta", 5, 10)]
    heat = heat_of(Cut.ISSUER, found, ("b", "a", "unused"), first=True)
    assert heat.routes == ("b", "a", "zeta")
    assert [each.value for each in heat.rows] == ["large", "small"]
    assert [cell.tries for cell in heat.rows[0].cells] == [0, 100, 10]
    assert heat.rows[0].whole.tries == 110


def test_attempts_are_in_their_own_order() -> None:
    found = [row(value, "a", 1, 2) for value in ("10", "2", "1")]
    heat = heat_of(Cut.ATTEMPT, found, ("a",), first=False)
    assert [each.value for each in heat.rows] == ["1", "2", "10"]


def test_a_clear_difference_stands_out_and_a_small_one_does_not() -> None:
    found = [row("x", "good", 950, 1000), row("x", "bad", 700, 1000), row("x", "same", 820, 1000)]
    good, bad, same = heat_of(Cut.ISSUER, found, ("good", "bad", "same"), first=True).rows[0].cells
    assert (good.said, bad.said, same.said) == ("up", "down", "")
    assert good.shade.startswith("up depth-")
    assert bad.shade == "down depth-7"


def test_small_counts_are_grey_and_say_nothing() -> None:
    found = [row("x", "a", 0, FEW - 1), row("x", "b", 10_000, 10_000)]
    few, many = heat_of(Cut.ISSUER, found, ("a", "b"), first=True).rows[0].cells
    assert (few.shade, few.said) == ("few", "")
    assert not many.is_few


def test_the_more_cells_are_looked_at_the_more_it_takes_to_stand_out() -> None:
    one = [row("x", "a", 880, 1000), row("x", "b", 845, 1000)]
    alone = heat_of(Cut.ISSUER, one, ("a", "b"), first=True).rows[0].cells[0]
    others = [row(f"v{n}", route, 850, 1000) for n in range(100) for route in ("a", "b")]
    among = heat_of(Cut.ISSUER, one + others, ("a", "b"), first=True)
    same = next(each for each in among.rows if each.value == "x").cells[0]
    assert alone.said == "up"
    assert same.said == ""
    assert same.rate == alone.rate


def test_first_attempts_alone_count_where_that_is_asked() -> None:
    found = [row("x", "a", 50, 100, retries=100)]
    first = heat_of(Cut.ISSUER, found, ("a",), first=True).rows[0].whole
    every = heat_of(Cut.ISSUER, found, ("a",), first=False).rows[0].whole
    assert (first.tries, every.tries) == (100, 200)


def test_the_page_shows_the_largest_and_the_export_all() -> None:
    found = [row(f"v{n}", "a", 1, 2) for n in range(MOST_ROWS + 5)]
    heat = heat_of(Cut.ISSUER, found, ("a",), first=True)
    assert (len(heat.shown), len(heat.rows)) == (MOST_ROWS, MOST_ROWS + 5)
