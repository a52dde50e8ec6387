"""What came back for a decision, of all that was said of it: once, by rules that are written down.

Outcomes come at least once, late, out of order, and before their decision. The store keeps each
distinct one in the order of arrival; here they become one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import msgspec

from authopt.errors import UserError
from service.api.forms import OutcomeRequest

_SECOND_US = 1_000_000
_ADDED = ("reward", "fee_minor", "refunded_minor")


class Join(StrEnum):
    """What several outcomes of a decision mean together."""

    MERGED = "merged"
    """each field as it was given last: a refund need not repeat the approval"""
    EARLIEST = "earliest"
    """the first one counts, whatever is said later"""
    LAST = "last"
    """the last one counts, and it alone"""
    SUM = "sum"
    """rewards, fees and refunds are added up; the other fields as with ``merged``"""


class Missing(StrEnum):
    """What it means that nothing came back in time."""

    UNKNOWN = "unknown"
    """the reward is missing: evaluation leaves the decision out and says so"""
    DECLINED = "declined"
    """the attempt counts as not approved, once the wait time is over"""


@dataclass(frozen=True, slots=True)
class JoinRules:
    """How outcomes become one.

    Attributes
    ----------
    join
        what several outcomes mean.
    wait_s
        outcomes that came more than so many seconds after the attempt was due (when it was decided
        and the delay of its action) do not count; None: all do.
    missing
        what no outcome means.

    Raises
    ------
    UserError
        If ``missing`` is ``declined`` without a wait time, or that time is negative.
    """

    join: Join = Join.MERGED
    wait_s: int | None = None
    missing: Missing = Missing.UNKNOWN

    def __post_init__(self) -> None:
        if self.wait_s is not None and self.wait_s < 0:
            raise UserError(f"the wait time is {self.wait_s} s; expected 0 or more")
        if self.missing is Missing.DECLINED and self.wait_s is None:
            raise UserError(
                "a missing outcome can only count as declined after a wait time: an outcome may "
                "still come. Give one, such as --wait 2d"
            )


@dataclass(frozen=True, slots=True)
class Told:
    """An outcome and when it arrived, microseconds since 1970, UTC."""

    received_at_us: int
    outcome: OutcomeRequest


@dataclass(frozen=True, slots=True)
class Joined:
    """What came back for one decision.

    Attributes
    ----------
    outcome
        None where nothing is known.
    late
        outcomes that came after the wait time and do not count.
    assumed
        whether nothing came and that was taken for a decline.
    """

    outcome: OutcomeRequest | None
    late: int = 0
    assumed: bool = False


def joined(
    decision_id: str, due_us: int, told: Sequence[Told], rules: JoinRules, now_us: int
) -> Joined:
    """One outcome of a decision.

    Parameters
    ----------
    decision_id
        of the decision.
    due_us
        when its attempt was due, microseconds since 1970, UTC.
    told
        all that was said, in order of arrival.
    rules
        how it becomes one.
    now_us
        microseconds since 1970, UTC.
    """
    until = None if rules.wait_s is None else due_us + rules.wait_s * _SECOND_US
    # A clock that is behind makes an outcome come before its decision; it counts all the same.
    counted = [each.outcome for each in told if until is None or each.received_at_us <= until]
    late = len(told) - len(counted)
    if counted:
        return Joined(_one(counted, rules.join), late)
    if rules.missing is Missing.DECLINED and until is not None and now_us > until:
        return Joined(OutcomeRequest(decision_id, approved=False), late, assumed=True)
    return Joined(None, late)


def _one(told: Sequence[OutcomeRequest], join: Join) -> OutcomeRequest:
    if join is Join.EARLIEST:
        return told[0]
    if join is Join.LAST:
        return told[-1]
    merged = told[0]
    for each in told[1:]:
        news = {
            field: value
            for field, value in msgspec.structs.asdict(each).items()
            if value is not None
        }
        merged = msgspec.structs.replace(merged, **news)
    if join is Join.SUM:
        sums = {
            name: sum(given)
            for name in _ADDED
            if (given := [value for each in told if (value := getattr(each, name)) is not None])
        }
        merged = msgspec.structs.replace(merged, **sums)
    return merged
