"""The course of every payment of a replay: what comes back, and which decision point follows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from authopt.batch import (
    BoolArray,
    Categorical,
    Column,
    DecisionBatch,
    IntArray,
    LoggedBatch,
    concat,
)
from simulator.replay.answering import Answering, Source
from simulator.replay.columns import replaced, rows_or_missing
from simulator.replay.logged_payments import LoggedPayments

SourceArray: TypeAlias = npt.NDArray[np.int8]
"""int8[k] of :class:`Source`."""


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """What came of k decisions.

    Attributes
    ----------
    batch
        the decisions with their outcomes; reward = approved, NaN where it is not known.
    source
        int8[k], where each outcome is from (:class:`Source`).
    matched
        bool[k], the action is the one that the log took at this very decision point.
    following
        the decision points that follow, at most one for each.
    """

    batch: LoggedBatch
    source: SourceArray
    matched: BoolArray
    following: DecisionBatch


@dataclass(slots=True, eq=False)
class Course:
    """Payments on their way; one thread may use it at a time.

    A payment is on the log's course as long as every action taken is the log's: its decision points
    are then rows of the log, and its outcomes the log's. From the first action on that is another
    one, ``answering`` says what comes of it and what follows.

    Attributes
    ----------
    log
        what is replayed.
    answering
        who says what the log does not.
    payments
        how many of the log's payments are followed, the earliest ones.
    """

    log: LoggedPayments
    answering: Answering
    payments: int
    _row: IntArray = field(init=False)
    _on_course: BoolArray = field(init=False)

    def __post_init__(self) -> None:
        self.payments = min(self.payments, self.log.payments)
        self._row = self.log.start[: self.payments].copy()
        self._on_course = np.ones(self.payments, np.bool_)

    def start(self) -> DecisionBatch:
        """The first decision point of every payment, by time."""
        return self.log.batch.decisions().take(self._row)

    def logged_rows(self, batch: DecisionBatch) -> IntArray:
        """int64[k], the row of the log that an open decision point is; -1 off the log's course."""
        place = self._places(batch)
        return np.where(self._on_course[place], self._row[place], -1)

    def step(self, decided: LoggedBatch) -> Step:
        """What comes of decisions at the open decision points of k payments.

        Parameters
        ----------
        decided
            decisions with the log's ids, and the action taken.
        """
        place = self._places(decided)
        row, on_course = self._row[place], self._on_course[place]
        matched = on_course & self._same_action(decided, np.maximum(row, 0))
        stopped = decided.is_stop[decided.chosen_action]
        outcome: dict[str, Column] = {
            name: rows_or_missing(column, np.where(matched, row, -1))
            for name, column in self.log.batch.outcome.items()
        }
        source: SourceArray = np.full(decided.n, Source.LOG, np.int8)
        asked = np.flatnonzero(~matched & ~stopped)
        told = np.zeros(0, np.int64)
        if len(asked):
            answers, told = self.answering.outcomes(
                decided.take(asked), row[asked], on_course[asked]
            )
            for name, column in answers.items():
                if name in outcome:
                    outcome[name] = replaced(outcome[name], asked, column)
            source[asked] = self.answering.source
        source[matched & np.isnan(np.asarray(outcome["approved"]))] = Source.UNKNOWN
        given_up = stopped & (~matched | (source == Source.UNKNOWN))
        outcome = self._with_given_up(outcome, decided, given_up)
        source[given_up] = Source.GIVEN_UP
        batch = replace(decided, outcome=outcome, reward=np.asarray(outcome["approved"]))
        following = self._following(batch, place, matched, asked, told)
        return Step(batch, source, matched, following)

    def _following(
        self,
        batch: LoggedBatch,
        place: IntArray,
        matched: BoolArray,
        asked: IntArray,
        told: IntArray,
    ) -> DecisionBatch:
        next_row = self.log.next_row(self._row[place])
        same_attempt = self.log.batch.attempt[np.maximum(next_row, 0)] == batch.attempt + 1
        self._row[place] = np.where(matched | same_attempt, next_row, -1)
        self._on_course[place] &= matched
        parts = [self.log.batch.decisions().take(next_row[matched & (next_row >= 0)])]
        declined = asked[batch.reward[asked] == 0]
        if len(declined):
            those = told[batch.reward[asked] == 0]
            own_way = self.answering.following(batch.take(declined), those)
            parts.append(self._as_in_log(own_way))
        parts = [part for part in parts if part.n] or parts[:1]
        return concat(parts) if len(parts) > 1 else parts[0]

    def _same_action(self, decided: LoggedBatch, row: IntArray) -> BoolArray:
        log = self.log.batch
        logged = log.chosen_action[row]
        taken = decided.chosen_action
        route = Categorical(decided.action_route, decided.routes).recode(log.routes)[taken]
        same_delay = decided.action_delay_s[taken] == log.action_delay_s[logged]
        return np.asarray((route == log.action_route[logged]) & same_delay)

    def _with_given_up(
        self, outcome: Mapping[str, Column], decided: LoggedBatch, given_up: BoolArray
    ) -> dict[str, Column]:
        """Giving up is known at once to bring nothing."""
        rows = np.flatnonzero(given_up)
        if not len(rows):
            return dict(outcome)
        nothing: dict[str, Column] = {
            "approved": np.zeros(len(rows)),
            "fee_minor": np.zeros(len(rows)),
            "outcome_at": decided.decided_at[rows],
        }
        return {
            name: replaced(column, rows, nothing[name]) if name in nothing else column
            for name, column in outcome.items()
        }

    def _as_in_log(self, batch: DecisionBatch) -> DecisionBatch:
        """The same columns as the log has; what the batch lacks is missing."""
        log = self.log.batch
        nothing = np.full(max(batch.n, batch.m), -1, np.int64)
        context = {
            name: batch.context.get(name, rows_or_missing(column, nothing[: batch.n]))
            for name, column in log.context.items()
        }
        features = {
            name: batch.action_features.get(name, rows_or_missing(column, nothing[: batch.m]))
            for name, column in log.action_features.items()
        }
        return replace(batch, context=context, action_features=features)

    def _places(self, batch: DecisionBatch) -> IntArray:
        place = self.log.place_of_payment
        return np.array([place[name] for name in batch.payment_id.to_pylist()], np.int64)
