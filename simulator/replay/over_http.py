"""Replay against the running service: decisions and outcomes over HTTP, on the log's clock."""

from __future__ import annotations

import math
import re
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from heapq import heappop, heappush
from http import HTTPStatus

import httpx
import msgspec
import numpy as np

from authopt.batch import DecisionBatch, LoggedBatch, concat
from authopt.errors import UserError
from simulator.replay.answers import Answer, is_sound, with_answers
from simulator.replay.bodies import DECISIONS, OUTCOMES, decision_body, outcome_body
from simulator.replay.course import Course, Step
from simulator.replay.replayed import Replayed, Traffic, known_at, put_together
from simulator.replay.sending import Job, Senders, Sent, bearing, senders

AS_FAST_AS_POSSIBLE = math.inf

GONE_AFTER = 8
"""Requests in a row without any answer, each tried several times, that end the replay."""

REFUSED_AFTER = 20
"""Decisions that are all refused before it is said that the log does not fit the service."""

KINDS = 20
"""Kinds of errors that are told apart."""

_ANSWER = msgspec.json.Decoder(Answer)


class _ProblemBody(msgspec.Struct, frozen=True):
    detail: str = ""


_PROBLEM = msgspec.json.Decoder(_ProblemBody)


@dataclass(frozen=True, slots=True)
class _Point:
    """A row of a batch of decision points."""

    batch: DecisionBatch
    row: int


@dataclass(frozen=True, slots=True)
class _Told:
    """A row of a batch of decisions whose outcomes are known."""

    batch: LoggedBatch
    row: int


def check_service(url: str, key: str | None = None) -> str | None:
    """See that there is a service at an address; what it says it lacks, or None.

    Raises
    ------
    UserError
        If nothing answers there, or something else than the service.
    """
    try:
        # No proxy from the environment: none stands before the requests that follow either.
        answer = httpx.get(f"{url}/readyz", headers=bearing(key), timeout=10.0, trust_env=False)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise UserError(
            f"{url}: no answer ({type(error).__name__}). Start the service with authopt serve, or "
            "name its address with --url http://HOST:PORT"
        ) from None
    if answer.status_code == HTTPStatus.OK:
        return None
    if answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE:
        return _detail(answer.content) or "it is not ready"
    raise UserError(
        f"{url}: {answer.status_code} for GET /readyz; expected the decision service (authopt "
        "serve)"
    )


