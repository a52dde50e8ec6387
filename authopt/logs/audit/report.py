"""What an audit says of a log."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How much a finding matters, from least to most."""

    OK = "ok"
    NOTE = "note"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence of the verdict.

    Attributes
    ----------
    level
        ``problem``: figures computed from this log would be wrong, or cannot be computed;
        ``warning``: they hold for part of the question only; ``note``: worth knowing.
    topic
        which part of the report it is of.
    text
        what was found, with the figure.
    advice
        what to do, or empty.
    examples, examples_of
        a few ids that show it, and what they are ids of: ``decision``, ``payment``, ``route``, or
        ``row`` of the file.
    """

    level: Level
    topic: str
    text: str
    advice: str = ""
    examples: tuple[str, ...] = ()
    examples_of: str = "decision"


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the log.

    Attributes
    ----------
    name
        of the column.
    role
        ``context``, ``outcome`` or ``action``.
    kind
        as in ``payments.Kind``.
    rows
        values that there could be: one per decision, or one per eligible action.
    missing
        of which there is none.
    distinct
        different values of a category or a reference; None for other kinds.
    distinct_exact
        whether that number is exact (it is, up to 32,767).
    """

    name: str
    role: str
    kind: str
    rows: int
    missing: int
    distinct: int | None
    distinct_exact: bool


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """A value that makes its row unusable. Rows count from 1, without the header."""

    file: str
    row: int
    column: str
    value: str
    reason: str


@dataclass(frozen=True, slots=True)
class Fault:
    """A kind of implausible value, and how often it occurs.

    Attributes
    ----------
    name
        of the check.
    count, of
        rows (or payments) at fault, of how many that were looked at.
    examples
        up to three decision ids (payment ids for checks of whole payments).
    """

    name: str
    count: int
    of: int
    examples: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Named:
    """A value or reason, and how many rows have it."""

    value: str
    count: int


@dataclass(frozen=True, slots=True)
class Rate:
    """Success of the attempts in one segment; decisions to stop are left out.

    Attributes
    ----------
    values
        the segment: one value per column of the :class:`Segmentation`; None where missing.
    attempts, known, approved
        attempts; those with a known outcome; those approved.
    rate, lower, upper
        approved / known with its 95% interval (Wilson); None where no outcome is known. The
        interval takes attempts as independent of each other.
    thin
        whether the interval is wider than 10 percentage points.
    """

    values: tuple[str | None, ...]
    attempts: int
    known: int
    approved: int
    rate: float | None
    lower: float | None
    upper: float | None
    thin: bool


@dataclass(frozen=True, slots=True)
class Segmentation:
    """Success by the values of one or two columns: largest segments first, attempts in order."""

    columns: tuple[str, ...]
    segments: tuple[Rate, ...]


@dataclass(frozen=True, slots=True)
class RouteSupport:
    """How much of one route the log holds.

    Attributes
    ----------
    route
        its name.
    eligible, taken
        decisions in which it was eligible, and was taken.
    eligible_share, taken_share
        of all decisions; of those in which it was eligible.
    smallest, first_percentile, median
        of the logging probability of its actions wherever they were eligible; only where they were
        taken, if the log gives the propensity of the taken action alone; None without any.
        Quantiles are to within 1%.
    never
        share of its eligible actions with probability 0.
    """

    route: str
    eligible: int
    taken: int
    eligible_share: float
    taken_share: float
    smallest: float | None
    first_percentile: float | None
    median: float | None
    never: float | None


@dataclass(frozen=True, slots=True)
class Overlap:
    """How far the logging policy spread its choices.

    Attributes
    ----------
    with_choice
        decisions with more than one eligible action; the shares below are of these.
    with_probabilities
        those of them with the probability of every eligible action.
    zero, below_1_percent
        share in which an eligible action has probability 0; has less than 1%.
    nearly_certain
        share in which one action has 99% or more (the taken one, if only its propensity is known).
    effective_actions
        mean over the decisions of exp(entropy of the probabilities), and, beside it,
    actions
        mean number of eligible actions, both over decisions with a choice.
    largest_inverse
        largest 1/propensity of an action taken.
    largest_possible
        largest 1/probability of an eligible action (that has any), the importance weight that a
        policy can meet at worst.

    None where the log does not say.
    """

    with_choice: int
    with_probabilities: int
    zero: float | None
    below_1_percent: float | None
    nearly_certain: float | None
    effective_actions: float | None
    actions: float
    largest_inverse: float | None
    largest_possible: float | None


@dataclass(frozen=True, slots=True)
class InverseCheck:
    """Mean of 1/propensity against what it has to be.

    Attributes
    ----------
    what
        ``all decisions``, a route's name, or the start and end of a slice of time.
    decisions
        rows that it is over.
    mean, expected
        of 1/propensity of the actions taken, and the number of eligible actions with a positive
        probability; for a route, the sum of 1{taken}/propensity over the times it was offered,
        and 1.
    standard_error
        of the mean: the larger of that by the logged probabilities and the one that is robust to
        dependence within payments.
    z
        deviation in standard errors, discounted for rare actions by Bernstein's inequality;
        None where there is nothing to judge.
    exact
        whether ``expected`` is known; without the probabilities of all eligible actions it is an
        upper bound.
    alarm
        whether the propensities cannot be right.
    """

    what: str
    decisions: int
    mean: float
    expected: float
    standard_error: float
    z: float | None
    exact: bool
    alarm: bool


@dataclass(frozen=True, slots=True)
class Slice:
    """Success in one slice of time, by the clock of ``decided_at`` (UTC)."""

    start: str
    end: str
    decisions: int
    rate: float | None
    inverse: InverseCheck | None


@dataclass(frozen=True, slots=True)
class AuditReport:
    """All that an audit says.

    Attributes
    ----------
    log
        the file.
    verdict
        the worst level of any finding.
    findings
        worst first.
    rows, sound, rejected
        rows of the file, those that were used, those that cannot be.
    payments, attempts, stops
        payments; decisions that sent an attempt, that gave up.
    first, last
        earliest and latest decision, ISO 8601 in UTC, or None.
    propensity_source
        ``logged``, ``estimated`` or ``unknown``.
    with_propensity
        sound rows that have one.
    columns, absent
        columns that the log has; known context and outcome columns that it lacks.
    rejections, rejected_examples
        why rows were rejected, and some of them.
    faults
        every check of values and order, also those that found nothing.
    unknown_codes
        response and advice codes that the network rules do not know, by column.
    rules_broken
        logged actions that the network rules do not allow, by reason.
    segmentations
        success by segment.
    routes, overlap
        support.
    inverse
        checks of 1/propensity: overall, then by route.
    slices
        up to eight slices of time with about equally many decisions.
    """

    log: str
    verdict: Level
    findings: tuple[Finding, ...]
    rows: int
    sound: int
    rejected: int
    payments: int
    attempts: int
    stops: int
    first: str | None
    last: str | None
    propensity_source: str
    with_propensity: int
    columns: tuple[Column, ...]
    absent: tuple[str, ...]
    rejections: tuple[Named, ...]
    rejected_examples: tuple[RejectedRow, ...]
    faults: tuple[Fault, ...]
    unknown_codes: dict[str, tuple[Named, ...]]
    rules_broken: tuple[Named, ...]
    segmentations: tuple[Segmentation, ...]
    routes: tuple[RouteSupport, ...]
    overlap: Overlap
    inverse: tuple[InverseCheck, ...]
    slices: tuple[Slice, ...]
