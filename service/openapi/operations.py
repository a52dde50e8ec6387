"""Every endpoint, once: who may ask, with what, and what comes back.

The guard takes the scopes from here and the description at ``/openapi.json`` all the rest.
"""

from __future__ import annotations

from service.openapi.about import ABOUT
from service.openapi.administering import ADMINISTERING
from service.openapi.decisions import DECISIONS
from service.openapi.operating import OPERATING
from service.openapi.operation import Operation
from service.openapi.outcomes import OUTCOMES
from service.openapi.trials import TRIALS
from service.security.guard import Scopes

OPERATIONS: tuple[Operation, ...] = (
    *DECISIONS,
    *OUTCOMES,
    *OPERATING,
    *TRIALS,
    *ADMINISTERING,
    *ABOUT,
)


def scopes() -> Scopes:
    """What a key must be good for, by method and path."""
    return {(each.method, each.path): each.scope for each in OPERATIONS}
