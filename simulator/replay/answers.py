"""The service's answers, as logged decisions."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from authopt.actions import STOP_ROUTE
from authopt.batch import Categorical, DecisionBatch, LoggedBatch
from simulator.replay.columns import rows_or_missing


class Action(msgspec.Struct, frozen=True):
    """An action that was eligible, with its probability; 0 for the one that is merely named."""

    route: str
    delay_s: int
    probability: float = 0.0


class Policy(msgspec.Struct, frozen=True):
    """Which policy answered."""

    name: str


class Answer(msgspec.Struct, frozen=True):
    """What a replay reads of the answer of ``POST /v1/decisions``."""

    action: Action
    propensity: float
    actions: list[Action]
    policy: Policy
    fallback: str | None = None
    recorded: bool = True


def with_answers(points: DecisionBatch, answers: Sequence[Answer]) -> LoggedBatch:
    """Decision points with what the service decided: its eligible actions, its propensities.

    Parameters
    ----------
    points
        k decision points as they were asked.
    answers
        k answers to them. An action that was not asked for (``stop``, where the service's rules
        leave nothing else) has no features.
    """
    routes = tuple(dict.fromkeys([*points.routes, STOP_ROUTE, *_routes(answers)]))
    code = {route: place for place, route in enumerate(routes)}
    given = [each for answer in answers for each in answer.actions]
    counts = [len(answer.actions) for answer in answers]
    asked_at = _places(points)
    rows = np.array(
        [
            asked_at.get((row, each.route, each.delay_s), -1)
            for row, answer in enumerate(answers)
            for each in answer.actions
        ],
        np.int64,
    )
    return LoggedBatch(
        decision_id=points.decision_id,
        payment_id=points.payment_id,
        attempt=points.attempt,
        decided_at=points.decided_at,
        context=points.context,
        routes=routes,
        action_route=np.array([code[each.route] for each in given], np.int32),
        action_delay_s=np.array([each.delay_s for each in given], np.int64),
        offsets=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        action_features={
            name: rows_or_missing(column, rows) for name, column in points.action_features.items()
        },
        chosen=np.array([_chosen(answer) for answer in answers], np.int64),
        propensity=np.array([answer.propensity for answer in answers]),
        probability=np.array([each.probability for each in given]),
        reward=np.full(points.n, np.nan),
    )


def is_sound(answer: Answer) -> bool:
    """Whether the action taken is among the eligible ones."""
    taken = (answer.action.route, answer.action.delay_s)
    return any((each.route, each.delay_s) == taken for each in answer.actions)


def _routes(answers: Sequence[Answer]) -> list[str]:
    return [each.route for answer in answers for each in answer.actions]


def _places(points: DecisionBatch) -> dict[tuple[int, str, int], int]:
    """Where an action of a decision stands in the arrays of length m."""
    columns = (points.decision_of_action, points.action_route, points.action_delay_s)
    names = Categorical(points.action_route, points.routes)
    return {
        (row, names.categories[route], delay): at
        for at, (row, route, delay) in enumerate(
            zip(*(column.tolist() for column in columns), strict=True)
        )
    }


def _chosen(answer: Answer) -> int:
    taken = (answer.action.route, answer.action.delay_s)
    return [(each.route, each.delay_s) for each in answer.actions].index(taken)
