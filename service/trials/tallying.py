"""What a trial's payments add up to, kept from one look to the next."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np
import pyarrow as pa

from authopt.batch import FloatArray
from authopt.errors import UserError
from authopt.evaluation.segment_values import MOST_SEGMENTS
from authopt.experiments.from_log import UNIT_SALT
from authopt.experiments.guardrails import Guardrail, State
from authopt.experiments.reading import Reading, read
from authopt.experiments.tallies import Finished, SavedTallies, Tallies
from authopt.hashing import hash_strings, salted
from authopt.rollout.canary import CanaryVerdict, judge_canary
from authopt.rollout.harm import Tallies as HarmTallies
from service.trials.counted_payment import CountedPayment
from service.trials.finding import Adjustment
from service.trials.payments import Place
from service.trials.pre_period import PrePeriod, hashes_of
from service.trials.trial import CANARY, COLUMN_OF_UNIT, PAYMENT, Trial
from service.trials.units_seen import SavedUnits, UnitsSeen

NO_UNIT = "its unit is not told"
OTHERS = "(others)"
"""Segment of all values that come after the first few hundred."""


class Kept(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the next look goes on from, as JSON.

    Attributes
    ----------
    salt, share
        of the trial as it was.
    through, ahead
        how far was read, see :class:`service.trials.payments.Place`.
    tallies
        of the payments since the share was last changed.
    units
        that were seen; only where the unit is not the payment.
    currency
        whose fees are added up: that of the first payment with fees.
    by_share
        of a canary: numbers of payments by its share at their time, as ``[[not paid, paid] of live,
        [not paid, paid] of the canary]``.
    without_past
        payments that shared nothing with the pre-period; only where the unit is the payment.
    """

    salt: str
    share: float
    through: int
    ahead: list[int]
    tallies: SavedTallies
    units: SavedUnits | None
    currency: str | None
    by_share: dict[str, list[list[int]]]
    without_past: int = 0


