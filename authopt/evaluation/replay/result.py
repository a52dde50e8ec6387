"""What a replay answers: plain frozen data, which tables and JSON are made from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from authopt.evaluation.quantities import Estimate, Remark
from authopt.evaluation.result import LeftOut


class Method(StrEnum):
    """Which estimate of a replay to quote."""

    REJECTION = "rejection"
    """The mean reward of the rows that were accepted."""

    DR = "dr"
    """Doubly robust terms of all rows, for the policy that the learner followed at each."""


@dataclass(frozen=True, slots=True)
class Acceptance:
    """How rows were accepted, and how far the accepted ones are from what a learner meets live.

    Attributes
    ----------
    exact
        whether the multiplier was fixed, from a bound on the importance weights.
    quantile
        otherwise: the quantile of the ratios p / pi that it followed.
    first, last
        multiplier at the start and at the end (mean over repetitions).
    rate
        accepted share of the rows, 0 to 1.
    distortion
        total variation distance between the accepted rows and what the learner would have met, at
        most, 0 to 1 (mean over the replay). 0 if no chance had to be cut at 1 and every action
        that the learner would take has support.
    unsupported_mass
        mean probability of the learner on actions that the logging policy never takes, 0 to 1;
        None where the log does not say.
    """

    exact: bool
    quantile: float | None
    first: float
    last: float
    rate: float
    distortion: float
    unsupported_mass: float | None


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """The value while the learner had seen from ``accepted_from`` to ``accepted_to`` rows.

    Attributes
    ----------
    accepted_from, accepted_to
        rows accepted before, the first included, the second not.
    rows
        rows of the log that fell into this stretch, mean over repetitions.
    value, lower, upper
        the estimate that is quoted, and its normal interval; None where nothing varies.
    """

    accepted_from: int
    accepted_to: int
    rows: float
    value: float
    lower: float | None
    upper: float | None


@dataclass(frozen=True, slots=True)
class Run:
    """One repetition: which rows were accepted, and its own estimates.

    ``rejection`` is None where no row was accepted.
    """

    repetition: int
    accepted: int
    updates: int
    rejection: float | None
    dr: float


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """A policy that learns, judged on the log of another.

    Attributes
    ----------
    path
        the log's file, or None where it was in memory.
    rows, retries
        decisions used, and how many of them are not the first of their payment.
    first, last
        times of the first and the last decision used, UTC.
    left_out
        rows that were not used, by reason.
    reward, reward_low, reward_high, reward_currency
        name of the reward, its declared bounds, and the currency that it is minor units of (None
        where it is no money).
    mean_reward
        mean logged reward: the value of the policy that made the log.
    policy, learns
        the policy's name, and whether it learns.
    method
        the estimate to quote.
    confidence, reward_model
        nominal coverage; description of the reward model, or None.
    update_every
        accepted rows that the learner learns from at a time.
    accepted
        accepted rows, mean over repetitions.
    updates, live_updates
        updates that the learner had (mean over repetitions), and that it would have had live, on
        as many decisions as the log has.
    acceptance
        how rows were accepted.
    estimates, gains
        of the mean value of the policies that the learner went through, and of the same less the
        mean logged reward; the one to quote first.
    curve
        value by number of accepted rows.
    runs
        each repetition on its own.
    remarks
        what a reader must know.
    """

    path: str | None
    rows: int
    retries: int
    first: datetime | None
    last: datetime | None
    left_out: tuple[LeftOut, ...]
    reward: str
    reward_low: float
    reward_high: float
    reward_currency: str | None
    mean_reward: float
    policy: str
    learns: bool
    method: Method
    confidence: float
    reward_model: str | None
    update_every: int
    accepted: float
    updates: float
    live_updates: int
    acceptance: Acceptance
    estimates: tuple[Estimate, ...]
    gains: tuple[Estimate, ...]
    curve: tuple[CurvePoint, ...]
    runs: tuple[Run, ...]
    remarks: tuple[Remark, ...]

    @property
    def value(self) -> Estimate:
        """The estimate of the value to quote."""
        return self.estimates[0]

    @property
    def gain(self) -> Estimate:
        """The estimate of the gain over the logging policy to quote."""
        return self.gains[0]

    def as_json(self) -> dict[str, Any]:
        """The whole as JSON-able containers."""
        import msgspec

        plain: dict[str, Any] = msgspec.to_builtins(self)
        return plain
