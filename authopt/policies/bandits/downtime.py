"""Scores that say which routes are down, as Juspay's decision engine keeps them.

juspay/decision-engine, ``src/feedback/gateway_elimination_scoring/flow.rs`` (scores),
``src/decider/gatewaydecider/gw_scoring.rs`` (thresholds, eliminations, resets) and ``utils.rs``
(``get_reset_score``, ``is_reset_eligibile``). A score starts at 1. The engine lowers it when an
attempt is sent and raises it when one is approved; a route whose score is below the threshold is
eliminated. It comes back in two ways: 15 minutes after its last reset the score is set to where 10
failures bring it down again (soft reset), and 2.5 hours after it was made it is made anew, at 1
(hard reset). A route that falls below the threshold when its last reset is older than that is reset
at once, so it takes 10 failures more before it stays out. There are two scores:

- ``penalty``, the engine's default: an attempt takes 5% off the score, an approval adds 5.26%, so
  that both together leave it as it was; the threshold is 0.05. In effect a route is eliminated by
  59 declines within 2.5 hours, however many approvals there were. That suits small volumes; a busy
  route is always eliminated, and so are all the others.
- ``average`` ('elimination V2' there): an average that forgets, ``(1 - a) score + a approved``. Of
  the rate in normal times, the rate when down, and a number of deviations, follow ``a`` and the
  threshold, which lies that many standard deviations of the score below the normal rate.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import msgspec
import numpy as np
from scipy.signal import lfilter

from authopt.batch import DecisionBatch, FloatArray
from authopt.errors import UserError
from authopt.policies.bandits.cells import Cells
from authopt.policies.bandits.segments import Key, Outcomes, keys_of

Score: TypeAlias = Literal["average", "penalty"]

_PENALTY, _REWARD, _PENALTY_THRESHOLD = 0.05, 0.0526, 0.05
_WEIGHT_NORMAL, _WEIGHT_DOWN = 0.29, 0.71


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How scores move, and when a route is down.

    Attributes
    ----------
    score
        which of the two scores.
    normal, down
        approval rates in normal times and when a route is down, 0 < down < normal < 1; of use to
        ``average`` alone. The engine has no defaults for them; these suit card payments.
    deviations
        standard deviations of the score between the normal rate and the threshold, above 0; of use
        to ``average`` alone.
    credit
        failures in a row that eliminate a route again after a soft reset.
    soft_reset_s, hard_reset_s
        seconds from the last reset to a soft one, and from a score's making to a hard one.
    """

    score: Score = "average"
    normal: float = 0.85
    down: float = 0.4
    deviations: float = 5.0
    credit: int = 10
    soft_reset_s: float = 900.0
    hard_reset_s: float = 9_000.0

    def __post_init__(self) -> None:
        if not 0.0 < self.down < self.normal < 1.0:
            raise UserError(
                f"a route is normal at a rate of {self.normal:g} and down at {self.down:g}; "
                "expected 0 < down < normal < 1"
            )
        numbers = (self.deviations, self.credit, self.soft_reset_s, self.hard_reset_s)
        if not all(0.0 < number < math.inf for number in numbers):
            raise UserError(
                "the deviations, credit, soft_reset_s and hard_reset_s of an elimination are "
                f"{', '.join(f'{number:g}' for number in numbers)}; expected numbers above 0"
            )

    @property
    def weight(self) -> float:
        """Of the latest outcome in the average: ``calculate_alpha`` of the engine; below 1."""
        ratio = (self.normal - self.down) / self.deviations
        return min(ratio**2 / (self.normal * (1.0 - self.normal)), 0.99)

    @property
    def threshold(self) -> float:
        """Below it a route is eliminated.

        The average of independent outcomes has the variance ``weight / 2`` times that of one, so
        ``deviations`` of it are ``(normal - down) / sqrt(2)``: hence the engine's 0.29 and 0.71.
        """
        if self.score == "penalty":
            return _PENALTY_THRESHOLD
        return _WEIGHT_NORMAL * self.normal + _WEIGHT_DOWN * self.down

    @property
    def after_soft_reset(self) -> float:
        """The score from which ``credit`` failures in a row lead below the threshold."""
        kept = 1.0 - (_PENALTY if self.score == "penalty" else self.weight)
        # A hair more, so that rounding does not take one failure off the credit.
        return min(self.threshold / kept ** (self.credit - 1) * (1.0 + 1e-9), 1.0)

    def scores(self, score: float, rewards: FloatArray) -> FloatArray:
        """float64[r], the score after each of r outcomes that follow each other."""
        if self.score == "penalty":
            return np.asarray(
                score * np.cumprod((1.0 - _PENALTY) * (1.0 + _REWARD * rewards)), np.float64
            )
        kept = 1.0 - self.weight
        filtered, _ = lfilter([self.weight], [1.0, -kept], rewards, zi=[kept * score])
        return np.asarray(filtered, np.float64)


class ScoreRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The score of a route in a segment; instants in seconds since 1970."""

    values: tuple[str | None, ...]
    route: str
    score: float
    made_at: float
    reset_at: float


@dataclass(slots=True, eq=False)
class Downtime:
    """The scores by segment and route.

    Attributes
    ----------
    rule
        how they move.
    dimensions
        context columns of names; every combination of their values has scores of its own.
    score, made_at, reset_at
        float64[segments, routes]; ``made_at`` is 0 where there is no score yet.
    """

    rule: Rule
    dimensions: tuple[str, ...]
    cells: Cells = field(default_factory=Cells)
    score: FloatArray = field(default_factory=lambda: np.zeros((0, 0)))
    made_at: FloatArray = field(default_factory=lambda: np.zeros((0, 0)))
    reset_at: FloatArray = field(default_factory=lambda: np.zeros((0, 0)))

    def is_down(self, batch: DecisionBatch) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """bool[m], whether the route of each action is eliminated when the decision is made."""
        keys, row = keys_of(batch, self.dimensions)
        at = (np.repeat(row, batch.counts), batch.action_route)
        score, made, reset = (
            self.cells.read(each, keys, batch.routes)[at]
            for each in (self.score, self.made_at, self.reset_at)
        )
        now = np.repeat(_seconds(batch.decided_at), batch.counts)
        below = (made > 0.0) & (score < self.rule.threshold)
        again = (now - made > self.rule.hard_reset_s) | (now - reset > self.rule.soft_reset_s)
        return np.asarray(below & ~again, np.bool_)

    def add(self, outcomes: Outcomes) -> None:
        """Move the scores by outcomes, oldest first."""
        row, column = self.cells.add(outcomes.keys, outcomes.routes)
        for name in ("score", "made_at", "reset_at"):
            setattr(self, name, self.cells.grown(getattr(self, name)))
        cell = row[outcomes.segment] * len(self.cells.routes) + column[outcomes.route]
        order = np.argsort(cell, kind="stable")
        cells, starts = np.unique(cell[order], return_index=True)
        now = _seconds(outcomes.decided_at)
        for place, rows in zip(cells.tolist(), np.split(order, starts[1:]), strict=True):
            self._move(divmod(place, len(self.cells.routes)), now[rows], outcomes.reward[rows])

    def _move(self, at: tuple[int, int], now: FloatArray, rewards: FloatArray) -> None:
        """Move one score, in stretches between its resets."""
        rule = self.rule
        score, made, reset = self.score[at], self.made_at[at], self.reset_at[at]
        done = 0
        while done < len(now):
            if made == 0.0 or now[done] - made > rule.hard_reset_s:
                score, made, reset = 1.0, now[done], now[done]
            elif score < rule.threshold and now[done] - reset > rule.soft_reset_s:
                score, reset = rule.after_soft_reset, now[done]
            end = int(np.searchsorted(now, made + rule.hard_reset_s, side="right"))
            end = max(end, done + 1)
            after = rule.scores(score, rewards[done:end])
            due = (after[:-1] < rule.threshold) & (now[done + 1 : end] - reset > rule.soft_reset_s)
            length = int(np.argmax(due)) + 1 if due.any() else end - done
            score = after[length - 1]
            done += length
        self.score[at], self.made_at[at], self.reset_at[at] = score, made, reset

    def records(self) -> tuple[ScoreRecord, ...]:
        """All scores there are."""
        return tuple(
            ScoreRecord(
                key,
                route,
                float(self.score[row, column]),
                float(self.made_at[row, column]),
                float(self.reset_at[row, column]),
            )
            for key, row in self.cells.segments.items()
            for route, column in self.cells.routes.items()
            if self.made_at[row, column] > 0.0
        )

    def restore(self, records: Sequence[ScoreRecord]) -> None:
        """Take up the scores that :meth:`records` gave.

        Raises
        ------
        UserError
            If one does not fit the dimensions, or is impossible.
        """
        keys: list[Key] = []
        for record in records:
            if len(record.values) != len(self.dimensions):
                raise UserError(
                    f"a score of route {record.route!r} has {len(record.values)} values; expected "
                    f"one for each of {', '.join(self.dimensions) or 'no dimension'}"
                )
            times = (record.made_at, record.reset_at)
            if not 0.0 <= record.score <= 1.0 or not all(0.0 < t < math.inf for t in times):
                raise UserError(
                    f"route {record.route!r} has the score {record.score:g}, made at "
                    f"{record.made_at:g} and reset at {record.reset_at:g}; expected a score from 0 "
                    "to 1 and seconds since 1970"
                )
            keys.append(record.values)
        rows, columns = self.cells.add(keys, [record.route for record in records])
        for name in ("score", "made_at", "reset_at"):
            array = self.cells.grown(np.zeros((0, 0)))
            array[rows, columns] = [getattr(record, name) for record in records]
            setattr(self, name, array)


def _seconds(time: np.ndarray[tuple[int], np.dtype[np.datetime64]]) -> FloatArray:
    """float64, seconds since 1970 (microseconds survive until the year 2200 and longer)."""
    return np.asarray(time.astype("M8[us]").astype(np.int64) / 1e6)
