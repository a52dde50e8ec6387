"""The client: asks for decisions and tells outcomes, and never costs a payment."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any
from urllib.parse import quote

from service.client.decision import ClientError, Decision, Refused, Unavailable
from service.client.later import Later
from service.client.transport import Transport

_log = logging.getLogger(__name__)

STOP = "stop"
LOCAL = "~local"
"""What the ids of decisions end with that the client made."""

Allowed = Callable[[str, Mapping[str, Any]], bool]


class Client:
    """Asks one service, from any number of threads.

    Where the service does not answer in time, or refuses, :meth:`decide` takes the first route of
    ``fallback``, says so (``Decision.local``), and reports it later. Such a decision has an id of
    its own (it ends with ``~local``): the service may have made and recorded the one that was asked
    for, which then stays without an outcome.

    Parameters
    ----------
    url
        of the service, such as ``https://authopt.internal:8000``.
    key
        API key; None where the service asks for none.
    timeout_s
        longest time of a call, over all tries; but for the look-up of the host's name, which
        Python cannot limit.
    retries
        further tries after lost connections and answers 429, 502, 503 and 504. What is sent can
        always be sent again: every decision has an id.
    fallback
        your routes, best first; without any, :meth:`decide` raises instead.
    allowed
        whether a route of ``fallback`` may be used, given the request; by default each may.
    report_every_s
        seconds between two tries to send what could not be sent.
    """

    def __init__(
        self,
        url: str,
        key: str | None = None,
        *,
        timeout_s: float = 0.25,
        retries: int = 2,
        fallback: Sequence[str] = (),
        allowed: Allowed | None = None,
        report_every_s: float = 2.0,
    ) -> None:
        self._transport = Transport(url, key, retries)
        self._timeout_s = timeout_s
        # For what nobody waits for: reports from the thread.
        self._patient_s = max(5.0, timeout_s)
        self._fallback = tuple(fallback)
        self._allowed = allowed
        self._later = Later(every_s=report_every_s)

    def decide(
        self,
        payment_id: str,
        attempt: int = 1,
        context: Mapping[str, Any] | None = None,
        *,
        decision_id: str | None = None,
        actions: Sequence[Mapping[str, Any]] | None = None,
        decided_at: datetime | None = None,
    ) -> Decision:
        """Which route to try, and when.

        Raises
        ------
        Unavailable, Refused
            If the service did not answer, and there is no route to fall back on.
        """
        asked = _asked(payment_id, attempt, context, decision_id, actions, decided_at)
        try:
            return Decision.of_answer(self._transport.post("/v1/decisions", asked, self._timeout_s))
        except ClientError as error:
            return self._decide_here(asked, error)

    def decide_batch(self, requests: Sequence[Mapping[str, Any]]) -> list[Decision]:
        """Decisions for up to 1,000 requests, in their order, each as in :meth:`decide`.

        Parameters
        ----------
        requests
            bodies as the service takes them (``payment_id``, ``attempt``, ``context``, ...).

        Raises
        ------
        Unavailable, Refused
            If one has no answer, and there is no route to fall back on.
        """
        asked = [{"decision_id": str(uuid.uuid4()), **request} for request in requests]
        try:
            answer = self._transport.post(
                "/v1/decisions/batch", {"decisions": asked}, self._timeout_s
            )
        except ClientError as error:
            return [self._decide_here(each, error) for each in asked]
        return [
            self._decide_here(each, Refused(item["problem"]["status"], item["problem"]))
            if item.get("decision") is None
            else Decision.of_answer(item["decision"])
            for each, item in zip(asked, answer["items"], strict=True)
        ]

    def outcome(self, decision_id: str, **fields: Any) -> bool:
        """Tell what came of a decision: ``approved``, ``response_code``, ``outcome_at``, ...

        Returns
        -------
        bool
            whether it is on disk; otherwise it is sent again, until it is.

        Raises
        ------
        Refused
            If it is unsound.
        """
        return self._tell("/v1/outcomes", _plain({"decision_id": decision_id, **fields}))

    def outcomes(self, told: Sequence[Mapping[str, Any]]) -> bool:
        """As :meth:`outcome`, for up to 1,000 at once, each with its ``decision_id``."""
        return self._tell("/v1/outcomes/batch", {"outcomes": [_plain(each) for each in told]})

    def rank(
        self,
        payment_id: str,
        attempt: int = 1,
        context: Mapping[str, Any] | None = None,
        *,
        decision_id: str | None = None,
        actions: Sequence[Mapping[str, Any]] | None = None,
        decided_at: datetime | None = None,
    ) -> Mapping[str, Any]:
        """All actions with scores and probabilities, for those who decide themselves.

        Raises
        ------
        Unavailable, Refused
            If the service did not answer.
        """
        asked = _asked(payment_id, attempt, context, decision_id, actions, decided_at)
        answer: Mapping[str, Any] = self._transport.post("/v1/rank", asked, self._timeout_s)
        return answer

    def activate(
        self, decision_id: str, route: str, delay_s: int = 0, propensity: float | None = None
    ) -> bool:
        """Tell what was done after a ranking; returns and raises as :meth:`outcome`."""
        done = {"route": route, "delay_s": delay_s, "propensity": propensity}
        return self._tell(_activation(decision_id), done)

    @property
    def waiting(self) -> int:
        """How many reports wait to be sent."""
        return len(self._later)

    @property
    def given_up(self) -> int:
        """How many reports were refused, or too many to keep."""
        return self._later.given_up

    def flush(self) -> int:
        """Send now what waits; how many reports still do."""
        return self._later.flush()

    def close(self) -> int:
        """Send what waits and end; how many reports are lost."""
        left = self._later.close()
        self._transport.close()
        return left

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _decide_here(self, asked: Mapping[str, Any], error: ClientError) -> Decision:
        """By the merchant's own priority; raises the error where that has no route."""
        action = self._first_allowed(asked)
        if action is None:
            raise error
        route, delay_s = action
        _log.warning("a decision was made here, by priority: %s", error)
        decision_id = f"{asked['decision_id'][: 128 - len(LOCAL)]}{LOCAL}"
        if isinstance(error, Unavailable):
            self._later.add(lambda: self._report({**asked, "decision_id": decision_id}, action))
        return Decision(decision_id, route, delay_s, 1.0, str(error), None, False, {})

    def _first_allowed(self, asked: Mapping[str, Any]) -> tuple[str, int] | None:
        if not self._fallback:
            return None
        offered = asked.get("actions")
        delays: dict[str, int] = {}
        for each in offered or ():
            delay_s = each.get("delay_s", 0)
            delays[each["route"]] = min(delay_s, delays.get(each["route"], delay_s))
        for route in self._fallback:
            if offered is not None and route not in delays:
                continue
            if self._allowed is None or self._allowed(route, asked):
                return route, delays.get(route, 0)
        may_stop = asked["attempt"] > 1 if offered is None else STOP in delays
        return (STOP, 0) if may_stop else None

    def _report(self, asked: Mapping[str, Any], action: tuple[str, int]) -> None:
        """A decision of this side's: as a ranking, of which that was done."""
        route, delay_s = action
        self._transport.post("/v1/rank", asked, self._patient_s)
        done = {"route": route, "delay_s": delay_s, "propensity": 1.0}
        self._transport.post(_activation(asked["decision_id"]), done, self._patient_s)

    def _tell(self, path: str, body: Mapping[str, Any]) -> bool:
        try:
            self._transport.post(path, body, self._timeout_s)
        except Unavailable:
            self._later.add(lambda: self._transport.post(path, body, self._patient_s))
            return False
        return True


def _asked(
    payment_id: str,
    attempt: int,
    context: Mapping[str, Any] | None,
    decision_id: str | None,
    actions: Sequence[Mapping[str, Any]] | None,
    decided_at: datetime | None,
) -> dict[str, Any]:
    body: dict[str, Any] = {
        "decision_id": decision_id or str(uuid.uuid4()),
        "payment_id": payment_id,
        "attempt": attempt,
        "context": dict(context or {}),
    }
    if actions is not None:
        body["actions"] = [dict(each) for each in actions]
    if decided_at is not None:
        body["decided_at"] = decided_at.isoformat()
    return body


def _plain(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in fields.items()
    }


def _activation(decision_id: str) -> str:
    return f"/v1/decisions/{quote(decision_id, safe='')}/activation"
