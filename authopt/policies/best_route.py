"""The best single route: one order of the routes for all payments, by what each got approved."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np

from authopt.actions import STOP_ROUTE
from authopt.batch import BoolArray, DecisionBatch, FloatArray
from authopt.errors import UserError
from authopt.policies.family import EPSILON, Family
from authopt.policies.state_file import read_state, write_state

STRENGTH = 20.0
"""Attempts' worth of the mean over all routes that every route's own rate is mixed with."""

MADE_BY = "authopt train LOG --policy best-route --out best.json"


class RouteRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a route did: its attempts with a known outcome, and the sum of their rewards."""

    route: str
    attempts: int
    reward: float


class BestRouteFile(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="policy", tag="best-route"
):
    """The file of a fitted :class:`BestRoute`."""

    routes: tuple[RouteRecord, ...]
    strength: float = STRENGTH
    version: Literal[1] = 1


@dataclass(frozen=True, slots=True)
class BestRoute:
    """The eligible route of the highest shrunken rate, at its shortest delay; ``stop`` comes last.

    The rate of a route is the mean reward of its attempts, shrunken towards that of all attempts as
    if it had ``strength`` more of them there: a route with few attempts wins by no stroke of luck,
    and one never seen counts as average. Routes of equal rate share the probability; so before
    anything is known, all routes do.

    Attributes
    ----------
    records
        attempts and rewards by route.
    strength
        attempts' worth of the shrinkage, above 0.
    """

    records: Mapping[str, RouteRecord] = field(default_factory=dict)
    strength: float = STRENGTH
    name: str = "best-route"

    def __post_init__(self) -> None:
        if not 0.0 < self.strength < math.inf:
            raise UserError(f"the strength of best-route is {self.strength:g}; expected above 0")

    @property
    def mean(self) -> float:
        """Mean reward of all attempts; 0 where there are none."""
        attempts = sum(record.attempts for record in self.records.values())
        total = math.fsum(record.reward for record in self.records.values())
        return total / attempts if attempts else 0.0

    def rates(self) -> dict[str, float]:
        """Shrunken rates by route, best first; equal ones by name."""
        mean = self.mean
        rates = {
            record.route: (record.reward + self.strength * mean) / (record.attempts + self.strength)
            for record in self.records.values()
        }
        return dict(sorted(rates.items(), key=lambda item: (-item[1], item[0])))

    def probabilities(self, batch: DecisionBatch) -> FloatArray:
        """float64[m], 1 on one action of each decision, shared where routes are equally good."""
        rates, mean = self.rates(), self.mean
        scores = [
            -math.inf if route == STOP_ROUTE else rates.get(route, mean) for route in batch.routes
        ]
        return best_of_each(batch, np.array(scores)[batch.action_route])

    def save(self, path: Path) -> None:
        """Write the file that :meth:`load` reads."""
        records = tuple(self.records[route] for route in sorted(self.records))
        write_state(path, BestRouteFile(records, self.strength))

    @classmethod
    def load(cls, path: Path) -> BestRoute:
        """Read a fitted policy.

        Raises
        ------
        UserError
            If the file is missing or holds something else.
        """
        state = read_state(path, BestRouteFile, "a fitted best-route policy", MADE_BY)
        for record in state.routes:
            if record.attempts < 0 or not math.isfinite(record.reward):
                raise UserError(
                    f"{path}: route {record.route!r} has {record.attempts} attempts with rewards "
                    f"of {record.reward:g}; expected a count and a finite sum"
                )
        return cls({record.route: record for record in state.routes}, state.strength)


def best_of_each(batch: DecisionBatch, score: FloatArray) -> FloatArray:
    """The best action of each decision, as probabilities.

    Every route stands with its shortest delay; routes of equal score share the probability.

    Parameters
    ----------
    batch
        n decisions with m actions.
    score
        float64[m], the same for all delays of a route; higher is better, not NaN.

    Returns
    -------
    float64[m]
    """
    stands = is_shortest_delay(batch)
    score = np.where(stands, score, -np.inf)
    best = np.repeat(np.maximum.reduceat(score, batch.offsets[:-1]), batch.counts)
    shares = ((score == best) & stands).astype(np.float64)
    return np.asarray(shares / np.repeat(batch.sum_by_decision(shares), batch.counts))


def is_shortest_delay(batch: DecisionBatch) -> BoolArray:
    """bool[m], whether no other action of the decision has the same route and a shorter delay."""
    pair = batch.decision_of_action * np.int64(len(batch.routes)) + batch.action_route
    order = np.lexsort((batch.action_delay_s, pair))
    first = np.ones(batch.m, np.bool_)
    first[1:] = np.diff(pair[order]) != 0
    shortest = np.zeros(batch.m, np.bool_)
    shortest[order[first]] = True
    return shortest


FAMILY = Family(
    "best-route[:FILE.json][,epsilon=0.05]",
    lambda file, options: BestRoute() if file is None else BestRoute.load(file),
    (EPSILON,),
    takes_file=True,
)
