"""From a checked request to a decision and the answer that says it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus

import numpy as np
import pyarrow as pa

from authopt.actions import STOP, STOP_ROUTE, Action
from authopt.batch import Categorical, DecisionBatch
from authopt.decision import Decided, decide_by_priority, decide_safely
from authopt.rules import Rules
from service.active_policy import NOT_LOADED, ActivePolicy
from service.api.action_features import feature_columns
from service.api.context import context_columns
from service.api.forms import (
    ChosenAction,
    DecisionAnswer,
    DecisionRequest,
    EligibleAction,
    PolicyName,
    RemovedAction,
    RequestedAction,
)
from service.api.moments import in_utc
from service.api.problems import FieldError, Problem


@dataclass(frozen=True, slots=True)
class Decider:
    """Answers one request at a time, with the policy or, where it fails, the static priority.

    Attributes
    ----------
    active
        the policy.
    routes
        the merchant's routes, best first.
    delays
        seconds.
    rules
        what the networks and the merchant allow; whatever decides, it decides among that.
    """

    active: ActivePolicy
    routes: tuple[str, ...]
    delays: tuple[int, ...]
    rules: Rules

    def answer(self, request: DecisionRequest, decision_id: str) -> DecisionAnswer:
        """Decide.

        Raises
        ------
        Problem
            422 if the context or the actions are unsound.
        """
        batch, decided_at = self._batch(request, decision_id)
        if self.active.policy is None:
            decided = decide_by_priority(batch, self.routes, NOT_LOADED, rules=self.rules)
        else:
            decided = decide_safely(batch, self.active.policy, self.routes, rules=self.rules)
        return self._told(request, decision_id, decided_at, decided)

    def answer_by_priority(
        self, request: DecisionRequest, decision_id: str, why: str
    ) -> DecisionAnswer:
        """Decide without the policy, by the static priority, with ``why`` as the reason.

        Raises
        ------
        Problem
            422 if the context or the actions are unsound.
        """
        batch, decided_at = self._batch(request, decision_id)
        decided = decide_by_priority(batch, self.routes, why, rules=self.rules)
        return self._told(request, decision_id, decided_at, decided)

    def _batch(self, request: DecisionRequest, decision_id: str) -> tuple[DecisionBatch, datetime]:
        moment = request.decided_at
        decided_at = datetime.now(UTC) if moment is None else in_utc("decided_at", moment)
        actions = self._actions(request)
        routes = Categorical.from_values(action.route for action in actions)
        batch = DecisionBatch(
            decision_id=pa.array([decision_id], pa.string()),
            payment_id=pa.array([request.payment_id], pa.string()),
            attempt=np.array([request.attempt], np.int32),
            decided_at=np.array([decided_at.replace(tzinfo=None)], "datetime64[us]"),
            context=context_columns(request.context),
            routes=routes.categories,
            action_route=routes.codes,
            action_delay_s=np.array([action.delay_s for action in actions], np.int64),
            offsets=np.array([0, len(actions)], np.int64),
            action_features=feature_columns(request.actions) if request.actions else {},
        )
        return batch, decided_at

    def _actions(self, request: DecisionRequest) -> Sequence[Action | RequestedAction]:
        if request.actions is None:
            offered = [Action(route, delay) for route in self.routes for delay in self.delays]
            return [*offered, STOP] if request.attempt > 1 else offered
        seen: set[tuple[str, int]] = set()
        for at, action in enumerate(request.actions):
            field = f"actions[{at}]"
            if action.route == STOP_ROUTE:
                if action.delay_s:
                    raise _refused(f"{field}.delay_s", "the action stop has no delay")
            elif action.route not in self.routes:
                raise _refused(
                    f"{field}.route", f"expected one of {', '.join((*self.routes, STOP_ROUTE))}"
                )
            if (action.route, action.delay_s) in seen:
                raise _refused(field, "stands more than once in the list")
            seen.add((action.route, action.delay_s))
        return request.actions

    def _told(
        self, request: DecisionRequest, decision_id: str, decided_at: datetime, decided: Decided
    ) -> DecisionAnswer:
        batch = decided.batch
        eligible: list[EligibleAction] = []
        removed: list[RemovedAction] = []
        for route_code, delay_s, keep, probability, reason in zip(
            batch.action_route.tolist(),
            batch.action_delay_s.tolist(),
            decided.keep.tolist(),
            decided.probability.tolist(),
            decided.reason.tolist(),
            strict=True,
        ):
            route = batch.routes[route_code]
            if keep:
                eligible.append(EligibleAction(route, delay_s, probability))
            else:
                removed.append(RemovedAction(route, delay_s, decided.reasons[reason]))
        chosen = int(decided.chosen_action[0])
        return DecisionAnswer(
            decision_id=decision_id,
            payment_id=request.payment_id,
            attempt=request.attempt,
            action=ChosenAction(
                batch.routes[batch.action_route[chosen]], int(batch.action_delay_s[chosen])
            ),
            propensity=float(decided.propensity[0]),
            policy=PolicyName(self.active.name, self.active.sha256),
            fallback=decided.fallback,
            actions=eligible,
            removed=removed,
            decided_at=decided_at,
        )


def _refused(field: str, message: str) -> Problem:
    return Problem(
        HTTPStatus.UNPROCESSABLE_ENTITY, f"{field}: {message}", FieldError(field, message)
    )
