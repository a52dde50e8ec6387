"""What the service records, in the form in which store and spool take it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

import msgspec

from authopt.sampling import DEFAULT_SALT
from service.api.forms import DecisionAnswer, DecisionRequest, OutcomeRequest, RankAnswer
from service.tenants import DEFAULT_TENANT

Key: TypeAlias = tuple[str, str]
"""Tenant and decision id."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ENCODER = msgspec.json.Encoder(order="sorted")


class DecisionRecord(msgspec.Struct, frozen=True, gc=False, tag="decision"):
    """A row of the table ``decisions``, but for its number."""

    decision_id: str
    payment_id: str
    attempt: int
    decided_at_us: int
    route: str
    delay_s: int
    propensity: float
    policy: str
    model_sha256: str | None
    fallback: str | None
    salt: str
    request: str
    answer: str
    deferred: bool = False
    tenant: str = DEFAULT_TENANT
    experiment: str | None = None
    arm: str | None = None

    @property
    def key(self) -> Key:
        """What no two decisions have in common."""
        return self.tenant, self.decision_id


class OutcomeRecord(msgspec.Struct, frozen=True, tag="outcome"):
    """A row of the table ``outcomes``, but for its number."""

    decision_id: str
    sha256: str
    received_at_us: int
    outcome: str
    tenant: str = DEFAULT_TENANT

    @property
    def key(self) -> Key:
        """Of its decision."""
        return self.tenant, self.decision_id


class ActivationRecord(msgspec.Struct, frozen=True, tag="activation"):
    """A row of the table ``activations``, but for its number."""

    decision_id: str
    activated_at_us: int
    route: str
    delay_s: int
    propensity: float | None
    tenant: str = DEFAULT_TENANT

    @property
    def key(self) -> Key:
        """Of its decision."""
        return self.tenant, self.decision_id


Record = DecisionRecord | OutcomeRecord | ActivationRecord


@dataclass(frozen=True, slots=True)
class Kept:
    """What became of a record.

    Attributes
    ----------
    durable
        whether it is on disk, in the store or in the spool.
    decision
        for a decision: the one that is kept under its id, which may be an earlier one; if it is
        not durable, the one that may yet be kept, or None where that is out of the question.
    """

    durable: bool
    decision: DecisionRecord | None = None


def decision_record(
    request: DecisionRequest,
    answer: DecisionAnswer | RankAnswer,
    tenant: str = DEFAULT_TENANT,
    deferred: bool = False,
) -> DecisionRecord:
    """The record of a decision; its answer is encoded here, once and for all."""
    return DecisionRecord(
        decision_id=answer.decision_id,
        payment_id=answer.payment_id,
        attempt=answer.attempt,
        decided_at_us=microseconds(answer.decided_at),
        route=answer.action.route,
        delay_s=answer.action.delay_s,
        propensity=answer.propensity,
        policy=answer.policy.name,
        model_sha256=answer.policy.sha256,
        fallback=answer.fallback,
        salt=DEFAULT_SALT,
        request=canonical(request),
        answer=msgspec.json.encode(answer).decode(),
        deferred=deferred,
        tenant=tenant,
        experiment=answer.experiment or None,
        arm=answer.arm or None,
    )


def canonical(request: DecisionRequest) -> str:
    """A request as JSON, the same however its keys were ordered and its spaces were set."""
    return _ENCODER.encode(request).decode()


def outcome_record(outcome: OutcomeRequest, tenant: str = DEFAULT_TENANT) -> OutcomeRecord:
    """The record of an outcome received now."""
    text = _ENCODER.encode(outcome)
    return OutcomeRecord(
        decision_id=outcome.decision_id,
        sha256=hashlib.sha256(text).hexdigest(),
        received_at_us=microseconds(datetime.now(UTC)),
        outcome=text.decode(),
        tenant=tenant,
    )


def microseconds(moment: datetime) -> int:
    """Microseconds since 1970, UTC; exact."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def moment(since_1970_us: int) -> datetime:
    """Microseconds since 1970 as a moment in UTC; what :func:`microseconds` undoes."""
    return _EPOCH + timedelta(microseconds=since_1970_us)


def row(record: Record) -> dict[str, Any]:
    """A record as column values."""
    return msgspec.structs.asdict(record)
