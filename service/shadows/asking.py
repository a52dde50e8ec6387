"""Asking a shadow policy for its probabilities, whatever it does."""

from __future__ import annotations

import logging

import numpy as np

from authopt.batch import BoolArray, DecisionBatch, FloatArray
from authopt.policies.protocol import Policy
from service.deciding.sound_policy import SoundPolicy

_log = logging.getLogger(__name__)


def asked(policy: Policy, batch: DecisionBatch) -> tuple[FloatArray, BoolArray]:
    """The probabilities of a policy, and the decisions that it did not fail on.

    Parameters
    ----------
    policy
        that may raise, or give what are no probabilities.
    batch
        n decisions with m actions.

    Returns
    -------
    float64[m]
        of every action; of no meaning for decisions that it failed on.
    bool[n]
        where it gave probabilities.
    """
    sound = SoundPolicy(policy)
    try:
        given = sound.probabilities(batch)
    except Exception as error:
        if batch.n == 1:
            _log.error(
                "shadow policy %s failed on decision %s: %s",
                policy.name,
                batch.decision_id[0].as_py(),
                type(error).__name__,
            )
            return np.zeros(batch.m), np.zeros(1, np.bool_)
        # One of them may have failed it for all.
        parts = [asked(policy, batch.take(np.array([each]))) for each in range(batch.n)]
        every, fine = zip(*parts, strict=True)
        return np.concatenate(every), np.concatenate(fine)
    if given.shape != (batch.m,):
        return np.zeros(batch.m), np.zeros(batch.n, np.bool_)
    bad = ~np.isfinite(given) | (given < 0.0)
    return given, batch.sum_by_decision(bad.astype(np.float64)) == 0.0
