"""What is due when: batches of rows that wait for their time, at no cost until it has come."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Generic, TypeVar

import numpy as np

from authopt.batch import DecisionBatch, IntArray, concat

Batch = TypeVar("Batch", bound=DecisionBatch)

SLOTS_PER_PAGE = 256
"""Slots that are told apart at a time; rows of a later page wait together, as they came."""


@dataclass(slots=True, eq=False)
class _Page(Generic[Batch]):
    """Rows that are due in some slots in a row, not yet sorted by slot."""

    first_slot: int
    batches: list[Batch]


@dataclass(slots=True, eq=False)
class DueQueue(Generic[Batch]):
    """Rows by the slot that they are due in.

    A calendar of pages: rows are put on the page of their slot as they come, and only when its time
    has come is a page sorted into slots. So a row costs the same however long it waits, and a slot
    in which nothing is due costs nothing.

    Attributes
    ----------
    slots_of
        int64[n], the slot of every row of a batch.
    """

    slots_of: Callable[[Batch], IntArray]
    _pages: dict[int, _Page[Batch]] = field(default_factory=dict)
    _page_numbers: list[int] = field(default_factory=list)
    _slots: dict[int, list[Batch]] = field(default_factory=dict)
    _slot_numbers: list[int] = field(default_factory=list)
    _opened: int | None = None

    def add(self, batch: Batch) -> None:
        """Let rows wait."""
        if not batch.n:
            return
        slot = self.slots_of(batch)
        for number, rows in _groups(slot // SLOTS_PER_PAGE):
            part = batch if rows is None else batch.take(rows)
            slots = slot if rows is None else slot[rows]
            if self._opened is not None and number <= self._opened:
                self._sort(part, slots)
            elif number in self._pages:
                page = self._pages[number]
                page.first_slot = min(page.first_slot, int(slots.min()))
                page.batches.append(part)
            else:
                self._pages[number] = _Page(int(slots.min()), [part])
                heappush(self._page_numbers, number)

    @property
    def next_slot(self) -> int | None:
        """The first slot in which something is due; None where nothing waits."""
        first = self._slot_numbers[:1]
        first += [self._pages[number].first_slot for number in self._page_numbers[:1]]
        return min(first, default=None)

    def take(self, slot: int) -> list[Batch]:
        """What is due in a slot or before it, earlier slots first; it waits no longer."""
        while self._page_numbers and self._page_numbers[0] <= slot // SLOTS_PER_PAGE:
            self._opened = heappop(self._page_numbers)
            whole = concat(self._pages.pop(self._opened).batches)
            self._sort(whole, self.slots_of(whole))
        due: list[Batch] = []
        while self._slot_numbers and self._slot_numbers[0] <= slot:
            due += self._slots.pop(heappop(self._slot_numbers))
        return due

    def _sort(self, batch: Batch, slot: IntArray) -> None:
        order = np.argsort(slot, kind="stable")
        ordered = batch if (np.diff(order) == 1).all() else batch.take(order)
        numbers, starts = np.unique(slot[order], return_index=True)
        ends = [*starts[1:].tolist(), batch.n]
        for number, start, end in zip(numbers.tolist(), starts.tolist(), ends, strict=True):
            part = ordered.take(slice(start, end))
            if number in self._slots:
                self._slots[number].append(part)
            else:
                self._slots[number] = [part]
                heappush(self._slot_numbers, number)


def _groups(key: IntArray) -> list[tuple[int, IntArray | None]]:
    """Every key that occurs with its rows; None where these are all."""
    if (key == key[0]).all():
        return [(int(key[0]), None)]
    return [(int(value), np.flatnonzero(key == value)) for value in np.unique(key)]
