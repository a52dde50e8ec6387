"""The floor under Vowpal Wabbit's probabilities, as its own is not to be relied on.

VW 9.11.9 gives exact zeros with ``--regcb``, ``--cover --nounif`` and ``--squarecb --elim``,
whatever its ``--epsilon``, and keeps to the floor only to float32 elsewhere.
"""

from __future__ import annotations

import numpy as np

from authopt.batch import DecisionBatch, FloatArray


def lifted(batch: DecisionBatch, probability: FloatArray, epsilon: float) -> FloatArray:
    """Probabilities of which none is below ``epsilon / k``, k being the decision's actions.

    A decision is mixed with just as much of uniform as lifts its least action to the floor, so at
    most ``epsilon`` of it, and where the floor is kept already nothing changes.

    Parameters
    ----------
    batch
        n decisions with m actions.
    probability
        float64[m], non-negative, summing to 1 within each decision.
    epsilon
        0 to 1.
    """
    if not batch.n or epsilon <= 0.0:
        return probability
    uniform = 1.0 / batch.counts
    least = np.minimum.reduceat(probability, batch.offsets[:-1])
    lacking = np.maximum(epsilon * uniform - least, 0.0)
    share = np.divide(lacking, uniform - least, out=np.zeros(batch.n), where=lacking > 0.0)
    kept, added = np.repeat(1.0 - share, batch.counts), np.repeat(share * uniform, batch.counts)
    return np.asarray(kept * probability + added)


def lifted_one(probability: list[float], epsilon: float) -> list[float]:
    """As :func:`lifted` for one decision, bit for bit."""
    uniform, least = 1.0 / len(probability), min(probability)
    lacking = epsilon * uniform - least
    if lacking <= 0.0:
        return probability
    share = lacking / (uniform - least)
    kept, added = 1.0 - share, share * uniform
    return [kept * each + added for each in probability]
