"""What columns add to a score of any model, so that the parts sum to the score: Shapley values.

Columns are told to the model one after the other, in some order, and each is credited with the
change; its part is the mean over orders (Shapley, "A value for n-person games", 1953; as
explanation: Strumbelj and Kononenko, JMLR 11, 2010). Orders are drawn, each with its reverse
(antithetic: Mitchell, Cooper, Frank and Holmes, JMLR 23(43), 2022); in every order the changes sum
to the whole, so the parts do exactly, however few orders there are. What is not told is missing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from authopt.batch import BoolArray, Categorical, Column, DecisionBatch, FloatArray
from authopt.hashing import hash_text
from authopt.payments import CONTEXT_BY_NAME, Kind

ORDERS = 16
"""Orders that are drawn; as many are their reverses."""


def shapley(
    one: DecisionBatch, value: Callable[[DecisionBatch], FloatArray]
) -> tuple[FloatArray, dict[str, FloatArray]]:
    """Parts of a score of every action of one decision, by columns of the context.

    Parameters
    ----------
    one
        a batch of one decision; its id fixes the orders.
    value
        float64[m] of a batch, the score of its actions.

    Returns
    -------
    base
        float64[m], the scores where nothing of the context is told.
    parts
        float64[m] by column; ``base`` and the parts sum to the scores.
    """
    names = [name for name in one.context if told(one, name) is not None]
    p = len(names)
    rng = np.random.default_rng(hash_text(one.decision_id[0].as_py()))
    drawn = [rng.permutation(p) for _ in range(ORDERS)]
    orders = np.array([*drawn, *(order[::-1] for order in drawn)])
    # After j steps of an order the first j columns are told.
    place = np.argsort(orders, axis=1)
    known = place[:, None, :] < np.arange(p + 1)[None, :, None]
    scores = value(_with(one, names, known.reshape(-1, p))).reshape(len(orders), p + 1, one.m)
    changes = np.diff(scores, axis=1)
    parts = np.take_along_axis(changes, place[:, :, None], axis=1).mean(axis=0)
    return scores[0, 0], dict(zip(names, parts, strict=True))


def told(one: DecisionBatch, name: str) -> str | None:
    """The value of a column of one decision's context in words; None where it is missing, or a
    reference or a time, which no model reads."""
    column = one.context[name]
    known = CONTEXT_BY_NAME.get(name)
    if known is not None and known.kind in (Kind.REFERENCE, Kind.TIME):
        return None
    if isinstance(column, Categorical):
        return column.values()[0]
    if not isinstance(column, np.ndarray) or column.dtype.kind != "f" or column[0] != column[0]:
        return None
    if known is not None and known.kind is Kind.FLAG:
        return "yes" if column[0] else "no"
    return f"{column[0]:,.6g}"


def _with(one: DecisionBatch, names: list[str], known: BoolArray) -> DecisionBatch:
    """One copy of the decision for each row of ``known`` (bool[copies, names])."""
    copies = one.take(np.zeros(len(known), np.int64))
    masked: dict[str, Column] = {
        name: _masked(copies.context[name], known[:, place]) for place, name in enumerate(names)
    }
    return replace(copies, context={**copies.context, **masked})


def _masked(column: Column, known: BoolArray) -> Column:
    if isinstance(column, Categorical):
        codes = np.where(known, column.codes, -1).astype(np.int32)
        return Categorical(codes, column.categories)
    return np.where(known, np.asarray(column, np.float64), np.nan)
