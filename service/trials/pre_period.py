"""What payments came to before an experiment began, read once: its difference is adjusted by it.

Only decisions that were on record when the experiment began are read, and what came back for them:
no arm can have had to do with any of it. So it is fixed before the first payment counts, and what
counts is less noisy for what it foretells (CUPED, :mod:`authopt.experiments.cuped`).

A payment is foretold by the past means of its card, merchant, issuer, BIN and network, whatever the
unit is. A card's own past says the most; that of its issuer and BIN says something of a card that
has none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Self

import msgspec
import numpy as np
import pyarrow as pa
from sqlalchemy import Connection, Engine, and_, or_, select

from authopt.durations import DAY_S
from authopt.evaluation.buckets import UIntArray
from authopt.experiments.log_payments import MISSING_HASH
from authopt.experiments.past_means import PastMeans, SavedMeans
from authopt.hashing import hash_strings
from service.api.forms import DecisionRequest
from service.store.changes import changing, history
from service.store.tables import decisions
from service.trials.payment_records import READ, records_of
from service.trials.trial import Trial
from service.watch.findings import drop_finding, finding, keep_finding

COLUMNS = ("card_ref", "merchant_id", "issuer", "bin", "network")

LENGTH_S = 28 * DAY_S
MOST_PAYMENTS = 200_000
"""That are read, the newest ones: more would be slow to read, and to look up in."""
FEWEST_PAYMENTS = 100
"""Below which nothing is adjusted."""

STEPS = 8
"""Of reading, at most, in one look."""
AT_ONCE = 2_000
"""First attempts that are read in a step."""

KIND = "experiment-past"
"""Of the finding that it is kept in, which is of no use to readers."""


class SavedPrePeriod(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A :class:`PrePeriod` as JSON holds it."""

    salt: str
    limit_us: int
    until_us: int
    since_us: int
    number: int
    complete: bool
    means: SavedMeans


@dataclass(frozen=True, slots=True, eq=False)
class PrePeriod:
    """The time before an experiment, as far as it was read: from its end on.

    Attributes
    ----------
    salt
        of the experiment.
    limit_us
        nothing older is read; this and other moments in microseconds since 1970, UTC.
    until_us
        moment of its last decision.
    since_us, number
        moment and number of the oldest decision that was read.
    complete
        whether all of it was.
    means
        of the values of its payments.
    """

    salt: str
    limit_us: int
    until_us: int
    since_us: int
    number: int
    complete: bool = False
    means: PastMeans = field(default_factory=lambda: PastMeans.of(COLUMNS))

    @property
    def covariates(self) -> tuple[str, ...]:
        """The columns that foretell; none where there were too few payments."""
        return self.means.telling if self.means.payments >= FEWEST_PAYMENTS else ()

    def saved(self) -> SavedPrePeriod:
        """All that it takes to go on."""
        return SavedPrePeriod(
            self.salt,
            self.limit_us,
            self.until_us,
            self.since_us,
            self.number,
            self.complete,
            self.means.saved(),
        )

    @classmethod
    def restored(cls, saved: SavedPrePeriod) -> Self:
        """What was saved."""
        return cls(
            saved.salt,
            saved.limit_us,
            saved.until_us,
            saved.since_us,
            saved.number,
            saved.complete,
            PastMeans.restored(saved.means),
        )


def read_pre_period(engine: Engine, tenant: str, trial: Trial, now_us: int) -> PrePeriod:
    """Read on in the time before an experiment, and keep what was read.

    Parameters
    ----------
    engine, tenant, trial
        of the store, whose, and before which experiment. All decisions up to ``trial.after`` must
        be there (:func:`service.store.settled.settled`).
    now_us
        microseconds since 1970, UTC.

    Returns
    -------
    PrePeriod
        not complete while there is more to read.
    """
    with engine.connect() as connection:
        kept = _kept(connection, tenant, trial)
        period = _begun(connection, tenant, trial) if kept is None else kept
        if period.complete:
            return period
        for _ in range(STEPS):
            period = _step(connection, tenant, trial, period)
            if period.complete:
                break
    with changing(engine) as connection:
        if _place(_kept(connection, tenant, trial)) != _place(kept):
            # Another was faster; the next look begins from there.
            return replace(period, complete=False)
        content = msgspec.to_builtins(period.saved())
        keep_finding(connection, tenant, KIND, trial.subject, content, now_us)
    return period


