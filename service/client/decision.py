"""What a client gets: a decision, or an error that says why there is none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do with an attempt.

    Attributes
    ----------
    decision_id
        with which the outcome is told.
    route, delay_s
        the action; the route ``stop`` gives the payment up.
    propensity
        probability with which it was chosen.
    local
        why the client itself chose; None where the service did.
    fallback
        why the service chose by its static priority; None where its policy did.
    recorded
        whether the service has it on disk.
    answer
        all that the service answered; empty where the client chose.
    """

    decision_id: str
    route: str
    delay_s: int
    propensity: float
    local: str | None
    fallback: str | None
    recorded: bool
    answer: Mapping[str, Any]

    @classmethod
    def of_answer(cls, answer: Mapping[str, Any]) -> Decision:
        """From what the service answered."""
        return cls(
            answer["decision_id"],
            answer["action"]["route"],
            answer["action"]["delay_s"],
            answer["propensity"],
            None,
            answer["fallback"],
            answer["recorded"],
            answer,
        )


class ClientError(Exception):
    """The service gave no answer that helps."""


class Unavailable(ClientError):
    """It did not answer in time, or not at all, or cannot now; the same may be sent again."""


class Refused(ClientError):
    """It will not answer this however often it is sent.

    Attributes
    ----------
    status
        of HTTP.
    problem
        the body (RFC 9457); ``problem["errors"]`` names the fields.
    """

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        super().__init__(f"{status}: {problem.get('detail', 'refused')}")
        self.status = status
        self.problem = problem
