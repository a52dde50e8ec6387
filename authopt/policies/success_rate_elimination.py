"""Success-rate routing that keeps off the routes that are down.

Juspay's decision engine with success-rate routing and elimination both on: the rates choose
(``success_rate``), and a route whose short-term score fell below a threshold has its rate divided
by five, until a reset lets it try again (``bandits.downtime`` has the rules and where they are
from). Where this differs from the engine:

- outcomes move the scores when they are known, once each; the engine counts an attempt as a
  failure when it is sent and takes that back when it is approved, so attempts under way weigh on a
  score already;
- a soft reset lets all decisions through until the next outcomes are known; in the engine the
  first 10 attempts under way close the route again;
- after a soft reset of the ``average`` score the engine gives one failure's credit or so, because
  ``get_reset_score`` takes for per cent what is none there; here it is 10, as configured;
- the engine's global scores (over all merchants), its scheduled outages and its per-gateway
  thresholds are left out.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np

from authopt.batch import DecisionBatch, FloatArray, LoggedBatch
from authopt.errors import UserError
from authopt.policies.bandits.downtime import Downtime, Rule, Score, ScoreRecord
from authopt.policies.bandits.hedging import hedge_others
from authopt.policies.bandits.segments import check_dimensions, unit_outcomes_of
from authopt.policies.bandits.spec_keys import one_of
from authopt.policies.best_route import best_of_each
from authopt.policies.family import EPSILON, Family, Options
from authopt.policies.state_file import read_state, write_state
from authopt.policies.success_rate import SuccessRate, SuccessRateFile

WINDOW = 125
HEDGING = 0.05
DIMENSIONS = ("previous_response_code", "currency")
ELIMINATION_DIMENSIONS = ("previous_response_code",)

DIVISOR = 5.0
"""What the rate of an eliminated route is divided by."""

MADE_BY = "a policy success-rate-elimination that is saved while it acts"

FAMILY_NAME = "success-rate-elimination"


class EliminationFile(
    msgspec.Struct,
    frozen=True,
    forbid_unknown_fields=True,
    tag_field="policy",
    tag="success-rate-elimination",
):
    """The file of a :class:`SuccessRateElimination`: options and state."""

    rates: SuccessRateFile
    rule: Rule
    dimensions: tuple[str, ...]
    scores: tuple[ScoreRecord, ...]
    version: Literal[1] = 1


def _default_rates() -> SuccessRate:
    return SuccessRate(WINDOW, HEDGING, DIMENSIONS, start="full", hedge="others")


@dataclass(slots=True, eq=False)
class SuccessRateElimination:
    """A policy that learns: the route of the best rate among those that are not down.

    An eliminated route is taken where all others are worse by a factor of five, or down as well;
    it gets no share of the hedging while another route is in. Of a route's actions the one with
    the shortest delay is taken; ``stop`` only where nothing else is eligible.

    One thread may not ask it while another lets it learn.

    Attributes
    ----------
    rates
        the windows, their hedging and their dimensions.
    downtime
        the scores, their rule and their dimensions.
    """

    rates: SuccessRate = field(default_factory=_default_rates)
    downtime: Downtime = field(default_factory=lambda: Downtime(Rule(), ELIMINATION_DIMENSIONS))
    name: str = FAMILY_NAME

    def __post_init__(self) -> None:
        check_dimensions(self.name, self.downtime.dimensions)

    def probabilities(self, batch: DecisionBatch) -> FloatArray:
        """float64[m], mostly on the best route that is in, and the hedging."""
        if not batch.n:
            return np.zeros(0)
        rate, out = self.rates.rates(batch), self.downtime.is_down(batch)
        head = best_of_each(batch, rate)
        best = best_of_each(batch, np.where(out, rate / DIVISOR, rate))
        return hedge_others(batch, self.rates.hedging, head, best, out)

    def update(self, batch: LoggedBatch) -> None:
        """Learn from known outcomes, oldest first; ``stop`` teaches nothing.

        Raises
        ------
        UserError
            If a reward is not from 0 to 1.
        """
        outcomes = unit_outcomes_of(self.name, batch, self.downtime.dimensions)
        self.rates.update(batch)
        if len(outcomes):
            self.downtime.add(outcomes)

    def save(self, path: Path) -> None:
        """Write options and state; :meth:`load` restores them exactly."""
        state = EliminationFile(
            self.rates.state(),
            self.downtime.rule,
            self.downtime.dimensions,
            self.downtime.records(),
        )
        write_state(path, state)

    @classmethod
    def load(cls, path: Path) -> SuccessRateElimination:
        """Read options and state.

        Raises
        ------
        UserError
            If the file is missing or holds something else.
        """
        state = read_state(path, EliminationFile, f"a {FAMILY_NAME} policy", MADE_BY)
        try:
            policy = cls(SuccessRate.of(state.rates), Downtime(state.rule, state.dimensions))
            policy.downtime.restore(state.scores)
        except UserError as error:
            raise UserError(f"{path}: {error}") from None
        return policy


_RULE_NUMBERS = ("normal", "down", "deviations", "soft_reset_s", "hard_reset_s")
_KEYS = (
    "window",
    "hedging",
    "dimensions",
    "elimination_dimensions",
    "score",
    *_RULE_NUMBERS,
    "credit",
)


def _make(file: Path | None, options: Options) -> SuccessRateElimination:
    if file is not None:
        options.refuse(_KEYS)
        return SuccessRateElimination.load(file)
    dimensions = options.list("dimensions", "+")
    elimination = options.list("elimination_dimensions", "+")
    rates = SuccessRate(
        options.whole("window", WINDOW),
        options.number("hedging", HEDGING),
        DIMENSIONS if dimensions is None else dimensions,
        start="full",
        hedge="others",
    )
    usual = Rule()
    scores: tuple[Score, ...] = ("average", "penalty")
    rule = Rule(
        one_of(options, "score", scores),
        credit=options.whole("credit", usual.credit),
        **{key: options.number(key, getattr(usual, key)) for key in _RULE_NUMBERS},
    )
    own = ELIMINATION_DIMENSIONS if elimination is None else elimination
    return SuccessRateElimination(rates, Downtime(rule, own))


FAMILY = Family(
    "success-rate-elimination[:FILE.json or window=125,hedging=0.05,dimensions=currency,"
    "score=average,normal=0.85,down=0.4,deviations=5]",
    _make,
    (*_KEYS, EPSILON),
    takes_file=True,
)
