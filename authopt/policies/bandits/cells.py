"""Numbers by segment and route, in arrays that grow as new segments and routes turn up."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from authopt.batch import FloatArray, IntArray
from authopt.policies.bandits.segments import Key


@dataclass(slots=True, eq=False)
class Cells:
    """Where each segment and each route stands in arrays of shape [segments, routes]."""

    segments: dict[Key, int] = field(default_factory=dict)
    routes: dict[str, int] = field(default_factory=dict)

    def add(self, keys: Sequence[Key], routes: Sequence[str]) -> tuple[IntArray, IntArray]:
        """int64[len(keys)] and int64[len(routes)]: their places, new ones at the end."""
        return _places(self.segments, keys), _places(self.routes, routes)

    def grown(self, array: FloatArray) -> FloatArray:
        """The array with room for all segments and routes; what is new is 0."""
        rows, columns = len(self.segments), len(self.routes)
        if array.shape == (rows, columns):
            return array
        larger = np.zeros((rows, columns))
        larger[: array.shape[0], : array.shape[1]] = array
        return larger

    def read(
        self, array: FloatArray, keys: Sequence[Key], routes: Sequence[str], unknown: float = 0.0
    ) -> FloatArray:
        """float64[len(keys), len(routes)], ``unknown`` where nothing has been seen."""
        row = np.array([self.segments.get(key, -1) for key in keys], np.int64)
        column = np.array([self.routes.get(route, -1) for route in routes], np.int64)
        found = np.full((len(keys), len(routes)), unknown)
        rows, columns = np.flatnonzero(row >= 0), np.flatnonzero(column >= 0)
        found[np.ix_(rows, columns)] = array[np.ix_(row[rows], column[columns])]
        return found


def _places(index: dict[Key, int] | dict[str, int], names: Iterable[Key | str]) -> IntArray:
    places = [index.setdefault(name, len(index)) for name in names]  # type: ignore[arg-type]
    return np.array(places, np.int64)


def age_in_segment(segment: IntArray) -> IntArray:
    """int64[r], how many later rows each row's segment has; rows are in order of time."""
    order = np.argsort(segment, kind="stable")
    sorted_segment = segment[order]
    last = np.searchsorted(sorted_segment, sorted_segment, side="right") - 1
    age = np.empty(len(segment), np.int64)
    age[order] = last - np.arange(len(segment))
    return age
