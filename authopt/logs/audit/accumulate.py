"""What one pass over a log adds up for its audit: sums that merge, in memory that is bounded."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from authopt.batch import LoggedBatch
from authopt.errors import UserError
from authopt.logs.audit.columns import ColumnSums
from authopt.logs.audit.faults import FaultSums
from authopt.logs.audit.inverse import InverseSums, deviations
from authopt.logs.audit.rates import RateSums
from authopt.logs.audit.sequence import SequenceSums
from authopt.logs.audit.support import SupportSums
from authopt.logs.audit.timeline import TimelineSums
from authopt.spilled_rows import IN_MEMORY

_MOST_CELLS = 1 << 23
"""Decisions x routes that are looked at in one go."""

MOST_ROUTES = 1_000
"""Routes that a log may have: each of them costs 30 KB."""


class AuditSums:
    """All that an audit keeps of a log; the sums of parts add up to those of the whole.

    Everything is of a fixed size (given the columns, routes and segments) but the hashes of ids,
    see ``sequence``.

    Parameters
    ----------
    by
        further columns to give success rates by.
    in_memory
        decisions whose hashes stay in memory before they are spilled to a temporary file.
    """

    def __init__(self, by: tuple[str, ...] = (), in_memory: int = IN_MEMORY) -> None:
        self.columns = ColumnSums()
        self.faults = FaultSums()
        self.sequence = SequenceSums(in_memory)
        self.rates = RateSums(by)
        self.support = SupportSums()
        self.inverse = InverseSums()
        self.timeline = TimelineSums()

    def add(self, batch: LoggedBatch) -> None:
        """Add decisions.

        Raises
        ------
        UserError
            If a column of ``by`` cannot form segments, or the routes are too many.
        """
        batch = _with_few_routes(batch)
        most = max(1, _MOST_CELLS // max(1, len(batch.routes)))
        for start in range(0, batch.n, most):
            self._add(batch if batch.n <= most else batch.take(slice(start, start + most)))

    def _add(self, batch: LoggedBatch) -> None:
        found = deviations(batch)
        self.columns.add(batch)
        self.faults.add(batch)
        self.sequence.add(batch)
        self.rates.add(batch)
        self.support.add(batch)
        self.inverse.add(batch, found)
        self.timeline.add(batch, found)
        if len(self.support.eligible) > MOST_ROUTES:
            raise _too_many_routes()

    def __add__(self, other: AuditSums) -> AuditSums:
        together = AuditSums()
        together.columns = self.columns + other.columns
        together.faults = self.faults + other.faults
        together.sequence = self.sequence + other.sequence
        together.rates = self.rates + other.rates
        together.support = self.support + other.support
        together.inverse = self.inverse + other.inverse
        together.timeline = self.timeline + other.timeline
        return together


def _with_few_routes(batch: LoggedBatch) -> LoggedBatch:
    """The same decisions, with those routes in the vocabulary that occur."""
    if len(batch.routes) <= MOST_ROUTES:
        return batch
    used, codes = np.unique(batch.action_route, return_inverse=True)
    if len(used) > MOST_ROUTES:
        raise _too_many_routes()
    routes = tuple(batch.routes[at] for at in used.tolist())
    return replace(batch, routes=routes, action_route=codes.astype(np.int32))


def _too_many_routes() -> UserError:
    return UserError(
        f"column 'eligible_route' has more than {MOST_ROUTES:,} different routes; expected the "
        "names of acquirers, PSPs or gateway accounts, not ids of transactions"
    )
