"""What a policy thinks of the actions, for those who decide themselves."""

from __future__ import annotations

import logging
import math

from authopt.decision import Decided
from authopt.explaining.scores import scores
from authopt.policies.protocol import Policy
from service.live.weighted import Weighted

_log = logging.getLogger(__name__)


def scores_of(policy: Policy | None, decided: Decided, row: int) -> tuple[str | None, list[float]]:
    """What the scores mean, and one for each eligible action of a decision; NaN where none is.

    A policy that does not think in scores, or fails to tell them, leaves the probabilities alone to
    be looked at.
    """
    start, stop = decided.batch.offsets[row], decided.batch.offsets[row + 1]
    keep = decided.keep[start:stop]
    if isinstance(policy, Weighted):
        policy = policy.policy
    if policy is not None and not decided.fell_back[row]:
        try:
            eligible = decided.batch.take(slice(row, row + 1)).keep_actions(keep)
            found = scores(policy, eligible)
        except Exception:
            _log.exception("a ranking has no scores")
        else:
            if found is not None:
                return found.meaning, found.values.tolist()
    return None, [math.nan] * int(keep.sum())