@dataclass(slots=True, eq=False)
class Tallied:
    """A trial's sums; ``past`` is needed where payments are added to those of an experiment."""

    trial: Trial
    arms: tuple[str, ...]
    place: Place
    tallies: Tallies
    units: UnitsSeen | None = None
    currency: str | None = None
    by_share: dict[str, list[list[int]]] = field(default_factory=dict)
    past: PrePeriod | None = None
    without_past: int = 0

    @classmethod
    def of(cls, trial: Trial, kept: Kept | None, past: PrePeriod | None) -> Tallied:
        """As they were kept; from the beginning where that was another trial."""
        arms = arms_of(trial)
        if kept is None or kept.salt != trial.salt:
            units = None if trial.unit == PAYMENT else UnitsSeen()
            return cls(trial, arms, Place(trial.after), _empty(trial, arms, past), units, past=past)
        same = kept.share == trial.share
        return cls(
            trial,
            arms,
            Place(kept.through, frozenset(kept.ahead)),
            Tallies.restored(kept.tallies) if same else _empty(trial, arms, past),
            None if kept.units is None else UnitsSeen.restored(kept.units),
            kept.currency,
            {share: [list(each) for each in arms] for share, arms in kept.by_share.items()},
            past,
            kept.without_past,
        )

    def kept(self) -> Kept:
        """What the next look goes on from."""
        return Kept(
            self.trial.salt,
            self.trial.share,
            self.place.through,
            sorted(self.place.ahead),
            self.tallies.saved(),
            None if self.units is None else self.units.saved(),
            self.currency,
            self.by_share,
            self.without_past,
        )

    def add(
        self, payments: Sequence[CountedPayment], shares: Sequence[tuple[int, float]]
    ) -> dict[str, int]:
        """Count payments.

        Parameters
        ----------
        payments
            in the order of recording.
        shares
            of a canary: since when it had which share, oldest first.

        Returns
        -------
        dict
            those that do not count, by why.
        """
        known = [each for each in payments if each.unit is not None and each.arm in self.arms]
        left_out = {NO_UNIT: len(payments) - len(known)} if len(known) < len(payments) else {}
        if self.trial.kind == CANARY:
            here = []
            for each in known:
                share = _share_at(shares, each.decided_at_us)
                cells = self.by_share.setdefault(repr(share), [[0, 0], [0, 0]])
                cells[self.arms.index(each.arm)][each.paid] += 1
                if share == self.trial.share:
                    here.append(each)
            known = here
        if known:
            self._add(known)
        return left_out

    def _add(self, payments: Sequence[CountedPayment]) -> None:
        arm = np.array([self.arms.index(each.arm) for each in payments], np.int64)
        unit = None
        if self.units is not None:
            unit = hash_strings(pa.array([each.unit for each in payments], pa.string()))
            self.units.add(zip(unit.tolist(), arm.tolist(), strict=True))
            # As from a log, so that both tell the same.
            unit = salted(unit, UNIT_SALT)
        paid = np.array([each.paid for each in payments], np.float64)
        metrics = {
            "paid": paid,
            "first_approved": [each.first_approved for each in payments],
            "attempts": [each.attempts for each in payments],
            "fees_minor": [self._fees(each) for each in payments],
            "fallback": [each.fallback for each in payments],
            "latency_ms": [
                math.nan if each.latency_ms is None else each.latency_ms for each in payments
            ],
        }
        self.tallies.add(
            Finished(
                arm,
                paid,
                {name: np.array(values, np.float64) for name, values in metrics.items()},
                {column: self._labels(column, payments) for column in self.trial.segments},
                unit,
                covariates=self._foretold(payments),
            )
        )
        if self.units is not None:
            self.tallies.units = self.units.counts(len(self.arms))

    def _foretold(self, payments: Sequence[CountedPayment]) -> FloatArray | None:
        if self.past is None:
            return None
        means, requests = self.past.means, [each.request for each in payments]
        hashes = {name: hashes_of(requests, name) for name in means.columns}
        if self.units is None:
            known = [means.knows(name, each) for name, each in hashes.items()]
            self.without_past += int((~np.any(known, axis=0)).sum())
        if self.tallies.cuped is None:
            return None
        return means.foretold({name: hashes[name] for name in self.past.covariates})

    def adjustment(self) -> Adjustment | None:
        """What was known of the units from before; None without ``past``."""
        if self.past is None:
            return None
        units, without = int(self.tallies.units.sum()), self.without_past
        if self.units is not None:
            seen = np.array([*self.units.arms], np.uint64)
            column = COLUMN_OF_UNIT[self.trial.unit]
            without = int((~self.past.means.knows(column, seen)).sum())
        return Adjustment(
            covariates=[] if self.tallies.cuped is None else list(self.past.covariates),
            payments=self.past.means.payments,
            since_us=self.past.since_us,
            until_us=self.past.until_us,
            units=units,
            without_past=without,
        )

    def _fees(self, payment: CountedPayment) -> float:
        currency = payment.request.context.get("currency")
        if payment.fees_minor is None or currency is None:
            return math.nan
        self.currency = self.currency or str(currency)
        return float(payment.fees_minor) if currency == self.currency else math.nan

    def _labels(self, column: str, payments: Sequence[CountedPayment]) -> list[str | None]:
        known = dict.fromkeys(self.tallies.segments.columns[column])
        labels: list[str | None] = []
        for each in payments:
            value = each.request.context.get(column)
            label = None if value is None else str(value)
            # Two places are for those without a value and for the others.
            if label is not None and label not in known:
                if len(known) >= MOST_SEGMENTS - 2:
                    label = OTHERS
                known[label] = None
            labels.append(label)
        return labels

    def reading(self) -> Reading:
        """What the payments say."""
        return read(self.tallies, guardrails_of(self.trial), worthwhile=self.trial.worthwhile)

    def canary_verdict(self, reading: Reading) -> CanaryVerdict | None:
        """What the payments say of a canary; None while there are none, and of an experiment."""
        tallies = [
            HarmTallies.of_payments(
                float(share), np.array([live], np.float64), np.array([canary], np.float64)
            )
            for share, (live, canary) in self.by_share.items()
        ]
        if not tallies:
            return None
        together = tallies[0]
        for each in tallies[1:]:
            together += each
        broken = tuple(each.why for each in reading.guardrails if each.state is State.BROKEN)
        return judge_canary(together, breaches=broken)


def arms_of(trial: Trial) -> tuple[str, ...]:
    """The arms, the one first that others are held against."""
    names = tuple(arm.name for arm in trial.arms)
    return names[::-1] if trial.kind == CANARY else names


def guardrails_of(trial: Trial) -> list[Guardrail]:
    """The guardrails of a trial.

    Raises
    ------
    UserError
        If one of them is unsound.
    """
    try:
        return [msgspec.convert(dict(each), Guardrail) for each in trial.guardrails]
    except msgspec.ValidationError as error:
        raise UserError(f"guardrails: {error}") from None


def _empty(trial: Trial, arms: tuple[str, ...], past: PrePeriod | None) -> Tallies:
    weights: Mapping[str, int] = {arm.name: arm.weight for arm in trial.arms}
    total = sum(weights.values())
    return Tallies.of(
        arms,
        [weights[arm] / total for arm in arms],
        segments=trial.segments,
        clustered=trial.unit != PAYMENT,
        covariates=0 if past is None else len(past.covariates),
        usual_value=None if past is None else past.means.mean,
    )


def _share_at(shares: Sequence[tuple[int, float]], at_us: int) -> float:
    place = bisect_right([since for since, _ in shares], at_us)
    return shares[max(place - 1, 0)][1]
