"""What a scenario is, and what a run of one tells."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np

from authopt.batch import BoolArray, FloatArray, LoggedBatch, TimeArray
from authopt.rules import DEFAULT_RULES, Rules
from simulator.protocol import World
from simulator.traffic import Traffic

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from authopt.look.static_charts import Page
    from simulator.scenarios.contenders import Contender

ALL = "all"
"""Name of the group that holds every decision."""


def everything(batch: LoggedBatch) -> BoolArray:
    """bool[n], all decisions."""
    return np.ones(batch.n, np.bool_)


@dataclass(frozen=True, slots=True)
class Moment:
    """Something that happens: a few words, from when (datetime64[s], UTC), and until when."""

    text: str
    start: np.datetime64
    end: np.datetime64 | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Stage:
    """Where a scenario takes place.

    Attributes
    ----------
    world
        with its events.
    traffic
        the payments. Series run from its start to its end; retries that come later are not in them.
    policies
        what is compared, as label and spec (``authopt.policies.spec.load_policy``, or ``oracle``
        for the action of the highest true chance).
    rules
        what the policies may do.
    slot_s
        seconds between two updates of a policy that learns.
    bin_s
        seconds of a point of the series.
    moments
        what happens, for the pictures.
    groups
        decisions that are counted apart, by name: bool[n] of a logged batch.
    measures
        further quantities to add up, by name: float64[n] of a logged batch with its outcomes.
    """

    world: World
    traffic: Traffic
    policies: Mapping[str, str]
    slot_s: int
    bin_s: int
    rules: Rules = DEFAULT_RULES
    moments: tuple[Moment, ...] = ()
    groups: Mapping[str, Callable[[LoggedBatch], BoolArray]] = field(
        default_factory=lambda: {ALL: everything}
    )
    measures: Mapping[str, Callable[[LoggedBatch], FloatArray]] = field(default_factory=dict)

    @property
    def bin_starts(self) -> TimeArray:
        """datetime64[s][bins], UTC."""
        start = self.traffic.start.astype("M8[s]")
        bins = int(np.ceil(self.traffic.days * 86_400 / self.bin_s))
        return np.asarray(start + np.arange(bins) * np.timedelta64(self.bin_s, "s"))


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """What one policy did in one group of decisions, by bin of the time of decision.

    Attributes
    ----------
    policy, group
        whose decisions, and which.
    routes
        names of the columns of ``by_route`` and ``eligible``.
    decisions, attempts, approved
        float64[bins]: decision points met, attempts made (not ``stop``), and those approved.
    first, first_approved
        float64[bins]: first attempts made, and those approved.
    expected, best
        float64[bins]: sum over the decision points of the true chance of approval of what the
        policy does (in expectation over its draw), and of the best action (the greedy oracle).
    by_route, eligible
        float64[bins, routes]: attempts by route, and decisions in which the route was eligible.
    measures
        float64[bins] by name, as the stage asks.
    """

    policy: str
    group: str
    routes: tuple[str, ...]
    decisions: FloatArray
    attempts: FloatArray
    approved: FloatArray
    first: FloatArray
    first_approved: FloatArray
    expected: FloatArray
    best: FloatArray
    by_route: FloatArray
    eligible: FloatArray
    measures: Mapping[str, FloatArray]

    @property
    def regret(self) -> FloatArray:
        """float64[bins]: approvals lost, in expectation, to the best action at each decision."""
        return self.best - self.expected

    def chance(self, bins: BoolArray) -> float:
        """Approvals in expectation per decision, over some of the bins (bool[bins])."""
        return float(self.expected[bins].sum() / self.decisions[bins].sum())

    def share_on(self, route: str) -> FloatArray:
        """float64[bins]: of the decisions in which the route was eligible, the share sent to it."""
        place = self.routes.index(route)
        return ratio(self.by_route[:, place], self.eligible[:, place])


def ratio(above: FloatArray, below: FloatArray) -> FloatArray:
    """Element by element; NaN where there is nothing below."""
    quotient = np.full(len(below), np.nan)
    np.divide(above, below, out=quotient, where=below > 0)
    return quotient


class Unit(StrEnum):
    """How the numbers of a column are to be read."""

    TEXT = "text"
    COUNT = "count"
    SHARE = "share"
    NUMBER = "number"
    SECONDS = "s"


@dataclass(frozen=True, slots=True)
class Answer:
    """A short table: what came out, at a glance.

    Attributes
    ----------
    columns
        heading and unit; the first names the row.
    rows
        one value per column; None where there is none to give.
    """

    columns: tuple[tuple[str, Unit], ...]
    rows: tuple[tuple[Any, ...], ...]

    def as_dicts(self) -> list[dict[str, Any]]:
        """One dictionary per row, by heading."""
        names = [name for name, _ in self.columns]
        return [dict(zip(names, row, strict=True)) for row in self.rows]


@dataclass(frozen=True, slots=True, eq=False)
class Findings:
    """What a scenario measured.

    Attributes
    ----------
    finding
        one sentence with figures of this run: the answer.
    explanation
        what the picture shows, of which data.
    answer
        the figures at a glance.
    series
        by policy and group.
    tables
        further results: columns of equal length by name, by table.
    """

    finding: str
    explanation: str
    answer: Answer
    series: tuple[Series, ...] = ()
    tables: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Scenario:
    """One thing that happens to a merchant's payments, with the picture that shows it.

    Attributes
    ----------
    name, sentence
        for the command line and tables.
    payments
        how many arrive, unless asked otherwise.
    stage
        from the number of payments and the seed.
    measure
        runs the policies and says what came out.
    picture
        of a run, within ``chart_defaults``.
    """

    name: str
    sentence: str
    payments: int
    stage: Callable[[int, int], Stage]
    measure: Callable[[Stage, tuple[Contender, ...]], Findings]
    picture: Callable[[ScenarioRun, Page], Figure]


@dataclass(frozen=True, slots=True, eq=False)
class ScenarioRun:
    """A scenario that has been run: the same name, payments, seed and policies give the same.

    Attributes
    ----------
    scenario
        what was run.
    stage
        where.
    findings
        what came out.
    """

    scenario: Scenario
    stage: Stage
    findings: Findings

    def series(self, policy: str, group: str = ALL) -> Series:
        """Of one policy in one group of decisions.

        Raises
        ------
        KeyError
            If there is none.
        """
        for each in self.findings.series:
            if (each.policy, each.group) == (policy, group):
                return each
        raise KeyError((policy, group))

    @property
    def policies(self) -> tuple[str, ...]:
        """Labels of the policies, in order."""
        return tuple(dict.fromkeys(each.policy for each in self.findings.series))

    def as_json(self) -> dict[str, Any]:
        """All of it as JSON-able containers (arrays stay numpy's)."""
        found = self.findings
        return {
            "scenario": self.scenario.name,
            "seed": self.stage.traffic.seed,
            "payments": self.stage.traffic.payments,
            "finding": found.finding,
            "explanation": found.explanation,
            "answer": found.answer.as_dicts(),
            "moments": [
                {
                    "text": each.text,
                    "start": str(each.start),
                    "end": None if each.end is None else str(each.end),
                }
                for each in self.stage.moments
            ],
            "bin_s": self.stage.bin_s,
            "start": str(self.stage.traffic.start.astype("M8[s]")),
            "series": [_series_json(each) for each in found.series],
            "tables": {name: dict(table) for name, table in found.tables.items()},
        }


def _series_json(series: Series) -> dict[str, Any]:
    return {
        "policy": series.policy,
        "group": series.group,
        "decisions": series.decisions,
        "attempts": series.attempts,
        "approved": series.approved,
        "first": series.first,
        "first_approved": series.first_approved,
        "expected": series.expected,
        "best": series.best,
        "by_route": {name: series.by_route[:, at] for at, name in enumerate(series.routes)},
        "eligible": {name: series.eligible[:, at] for at, name in enumerate(series.routes)},
        **series.measures,
    }
