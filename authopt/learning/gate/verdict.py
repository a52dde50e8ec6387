"""What the gate answers: every check with its figure, its bound and a reason; plain frozen data."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

import msgspec

from authopt.errors import CheckFailed, UserError
from authopt.learning.gate.settings import Gate
from authopt.policies.state_file import read_state, write_state

SUFFIX = ".gate.json"
"""What is appended to a model's name for the verdict on it."""


class Outcome(StrEnum):
    """What a check says."""

    PASS = "pass"
    FAIL = "fail"
    UNKNOWN = "unknown"
    """The log does not hold what the check needs; it does not stop the candidate."""


@dataclass(frozen=True, slots=True)
class GateCheck:
    """One check.

    Attributes
    ----------
    name, title
        for machines and for people.
    outcome
        what it says.
    figure
        what was measured; None where the log holds nothing to measure it by.
    lower, upper
        bounds of what was measured, as the check takes them; None where there are none.
    limit
        what the figure or its bound is held against.
    money
        whether these are minor units of the reward's currency.
    reason
        one sentence.
    is_open
        of one that fails: whether it does so for want of decisions, so that more of them may mend
        it.
    """

    name: str
    title: str
    outcome: Outcome
    figure: float | None
    lower: float | None
    upper: float | None
    limit: float | None
    reason: str
    money: bool = False
    is_open: bool = False


@dataclass(frozen=True, slots=True)
class GainBound:
    """One interval of the gain, of those that stand side by side.

    Attributes
    ----------
    method
        ``sequence`` (:mod:`authopt.learning.gate.sequence`), or as the evaluation names them.
    lower, upper
        limits of the gain; None where the method gives no such side.
    confidence
        of each side by itself.
    anytime
        whether it holds however often one looks.
    decides
        whether the gate goes by it.
    """

    method: str
    lower: float
    upper: float | None
    confidence: float
    anytime: bool
    decides: bool


@dataclass(frozen=True, slots=True)
class Judged:
    """A policy of the verdict: its spec, its name, and its value by the log (None: unknown).

    ``sha256`` is of the file that the spec names, or None.
    """

    spec: str
    name: str
    value: float | None
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Slice:
    """The log that the verdict rests on.

    Attributes
    ----------
    path
        file, or None where it was in memory.
    decisions, payments
        that were used.
    first, last
        times of the first and the last decision, UTC.
    propensity_source
        ``logged`` or ``estimated``.
    """

    path: str | None
    decisions: int
    payments: int
    first: datetime | None
    last: datetime | None
    propensity_source: str


@dataclass(frozen=True, slots=True)
class Look:
    """One time that this candidate was judged against this live policy.

    Attributes
    ----------
    at
        when, UTC.
    decisions, first, last
        how far the log went.
    spent
        error that was spent on the look. What goes to a bound that holds at all times is spent on
        the first one, and serves all later ones; one for a fixed log takes a share for each.
    lower
        the bound of the gain that decided.
    passed
        whether the gate let the candidate through.
    """

    at: datetime
    decisions: int
    first: datetime | None
    last: datetime | None
    spent: float
    lower: float
    passed: bool


@dataclass(frozen=True, slots=True)
class Override:
    """A person's decision to let a candidate through that failed: who, when (UTC) and why."""

    who: str
    at: datetime
    why: str


@dataclass(frozen=True, slots=True)
class GateVerdict:
    """The answer of the gate.

    Attributes
    ----------
    candidate, live
        the two policies.
    log
        what the verdict rests on.
    reward, currency, unit
        what is gained, the currency that it is minor units of (or None), and per what.
    gain
        estimate of the candidate's value less the live policy's; None where there is none.
    bounds
        intervals of the gain side by side.
    checks
        all of them.
    looks
        every time that this candidate was judged against this live policy, this one last.
    settings
        the conditions.
    remarks
        what a reader must know besides.
    override
        of a person, or None.
    """

    candidate: Judged
    live: Judged
    log: Slice
    reward: str
    currency: str | None
    unit: str
    gain: float | None
    bounds: tuple[GainBound, ...]
    checks: tuple[GateCheck, ...]
    looks: tuple[Look, ...]
    settings: Gate
    remarks: tuple[str, ...] = ()
    override: Override | None = None
    version: int = 1

    @property
    def passed(self) -> bool:
        """Whether no check failed."""
        return not self.failed

    @property
    def admitted(self) -> bool:
        """Whether the candidate may replace the live policy: it passed, or a person said so."""
        return self.passed or self.override is not None

    @property
    def failed(self) -> tuple[GateCheck, ...]:
        """The checks that failed."""
        return tuple(check for check in self.checks if check.outcome is Outcome.FAIL)

    @property
    def is_open(self) -> bool:
        """Whether checks failed, and all of them for want of decisions."""
        return not self.passed and all(check.is_open for check in self.failed)

    @property
    def word(self) -> str:
        """PASS, FAIL or OVERRIDDEN."""
        if self.passed:
            return "PASS"
        return "FAIL" if self.override is None else "OVERRIDDEN"

    @property
    def lower(self) -> float:
        """The bound of the gain that decided."""
        return next(bound.lower for bound in self.bounds if bound.decides)

    def overridden(self, why: str, who: str, at: datetime | None = None) -> GateVerdict:
        """The verdict with a person's decision on it.

        Raises
        ------
        UserError
            If no reason or no name is given.
        """
        if not why.strip() or not who.strip():
            raise UserError("an override needs a reason and the name of who answers for it")
        moment = datetime.now(UTC) if at is None else at
        return replace(self, override=Override(who.strip(), moment, why.strip()))

    def raise_if_failed(self) -> None:
        """Raise CheckFailed, with the reasons, unless the candidate was admitted."""
        if not self.admitted:
            reasons = "\n  ".join(f"{check.title}: {check.reason}" for check in self.failed)
            raise CheckFailed(f"the gate does not let {self.candidate.spec} through\n  {reasons}")


class VerdictFile(msgspec.Struct, frozen=True):
    """The file of a verdict: its word first, for whoever reads nothing else."""

    verdict: str
    admitted: bool
    result: GateVerdict


def as_file(verdict: GateVerdict) -> VerdictFile:
    """The verdict as it is written."""
    return VerdictFile(verdict.word, verdict.admitted, verdict)


def write_verdict(path: Path, verdict: GateVerdict) -> None:
    """Write a verdict as JSON, whole or not at all.

    Raises
    ------
    UserError
        If the file cannot be written.
    """
    write_state(path, as_file(verdict))


def read_verdict(path: Path) -> GateVerdict:
    """Read a verdict that :func:`write_verdict` wrote.

    Raises
    ------
    UserError
        If the file is missing or holds something else.
    """
    made_by = "authopt gate LOG --candidate SPEC --live SPEC --out verdict.json"
    return read_state(path, VerdictFile, "a verdict of the gate", made_by).result


def verdict_path(model: Path) -> Path:
    """Where the verdict on a model lies: beside it."""
    return model.with_name(model.name + SUFFIX)
