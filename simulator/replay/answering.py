"""Who says what comes of an action that the log did not take: a fitted model, a world, nobody."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

import numpy as np

from authopt.batch import (
    BoolArray,
    Categorical,
    Column,
    DecisionBatch,
    FloatArray,
    IntArray,
    LoggedBatch,
)
from authopt.hashing import hash_strings, salted, unit_interval
from authopt.learning.reward_model import RewardModel, fit_reward_model
from simulator.protocol import World
from simulator.replay.columns import rows_or_missing
from simulator.replay.donors import APPROVALS, DECLINES, Donors, donors_among
from simulator.replay.following import following_like
from simulator.replay.logged_payments import LoggedPayments, sent_at

OF_ANOTHER_ATTEMPT = ("response_code", "advice_code", "latency_ms")
"""Outcome columns that a modelled outcome takes from a logged one; the others stay unknown."""


class Source(IntEnum):
    """Where an outcome is from."""

    LOG = 0
    MODEL = 1
    WORLD = 2
    GIVEN_UP = 3
    UNKNOWN = 4
    NOT_FOLLOWED = 5

    @property
    def meaning(self) -> str:
        """As tables call it."""
        return _MEANINGS[self]


_MEANINGS = {
    Source.LOG: "the log",
    Source.MODEL: "the model",
    Source.WORLD: "the world",
    Source.GIVEN_UP: "nothing: given up",
    Source.UNKNOWN: "unknown in the log",
    Source.NOT_FOLLOWED: "nobody: not the log's action",
}


class Answering(Protocol):
    """Answers where the log cannot."""

    @property
    def source(self) -> Source:
        """Where its outcomes are from."""

    def outcomes(
        self, batch: LoggedBatch, row: IntArray, on_course: BoolArray
    ) -> tuple[dict[str, Column], IntArray]:
        """What comes of k attempts that the log did not make.

        Parameters
        ----------
        batch
            k decisions with the log's ids, and the action taken; none of them ``stop``.
        row
            int64[k], the row of the log for the same attempt of the same payment; -1 where none.
        on_course
            bool[k], the decision point is that very row.

        Returns
        -------
        Outcome columns of length k, and whatever :meth:`following` has to know of each.
        """

    def following(self, batch: LoggedBatch, told: IntArray) -> DecisionBatch:
        """The decision points after declines of attempts with their outcomes, of those that go on.

        ``told`` is what :meth:`outcomes` said beside the outcomes.
        """


@dataclass(frozen=True, slots=True, eq=False)
class ByNobody:
    """What the log does not say stays unknown, and the payment is followed no further."""

    source: Source = Source.NOT_FOLLOWED

    def outcomes(
        self, batch: LoggedBatch, row: IntArray, on_course: BoolArray
    ) -> tuple[dict[str, Column], IntArray]:
        """Nothing is known."""
        return {"approved": np.full(batch.n, np.nan)}, np.full(batch.n, -1, np.int64)

    def following(self, batch: LoggedBatch, told: IntArray) -> DecisionBatch:
        """Nothing follows."""
        return batch.decisions().take(slice(0, 0))


@dataclass(frozen=True, slots=True, eq=False)
class ByWorld:
    """A world with known truth; the log has to be one of that world."""

    world: World
    seed: int
    source: Source = Source.WORLD

    def outcomes(
        self, batch: LoggedBatch, row: IntArray, on_course: BoolArray
    ) -> tuple[dict[str, Column], IntArray]:
        """As the world has it, by the ids of the decisions."""
        found = self.world.with_outcome(batch, self.seed)
        return dict(found.outcome), np.full(batch.n, -1, np.int64)

    def following(self, batch: LoggedBatch, told: IntArray) -> DecisionBatch:
        """As the world has it."""
        return self.world.following(batch, self.seed)


@dataclass(frozen=True, slots=True, eq=False)
class ByModel:
    """A reward model fitted to the log: an approval with the chance that it gives the action.

    The model that answers for a payment never saw it (cross-fitted). Codes, time taken and the way
    on are those of a like attempt of the log (``simulator.replay.donors``); where the log has a
    decline of the same attempt of the same payment, of that one.

    Attributes
    ----------
    log
        what is replayed.
    model
        gives the chances of approval.
    declines, approvals
        where codes, time taken and the way on are from.
    seed
        of the draws.
    ahead
        float64[m], the chance of every action of the log, or None: a model that is asked for one
        decision after the other costs more than one that is asked for all of them at once.
    """

    log: LoggedPayments
    model: RewardModel
    declines: Donors
    approvals: Donors
    seed: int
    ahead: FloatArray | None = None
    source: Source = Source.MODEL

    def outcomes(
        self, batch: LoggedBatch, row: IntArray, on_course: BoolArray
    ) -> tuple[dict[str, Column], IntArray]:
        """Drawn by decision id and seed, so that a replay can be repeated."""
        chance = self._chance(batch, row, on_course)
        approved = self._uniform(batch, "outcome") < chance
        like = self._uniform(batch, "like")
        donor = np.where(
            approved, self.approvals.draw(batch, like), self.declines.draw(batch, like)
        )
        own = (row >= 0) & self.log.declined[np.maximum(row, 0)]
        donor = np.where(own & ~approved, row, donor)
        log = self.log.batch
        columns = {
            name: rows_or_missing(column, donor if name in OF_ANOTHER_ATTEMPT else _none(batch))
            for name, column in log.outcome.items()
        }
        columns["approved"] = approved.astype(np.float64)
        columns["outcome_at"] = sent_at(batch) + self._wait(donor)
        return columns, donor

    def following(self, batch: LoggedBatch, told: IntArray) -> DecisionBatch:
        """The payments go on where, and as, those of the donors did."""
        return following_like(self.log, batch, told)

    def _chance(self, batch: LoggedBatch, row: IntArray, on_course: BoolArray) -> FloatArray:
        if self.ahead is None:
            return self.model.predict_chosen(batch)
        at = self._logged_actions(batch, np.where(on_course, row, -1))
        chance = self.ahead[at]
        live = np.flatnonzero(at < 0)
        if len(live):
            chance[live] = self.model.predict_chosen(batch.take(live))
        return chance

    def _logged_actions(self, batch: LoggedBatch, row: IntArray) -> IntArray:
        """int64[k], where the action taken stands among the log's; -1 where there is no row."""
        log = self.log.batch
        known = np.flatnonzero(row >= 0)
        found = np.full(batch.n, -1, np.int64)
        taken = batch.chosen_action[known]
        route = Categorical(batch.action_route[taken], batch.routes).recode(log.routes)
        begin, counts = log.offsets[row[known]], log.counts[row[known]]
        owner = np.repeat(np.arange(len(known)), counts)
        at = np.arange(counts.sum()) + np.repeat(begin - np.cumsum(counts) + counts, counts)
        same = log.action_route[at] == route[owner]
        same &= log.action_delay_s[at] == batch.action_delay_s[taken][owner]
        found[known[owner[same]]] = at[same]
        return found

    def _uniform(self, batch: DecisionBatch, purpose: str) -> FloatArray:
        hashes = hash_strings(batch.decision_id)
        return unit_interval(salted(hashes, f"replay {purpose}:{self.seed}"))

    def _wait(self, donor: IntArray) -> np.ndarray:
        """timedelta64[us][k], from sending an attempt to knowing its outcome; 0 if not known."""
        known = self.log.batch.outcome.get("outcome_at")
        at = np.maximum(donor, 0)
        if not isinstance(known, np.ndarray):
            return np.zeros(len(donor), "m8[us]")
        wait = (known.astype("M8[us]") - self.log.sent_at)[at]
        usual = (donor >= 0) & ~np.isnat(wait) & (wait >= np.timedelta64(0, "us"))
        return np.where(usual, wait, np.timedelta64(0, "us"))


def fitted_to(log: LoggedPayments, seed: int, *, ahead: bool = False) -> ByModel:
    """Fit the model that answers for what the log did not do.

    Parameters
    ----------
    log
        what is replayed.
    seed
        of the draws.
    ahead
        whether to ask the model for all of the log's actions now, for replays in small steps.
    """
    approved = log.batch.reward == 1
    model = fit_reward_model([log.batch], bounds=(0.0, 1.0))
    return ByModel(
        log=log,
        model=model,
        declines=donors_among(log.batch, log.declined, DECLINES),
        approvals=donors_among(log.batch, approved, APPROVALS),
        seed=seed,
        ahead=model.predict(log.batch) if ahead else None,
    )


def _none(batch: LoggedBatch) -> IntArray:
    return np.full(batch.n, -1, np.int64)
