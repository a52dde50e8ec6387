"""The labels that Vowpal Wabbit may learn from: whatever would spoil a model is left out before.

VW 9.11.9 accepts a probability of 0 (the weights become NaN for ever, and every later prediction is
uniform), one above 1, an infinite cost (the same), and takes a cost of NaN for 0, the best one. It
reads labels as float32, in which a small probability vanishes and a large cost is infinite.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from authopt.batch import BoolArray, FloatArray

NO_COST = "the cost is not known"
BAD_COST = "the cost is not finite"
NO_PROBABILITY = "the propensity is not known"
BAD_PROBABILITY = "the propensity is outside (0, 1]"

_FLOAT32 = np.finfo(np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class LabelProblems:
    """Which rows can be learned from, and why the others cannot.

    Attributes
    ----------
    sound
        bool[n], rows whose label may reach VW.
    left_out
        number of the other rows by reason; a row with several problems counts for the first.
    """

    sound: BoolArray
    left_out: Counter[str]


def check_labels(
    cost: FloatArray, probability: FloatArray, among: BoolArray | None = None
) -> LabelProblems:
    """Find the rows whose labels are sound.

    Parameters
    ----------
    cost
        float64[n], negative rewards.
    probability
        float64[n], of the logged action.
    among
        bool[n], rows that are looked at; the others are not sound, and are not counted. All by
        default.
    """
    sound = np.ones(len(cost), np.bool_) if among is None else among.copy()
    left_out: Counter[str] = Counter()
    in_range = (probability >= _FLOAT32.tiny) & (probability <= 1.0)
    for reason, bad in (
        (NO_COST, np.isnan(cost)),
        (BAD_COST, ~(np.abs(cost) <= _FLOAT32.max)),
        (NO_PROBABILITY, np.isnan(probability)),
        (BAD_PROBABILITY, ~in_range),
    ):
        if found := int((sound & bad).sum()):
            left_out[reason] += found
        sound &= ~bad
    return LabelProblems(sound, left_out)


def labels(cost: FloatArray, probability: FloatArray) -> pa.StringArray:
    """VW's labels, ``0:cost:probability``, each for the logged action of its row.

    Raises
    ------
    ValueError
        If a row would spoil the model: rows have to pass :func:`check_labels` first.
    """
    problems = check_labels(cost, probability)
    if problems.left_out:
        raise ValueError(f"labels that would spoil the model: {dict(problems.left_out)}")
    told = pc.cast(pa.array(np.asarray(cost) + 0.0), pa.string())
    return pc.binary_join_element_wise(
        pa.repeat("0", len(cost)), told, pc.cast(pa.array(probability), pa.string()), ":"
    )