def forget_pre_period(connection: Connection, tenant: str, trial: Trial) -> None:
    """Keep it no longer, in a transaction that writes."""
    drop_finding(connection, tenant, KIND, trial.subject)


def hashes_of(requests: Sequence[DecisionRequest], column: str) -> UIntArray:
    """uint64[n], of a column of the context; 0 where it is missing."""
    values = [request.context.get(column) for request in requests]
    texts = ["" if each is None else str(each) for each in values]
    hashes = hash_strings(pa.array(texts, pa.string()))
    hashes[np.array([each is None for each in values], bool)] = MISSING_HASH
    return hashes


def _kept(connection: Connection, tenant: str, trial: Trial) -> PrePeriod | None:
    found = finding(connection, tenant, KIND, trial.subject)
    if found is None or found.content["salt"] != trial.salt:
        return None
    return PrePeriod.restored(msgspec.convert(found.content, SavedPrePeriod))


def _place(period: PrePeriod | None) -> tuple[int, bool] | None:
    return None if period is None else (period.number, period.complete)


def _begun(connection: Connection, tenant: str, trial: Trial) -> PrePeriod:
    """Nothing read yet; it ends with the newest decision that the experiment found."""
    began_us = history(connection, tenant, trial.kind, trial.subject)[0].changed_at_us
    newest = (
        select(decisions.c.decided_at_us, decisions.c.number)
        .where(
            decisions.c.tenant == tenant,
            decisions.c.decided_at_us < began_us,
            decisions.c.number <= trial.after,
        )
        .order_by(decisions.c.decided_at_us.desc(), decisions.c.number.desc())
        .limit(1)
    )
    row = connection.execute(newest).one_or_none()
    if row is None:
        return PrePeriod(trial.salt, began_us, began_us, began_us, 0, complete=True)
    newest_us = row.decided_at_us
    limit_us = newest_us - LENGTH_S * 1_000_000
    return PrePeriod(trial.salt, limit_us, newest_us, newest_us, row.number + 1)


def _step(connection: Connection, tenant: str, trial: Trial, period: PrePeriod) -> PrePeriod:
    """Read the next ones back in time."""
    firsts = connection.execute(
        select(*READ)
        .where(
            decisions.c.tenant == tenant,
            decisions.c.decided_at_us >= period.limit_us,
            decisions.c.decided_at_us <= period.since_us,
            or_(
                decisions.c.decided_at_us < period.since_us,
                and_(
                    decisions.c.decided_at_us == period.since_us,
                    decisions.c.number < period.number,
                ),
            ),
            decisions.c.number <= trial.after,
            decisions.c.attempt == 1,
        )
        .order_by(decisions.c.decided_at_us.desc(), decisions.c.number.desc())
        .limit(AT_ONCE)
    ).all()
    records = records_of(connection, tenant, firsts, through=trial.after)
    requests, paid = [], []
    for row in firsts:
        rows = records.attempts[row.payment_id]
        again = any(each.attempt == 1 and each.number < row.number for each in rows)
        if again or not records.counts(row):
            continue
        came = (records.outcome_of(each) for each in records.made(row.payment_id))
        paid.append(any(each is not None and each.approved for each in came))
        requests.append(records.requests[row.number])
    period.means.add(
        {column: hashes_of(requests, column) for column in COLUMNS}, np.array(paid, np.float64)
    )
    complete = len(firsts) < AT_ONCE or period.means.payments >= MOST_PAYMENTS
    if not firsts:
        return replace(period, complete=complete)
    oldest = firsts[-1]
    return replace(period, since_us=oldest.decided_at_us, number=oldest.number, complete=complete)
