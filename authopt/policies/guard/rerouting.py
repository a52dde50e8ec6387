"""What a decision does when some of its routes are down: a share to probe them, the rest away."""

from __future__ import annotations

import numpy as np

from authopt.batch import DecisionBatch, FloatArray, LoggedBatch
from authopt.policies.protocol import Policy


def rerouted(
    batch: DecisionBatch, own: FloatArray, share: FloatArray, policy: Policy
) -> FloatArray:
    """Probabilities that give no route more than its share.

    What a route has above its share goes to the other actions as the policy itself would decide
    without the routes that are down: it is asked again, so that its second choice is taken and not
    its exploration scaled up. A decision without another route keeps the policy's own.

    Parameters
    ----------
    batch
        n decisions with m actions.
    own
        float64[m], the policy's probabilities.
    share
        float64[m], largest probability of an action's route, in (0, 1]; 1 where it is up.
    policy
        who is asked again.

    Returns
    -------
    float64[m]
        Nowhere on a route that is down less than the smaller of ``own`` and what of ``own`` is in
        proportion to ``share``; so floors hold as far as shares allow.
    """
    down = share < 1.0
    k = len(batch.routes)
    place = batch.decision_of_action * k + batch.action_route
    of_route = np.bincount(place, np.where(down, own, 0.0), batch.n * k)[place]
    over = down & (of_route > share)
    elsewhere = batch.sum_by_decision((~down & ~batch.is_stop).astype(np.float64)) > 0
    concerned = (batch.sum_by_decision(over.astype(np.float64)) > 0) & elsewhere
    if not concerned.any():
        return own
    rows = np.flatnonzero(concerned)
    asked = batch.decisions() if isinstance(batch, LoggedBatch) else batch
    here = np.repeat(concerned, batch.counts)
    other = policy.probabilities(asked.take(rows).keep_actions(~down[here]))
    scale = np.divide(share, of_route, out=np.ones(batch.m), where=over)
    probed = np.where(here & down, own * scale, 0.0)
    left = np.repeat(1.0 - batch.sum_by_decision(probed), batch.counts)
    result = np.where(here, probed, own)
    result[here & ~down] = left[here & ~down] * other
    return result
