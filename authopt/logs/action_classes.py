"""The classes of actions that a model of the logging policy tells apart: (route, delay) pairs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from authopt.actions import MAX_DELAY_S, Action
from authopt.batch import BoolArray, Categorical, CodeArray, DecisionBatch, IntArray, LoggedBatch

MAX_CLASSES = 128
"""More pairs of route and delay than this, and delays are taken together in bands."""

_HOUR = 3600
DELAY_BANDS_S = (0, 1, _HOUR, 6 * _HOUR, 24 * _HOUR, 72 * _HOUR, 168 * _HOUR, 336 * _HOUR)
"""Starts of the bands of delays: now, later within the hour, within six hours, ..."""

_STRIDE = MAX_DELAY_S + 1


@dataclass(frozen=True, slots=True, eq=False)
class ActionClasses:
    """Classes of actions with how often the log offered and took them.

    Attributes
    ----------
    actions
        route and delay of each class (start of the band, where ``banded``), in order.
    offered, taken
        int64[classes], decisions of the whole log in which an action of the class was eligible
        (counted per action) and was taken.
    banded
        whether delays were taken together in ``DELAY_BANDS_S``.
    """

    actions: tuple[Action, ...]
    offered: IntArray
    taken: IntArray
    banded: bool

    def __len__(self) -> int:
        return len(self.actions)

    @property
    def supported(self) -> BoolArray:
        """bool[classes]: whether the log ever took an action of the class."""
        return np.asarray(self.taken > 0)

    def of(self, batch: DecisionBatch) -> IntArray:
        """int64[m], the class of every action; -1 where the log never offered such an action."""
        routes = tuple(dict.fromkeys(action.route for action in self.actions))
        index = {route: code for code, route in enumerate(routes)}
        keys = np.array([index[a.route] * _STRIDE + a.delay_s for a in self.actions], np.int64)
        route = Categorical(batch.action_route, batch.routes).recode(routes)
        wanted = _keys(route, _banded(batch.action_delay_s) if self.banded else _delays(batch))
        order = np.argsort(keys)
        at = np.minimum(np.searchsorted(keys, wanted, sorter=order), len(keys) - 1)
        found = order[at]
        return np.where((keys[found] == wanted) & (route >= 0), found, -1).astype(np.int64)


def _delays(batch: DecisionBatch) -> IntArray:
    return batch.action_delay_s


def _banded(delay_s: IntArray) -> IntArray:
    bands = np.array(DELAY_BANDS_S, np.int64)
    return np.asarray(bands[np.searchsorted(bands, delay_s, side="right") - 1])


def _keys(route: CodeArray, delay_s: IntArray) -> IntArray:
    return route.astype(np.int64) * _STRIDE + delay_s


@dataclass(slots=True)
class ActionCounter:
    """Counts actions while the chunks of a log go by."""

    _routes: dict[str, int] = field(default_factory=dict)
    _counts: tuple[IntArray, IntArray, IntArray] = field(
        default_factory=lambda: (np.zeros(0, np.int64),) * 3
    )

    def counting(self, batches: Iterable[LoggedBatch]) -> Iterator[LoggedBatch]:
        """The same chunks, counted."""
        for batch in batches:
            self._add(batch)
            yield batch

    def _add(self, batch: LoggedBatch) -> None:
        table = np.array(
            [self._routes.setdefault(route, len(self._routes)) for route in batch.routes], np.int32
        )
        keys = _keys(table[batch.action_route], batch.action_delay_s)
        taken = np.zeros(batch.m, np.int64)
        taken[batch.chosen_action] = 1
        seen, offered_before, taken_before = self._counts
        self._counts = _grouped(
            np.concatenate([seen, keys]),
            np.concatenate([offered_before, np.ones(batch.m, np.int64)]),
            np.concatenate([taken_before, taken]),
        )

    def classes(self) -> ActionClasses:
        """The classes, by route name and delay; banded if there are too many."""
        keys, offered, taken = self._counts
        names = tuple(self._routes)
        banded = len(keys) > MAX_CLASSES
        if banded:
            route = (keys // _STRIDE).astype(np.int32)
            keys, offered, taken = _grouped(_keys(route, _banded(keys % _STRIDE)), offered, taken)
        actions = [Action(names[key // _STRIDE], key % _STRIDE) for key in keys.tolist()]
        order = sorted(range(len(actions)), key=actions.__getitem__)
        return ActionClasses(
            tuple(actions[at] for at in order), offered[order], taken[order], banded
        )


def _grouped(
    keys: IntArray, offered: IntArray, taken: IntArray
) -> tuple[IntArray, IntArray, IntArray]:
    found, group = np.unique(keys, return_inverse=True)

    def total(counts: IntArray) -> IntArray:
        # Sums of whole numbers are exact in float64.
        return np.bincount(group, counts, minlength=len(found)).astype(np.int64)

    return found.astype(np.int64), total(offered), total(taken)
