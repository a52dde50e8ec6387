"""Reading ahead changes nothing but the time at which items are made."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from authopt.logs.read_ahead import ahead


def test_the_items_come_in_order_and_all_of_them() -> None:
    assert list(ahead(iter(range(20)))) == list(range(20))
    assert list(ahead(iter(()))) == []


def test_the_next_item_is_made_while_one_is_in_use() -> None:
    made = threading.Event()

    def items() -> Iterator[int]:
        yield 1
        made.set()
        yield 2

    coming = ahead(items())
    assert next(coming) == 1
    assert made.wait(10)
    assert list(coming) == [2]


def test_at_most_one_item_is_made_ahead() -> None:
    made: list[int] = []

    def items() -> Iterator[int]:
        for item in range(10):
            made.append(item)
            yield item

    for item in ahead(items()):
        assert len(made) <= item + 2


def test_an_error_comes_where_its_item_would_have_come() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise RuntimeError("broken")

    coming = ahead(items())
    assert next(coming) == 1
    with pytest.raises(RuntimeError, match="broken"):
        next(coming)


def test_what_makes_the_items_is_closed_when_no_more_are_wanted() -> None:
    closed = threading.Event()

    def items() -> Iterator[int]:
        try:
            yield from range(10)
        finally:
            closed.set()

    coming = ahead(items())
    next(coming)
    coming.close()
    del coming
    assert closed.wait(10)
