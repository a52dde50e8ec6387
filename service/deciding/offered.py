"""The actions that a decision is offered: the merchant's own, or those that the caller names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from typing import Any

import numpy as np

from authopt.actions import STOP_ROUTE
from authopt.batch import Categorical, CodeArray, IntArray
from service.api.action_features import check_features
from service.api.forms import RemovedAction, RequestedAction
from service.api.problems import FieldError, Problem
from service.live.serving import Serving

TAKEN_DOWN = "the route was taken down"


@dataclass(frozen=True, slots=True, eq=False)
class Offered:
    """The actions of one decision, before the rules.

    Attributes
    ----------
    vocabulary
        the names of the routes.
    codes
        int32[m], index into ``vocabulary``.
    delay_s
        int64[m], seconds.
    ends
        int64[2], 0 and m.
    features
        of each action; None where no action has any.
    down
        actions that are not offered, as their routes were taken down.
    """

    vocabulary: tuple[str, ...]
    codes: CodeArray
    delay_s: IntArray
    ends: IntArray
    features: tuple[Mapping[str, Any], ...] | None
    down: tuple[RemovedAction, ...]


def offered_by(
    serving: Serving, actions: Sequence[RequestedAction] | None, is_retry: bool
) -> Offered:
    """What is offered at this moment.

    Actions of routes that are down are left out. Where that leaves nothing, ``stop`` is offered, as
    it is where the rules leave nothing: an order to send nothing anywhere is obeyed.

    Parameters
    ----------
    serving
        the merchant's state.
    actions
        those that the caller names; None: every route after every delay, and for a retry ``stop``.
    is_retry
        whether the payment has been attempted before.

    Raises
    ------
    Problem
        422 if an action is unsound.
    """
    if actions is None:
        return _merchants_own(serving.routes, serving.delays, serving.down, is_retry)
    _check(serving, actions)
    features = tuple(action.features for action in actions) if _any_features(actions) else None
    return _made(
        [action.route for action in actions],
        [action.delay_s for action in actions],
        features,
        serving.down,
    )


@lru_cache(maxsize=1 << 10)
def _merchants_own(
    routes: tuple[str, ...], delays: tuple[int, ...], down: frozenset[str], is_retry: bool
) -> Offered:
    names = [route for route in routes for _ in delays]
    waits = [delay for _ in routes for delay in delays]
    return (
        _made([*names, STOP_ROUTE], [*waits, 0], None, down)
        if is_retry
        else (_made(names, waits, None, down))
    )


def _made(
    names: list[str],
    delays: list[int],
    features: tuple[Mapping[str, Any], ...] | None,
    down: frozenset[str],
) -> Offered:
    removed: tuple[RemovedAction, ...] = ()
    if down and not down.isdisjoint(names):
        removed = tuple(
            RemovedAction(name, delay, TAKEN_DOWN)
            for name, delay in zip(names, delays, strict=True)
            if name in down
        )
        up = [at for at, name in enumerate(names) if name not in down]
        features = tuple(features[at] for at in up) if features is not None and up else None
        names = [names[at] for at in up] or [STOP_ROUTE]
        delays = [delays[at] for at in up] or [0]
    routes = Categorical.from_values(names)
    delay_s = np.array(delays, np.int64)
    ends = np.array([0, len(names)], np.int64)
    # Shared by all decisions that are offered the same.
    for each in (routes.codes, delay_s, ends):
        each.flags.writeable = False
    return Offered(routes.categories, routes.codes, delay_s, ends, features, removed)


def _any_features(actions: Sequence[RequestedAction]) -> bool:
    return any(action.features for action in actions)


def _check(serving: Serving, actions: Sequence[RequestedAction]) -> None:
    seen: set[tuple[str, int]] = set()
    for at, action in enumerate(actions):
        field = f"actions[{at}]"
        if action.route == STOP_ROUTE:
            if action.delay_s:
                raise _refused(f"{field}.delay_s", "the action stop has no delay")
        elif action.route not in serving.routes:
            raise _refused(
                f"{field}.route", f"expected one of {', '.join((*serving.routes, STOP_ROUTE))}"
            )
        if (action.route, action.delay_s) in seen:
            raise _refused(field, "stands more than once in the list")
        seen.add((action.route, action.delay_s))
    if _any_features(actions):
        check_features(actions)


def _refused(field: str, message: str) -> Problem:
    return Problem(
        HTTPStatus.UNPROCESSABLE_ENTITY, f"{field}: {message}", FieldError(field, message)
    )