@dataclass(slots=True, eq=False)
class ServiceReplay:
    """A replay of a log by a running service.

    Decisions and outcomes are sent in the order of the log's time: at ``speed`` log seconds per
    second each when it is due, or later where all connections are busy; as fast as possible each
    as soon as a connection is free. An outcome is sent once it would be known, its delay divided by
    the speed after the decision's. As fast as possible, a payment's own requests keep their order;
    of others up to two or three times ``concurrency`` may come before their turn.

    Attributes
    ----------
    course
        of the payments.
    url
        of the service.
    run
        name of the run, which the ids of decisions and payments begin with.
    speed
        log seconds per second; infinite for as fast as possible.
    concurrency
        requests under way at a time.
    key
        API key of the service, where it asks for one.
    """

    course: Course
    url: str
    run: str
    speed: float = AS_FAST_AS_POSSIBLE
    concurrency: int = 16
    key: str | None = field(default=None, repr=False)
    policy: str = ""
    _steps: list[Step] = field(default_factory=list)
    _due: list[tuple[int, int, _Point | _Told]] = field(default_factory=list)
    _number: int = 0
    _under_way: int = 0
    _begun: float = 0.0
    _first_us: int = 0
    _ended: float = 0.0
    _requests: int = 0
    _outcomes: int = 0
    _retried: int = 0
    _unanswered: int = 0
    _decided: int = 0
    _refused: int = 0
    _answered: list[tuple[_Point, Answer]] = field(default_factory=list)
    _at_s: list[float] = field(default_factory=list)
    _latency_s: list[float] = field(default_factory=list)
    _late_s: list[float] = field(default_factory=list)
    _errors: Counter[str] = field(default_factory=Counter)
    _fallbacks: Counter[str] = field(default_factory=Counter)
    _stopped: str | None = None

    def decisions(self) -> Iterator[int]:
        """Go through the replay; every now and then, how many decisions were made since.

        Raises
        ------
        UserError
            If the service refuses the log's first decisions, one and all.
        """
        first = self.course.start()
        self._first_us = int(first.decided_at.min().astype("M8[us]").astype(np.int64))
        self._put_points(first)
        with senders(self.url, self.concurrency, self.key) as team:
            self._begun = self._ended = time.monotonic()
            while (self._due or self._under_way) and self._stopped is None:
                self._send_what_is_due(team)
                self._receive(team.take(self._wait_s()))
                if self._answered and self._goes_on():
                    yield self._go_on()
            if self._answered:
                yield self._go_on()

    def result(self) -> Replayed:
        """The replay, once :meth:`decisions` has been gone through.

        Raises
        ------
        UserError
            If not a single decision was answered.
        """
        traffic = Traffic(
            seconds=self._ended - self._begun,
            requests=self._requests,
            outcomes=self._outcomes,
            retried=self._retried,
            at_s=np.array(self._at_s),
            latency_s=np.array(self._latency_s),
            late_s=np.array(self._late_s),
            errors=self._errors,
            stopped=self._stopped,
        )
        if not self._steps:
            what = "; ".join(f"{count:,} x {each}" for each, count in self._errors.items())
            raise UserError(f"{self.url}: no decision was answered: {what}")
        course = self.course
        return put_together(
            course.log, course.payments, self.policy, self._steps, self._fallbacks, traffic
        )

    def _put_points(self, points: DecisionBatch) -> None:
        for row, moment in enumerate(points.decided_at.astype(np.int64).tolist()):
            self._put(moment, _Point(points, row))

    def _put(self, moment_us: int, what: _Point | _Told) -> None:
        self._number += 1
        heappush(self._due, (moment_us, self._number, what))

    def _due_at(self, moment_us: int) -> float:
        """When a moment of the log is, by ``time.monotonic``."""
        return self._begun + (moment_us - self._first_us) / 1e6 / self.speed

    def _wait_s(self) -> float | None:
        """How long the next answer may be waited for."""
        if self._under_way >= self.concurrency or not self._due:
            return None
        return max(0.0, self._due_at(self._due[0][0]) - time.monotonic())

    def _send_what_is_due(self, team: Senders) -> None:
        while self._due and self._under_way < self.concurrency:
            moment_us, _, what = self._due[0]
            due_at = self._due_at(moment_us)
            late = time.monotonic() - due_at
            if late < 0:
                return
            heappop(self._due)
            if math.isfinite(self.speed):
                self._late_s.append(late)
            if isinstance(what, _Told):
                team.put(Job(OUTCOMES, outcome_body(what.batch, what.row, self.run), what))
            else:
                team.put(Job(DECISIONS, decision_body(what.batch, what.row, self.run), what))
            self._under_way += 1

    def _receive(self, sent: list[Sent]) -> None:
        for each in sent:
            self._under_way -= 1
            self._requests += 1
            self._retried += each.retried
            self._unanswered = 0 if each.status else self._unanswered + 1
            self._ended = max(self._ended, each.started + each.seconds)
            answer = self._answer(each)
            if isinstance(each.job.about, _Point) and answer is not None:
                self._answered.append((each.job.about, answer))
                self._decided += 1
        if self._unanswered >= GONE_AFTER:
            self._stopped = (
                f"the service stopped answering ({sent[-1].error}) after "
                f"{self._decided:,} decisions"
            )
        if not self._decided and self._refused >= REFUSED_AFTER:
            raise UserError(self._refusal())

    def _goes_on(self) -> bool:
        """Whether to go on with the answers that are there.

        Where no time is to be kept, many at once cost little more than one.
        """
        many = len(self._answered) >= self.concurrency
        return many or not self._due or math.isfinite(self.speed)

    def _answer(self, sent: Sent) -> Answer | None:
        """The answer to a decision; None to an outcome, or where something went wrong."""
        asked = sent.job.path == DECISIONS
        if sent.status != HTTPStatus.OK:
            said = sent.error or f"{sent.status} {_detail(sent.body)}"
            self._count_error(f"{'decision' if asked else 'outcome'}: {said.strip()}")
            self._refused += asked and bool(sent.status)
            return None
        if not asked:
            self._outcomes += 1
            return None
        try:
            answer = _ANSWER.decode(sent.body)
        except msgspec.MsgspecError as error:
            self._count_error(f"decision: an answer that is not understood ({error})")
            return None
        if not is_sound(answer):
            self._count_error("decision: an action that is not among the eligible ones")
            return None
        self._at_s.append(sent.started - self._begun)
        self._latency_s.append(sent.seconds)
        return answer

    def _go_on(self) -> int:
        """Send the outcomes, and ask for what follows, when they are due; how many answers."""
        points = [point.batch.take(slice(point.row, point.row + 1)) for point, _ in self._answered]
        answers = [answer for _, answer in self._answered]
        self._answered = []
        for answer in answers:
            if answer.fallback is not None:
                self._fallbacks[answer.fallback] += 1
            if not answer.recorded:
                self._count_error("decision: answered, but not recorded")
        self.policy = answers[-1].policy.name
        step = self.course.step(with_answers(concat(points), answers))
        self._steps.append(step)
        self._put_points(step.following)
        moments = known_at(step.batch).astype("M8[us]").astype(np.int64)
        for row in np.flatnonzero(np.isfinite(step.batch.reward)).tolist():
            self._put(int(moments[row]), _Told(step.batch, row))
        return len(answers)

    def _count_error(self, text: str) -> None:
        # The place in a list is no kind of its own.
        kind = re.sub(r"\[\d+\]", "[]", text)[:200]
        known = kind in self._errors or len(self._errors) < KINDS
        self._errors[kind if known else "others"] += 1

    def _refusal(self) -> str:
        what, _ = self._errors.most_common(1)[0]
        if what.startswith(("decision: 401", "decision: 403")):
            return (
                f"{self.url}: the service refuses every decision ({what}). Give a key with the "
                "scopes decide and outcome in the environment's AUTHOPT_KEY, or with --key"
            )
        routes = [route for route in self.course.log.batch.routes if route != "stop"]
        return (
            f"{self.url}: the service refuses every decision of the log ({what}). The log's routes "
            f"are {', '.join(routes)}: start the service with authopt serve --routes "
            f"{','.join(routes)}"
        )


def _detail(body: bytes) -> str:
    try:
        return _PROBLEM.decode(body).detail
    except msgspec.MsgspecError:
        return ""
