"""What a shadow policy would have done with decisions on record: the rows of ``shadowed``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np

from authopt.batch import LoggedBatch
from authopt.policies.protocol import Policy
from authopt.rewards import DEFAULT_REWARD
from service.api.forms import DecisionAnswer, DecisionRequest, OutcomeRequest
from service.shadows.asking import asked
from service.store.carried_out import CarriedOut
from service.store.export import batch_of, column_kinds

_ANSWER = msgspec.json.Decoder(DecisionAnswer)
_REQUEST = msgspec.json.Decoder(DecisionRequest)
_NO_OUTCOME = OutcomeRequest("none")


class Seen(NamedTuple):
    """What a shadow said of some decisions.

    Attributes
    ----------
    rows
        of the table ``shadowed``, of the decisions that it did not fail on.
    agreed
        of them, those whose action it preferred too.
    probability
        sum of what it gave to the actions that were taken.
    failed
        decisions that it failed on.
    """

    rows: list[dict[str, Any]]
    agreed: int
    probability: float
    failed: int


def see(tenant: str, name: str, rows: Sequence[Any], policy: Policy) -> Seen:
    """Ask a shadow about decisions as they were drawn; whether they were carried out is not known.

    Parameters
    ----------
    tenant, name
        of the shadow.
    rows
        of the table ``decisions``.
    policy
        the shadow's.
    """
    if not rows:
        return Seen([], 0, 0.0, 0)
    batch = _as_drawn(rows)
    given, fine = asked(policy, batch.decisions())
    # The first of those that it likes best, as where it would have to take one.
    best = [int(np.argmax(part)) for part in np.split(given, batch.offsets[1:-1])]
    preferred = batch.offsets[:-1] + np.array(best)
    taken = batch.chosen_action
    made = [
        {
            "tenant": tenant,
            "shadow": name,
            "decision": rows[at].number,
            "probability": float(given[taken[at]]),
            "route": batch.routes[batch.action_route[preferred[at]]],
            "delay_s": int(batch.action_delay_s[preferred[at]]),
        }
        for at in np.flatnonzero(fine).tolist()
    ]
    return Seen(
        made,
        int((fine & (preferred == taken)).sum()),
        float(given[taken][fine].sum()),
        int((~fine).sum()),
    )


def _as_drawn(rows: Sequence[Any]) -> LoggedBatch:
    made = [
        CarriedOut(
            row,
            _ANSWER.decode(row.answer),
            _REQUEST.decode(row.request),
            row.route,
            row.delay_s,
            row.propensity,
        )
        for row in rows
    ]
    kinds, features = column_kinds(each.request for each in made)
    return batch_of(made, [_NO_OUTCOME] * len(made), kinds, features, DEFAULT_REWARD, True)
