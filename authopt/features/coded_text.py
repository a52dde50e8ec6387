"""Text of many rows that is put together from few different pieces.

A column of a log holds few different values, and so do several columns together: a piece is looked
up for each of their combinations rather than joined for each row. Taken in the order of the text,
the pieces lie one after the other in memory, so that the bytes of the text are copied once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from authopt.batch import IntArray

ROWS_PER_TEXT = 8
"""Columns share one table of texts while it has at most one text for so many rows."""


@dataclass(frozen=True, slots=True, eq=False)
class Coded:
    """One text for each row.

    Attributes
    ----------
    codes
        int64[rows], indices of ``texts``.
    texts
        the texts, in any order.
    """

    codes: IntArray
    texts: Sequence[str]


def constant(text: str, rows: int) -> Coded:
    """The same text in every row."""
    return Coded(np.zeros(rows, np.int64), [text])


def merged(columns: Sequence[Coded]) -> list[Coded]:
    """Columns that follow each other in a row, as fewer columns of longer texts."""
    most = len(columns[0].codes) // ROWS_PER_TEXT
    found = [columns[0]]
    for column in columns[1:]:
        before = found[-1]
        one, other = len(before.texts), len(column.texts)
        if one * other <= max(most, one, other):
            found[-1] = Coded(
                before.codes * other + column.codes,
                [first + then for first in before.texts for then in column.texts],
            )
        else:
            found.append(column)
    return found


def examples(
    shared: Sequence[Coded],
    actions: Sequence[Coded],
    offsets: IntArray,
    chosen: IntArray | None = None,
    labels: pa.StringArray | None = None,
) -> pa.StringArray:
    """n strings: what is said of each decision, then of each of its actions.

    Parameters
    ----------
    shared
        columns of n decisions.
    actions
        columns of m actions.
    offsets
        int64[n + 1]; the actions of decision i are ``offsets[i]`` to ``offsets[i + 1] - 1``.
    chosen, labels
        int64[n] and n strings: the place of an action within its decision, and what is written
        before it. Both or none.
    """
    n, m = len(offsets) - 1, int(offsets[-1])
    decisions = np.arange(n)
    starts = decisions * len(shared) + offsets[:-1] * len(actions)
    lines = np.arange(m) * len(actions) + np.repeat((decisions + 1) * len(shared), np.diff(offsets))
    total = n * len(shared) + m * len(actions)
    if chosen is not None:
        starts += decisions
        labelled = offsets[:-1] + chosen
        # One piece more in every earlier decision, and from the chosen action on in the own one.
        further = np.zeros(m, np.int64)
        further[labelled] = 1
        lines += np.cumsum(further)
        total += n
    pool: list[pa.StringArray] = []
    pieces = np.empty(total, np.int64)
    size = 0
    for first, columns in ((starts, shared), (lines, actions)):
        for place, column in enumerate(columns):
            pieces[first + place] = column.codes + size
            pool.append(pa.array(column.texts, pa.string()))
            size += len(column.texts)
    if labels is not None and chosen is not None:
        pieces[lines[labelled] - 1] = decisions + size
        pool.append(labels)
    taken = pa.concat_arrays(pool).take(pa.array(pieces))
    _, ends, data = taken.buffers()
    bounds = np.frombuffer(ends, np.int32)[np.append(starts, total)]
    return pa.StringArray.from_buffers(n, pa.py_buffer(bounds), data)
