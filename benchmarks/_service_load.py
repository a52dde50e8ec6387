"""Clients that behave as a payments engine should: at least once, with ids of their own.

What a client is answered is noted, so that it can be held against what is on disk.
"""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection, HTTPException
from random import Random
from typing import Any

from benchmarks._service_stack import DELAYS, ROUTES, Stack

CLIENTS = 6
GIVE_UP_S = 30.0
_HEAD = {"Content-Type": "application/json"}

_OPEN = [route for route in ROUTES if route != "dlocal"]
_KINDS: dict[str, tuple[int, dict[str, Any], frozenset[str]]] = {
    # Attempt, context, and the routes that the rules leave: read off the rules, not the service.
    "plain": (1, {"network": "visa", "currency": "EUR"}, frozenset(_OPEN)),
    "yen": (1, {"network": "mastercard", "currency": "JPY"}, frozenset({"adyen", "braintree"})),
    "retry": (
        2,
        {"network": "visa", "currency": "EUR", "previous_response_code": "51"},
        frozenset({*_OPEN, "stop"}),
    ),
    "stolen": (
        2,
        {"network": "visa", "currency": "EUR", "previous_response_code": "41"},
        frozenset({"stop"}),
    ),
    "enough": (5, {"network": "visa", "currency": "EUR"}, frozenset({"stop"})),
}


@dataclass(slots=True)
class Noted:
    """What the clients of a round saw.

    Attributes
    ----------
    answered
        the answers that say that they are recorded, byte for byte, by decision id.
    unrecorded
        how many say that they are not.
    told
        outcomes, as they were sent, that were answered; by decision id.
    without_action
        what a request for a decision got in place of an allowed action.
    changed
        repetitions that got another answer.
    tried_again
        requests that broke off or were refused while the service was up, and were sent again.
    refused_while_down
        the same while its main process was dead.
    fallbacks
        reasons of the static priority.
    """

    answered: dict[str, bytes] = field(default_factory=dict)
    unrecorded: int = 0
    told: dict[str, set[str]] = field(default_factory=dict)
    without_action: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    tried_again: int = 0
    refused_while_down: int = 0
    fallbacks: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)


@dataclass(slots=True)
class Load:
    """Clients at work until they are stopped.

    Attributes
    ----------
    stack
        whom they ask.
    name
        what their ids begin with.
    seed
        of what they ask.
    skew
        what is added to the moments that they give; None: they give none.
    is_wild
        whether outcomes come twice, out of order and before their decision.
    pause_s
        a client begins a payment so long after the one before, or as soon as that is done.
    keeps
        whether what is answered is kept, to be held against the store.
    """

    stack: Stack
    name: str
    seed: int
    skew: Callable[[Random], timedelta] | None = None
    is_wild: bool = False
    pause_s: float = 0.0
    keeps: bool = True
    clients: int = CLIENTS
    noted: Noted = field(default_factory=Noted)
    payments: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def start(self) -> None:
        """Let them begin."""
        self._threads = [
            threading.Thread(target=self._run, args=(at,), daemon=True)
            for at in range(self.clients)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def stopping(self) -> bool:
        """Whether they were told to stop."""
        return self._stop.is_set()

    def end(self) -> Noted:
        """Stop them once each has its answer."""
        self._stop.set()
        for thread in self._threads:
            thread.join()
        return self.noted

    def _run(self, at: int) -> None:
        client = _Client(self)
        random = Random(f"{self.seed}-{self.name}-{at}")
        number = 0
        try:
            while not self._stop.is_set():
                began = time.monotonic()
                self._payment(client, random, f"{self.name}-{at}-{number}")
                number += 1
                with self.noted.lock:
                    self.payments += 1
                if self.pause_s:
                    self._stop.wait(max(0.0, self.pause_s - (time.monotonic() - began)))
        finally:
            client.close()

    def _payment(self, client: _Client, random: Random, decision_id: str) -> None:
        kind = random.choice(list(_KINDS))
        attempt, context, allowed = _KINDS[kind]
        body: dict[str, Any] = {
            "decision_id": decision_id,
            "payment_id": f"p-{decision_id}",
            "attempt": attempt,
            "context": {**context, "amount_minor": random.randint(100, 100_000)},
        }
        now = datetime.now(UTC)
        if self.skew is not None:
            body["decided_at"] = (now + self.skew(random)).isoformat()
        outcomes = [{"decision_id": decision_id, "approved": random.random() < 0.8}]
        if self.is_wild:
            outcomes.append({"decision_id": decision_id, "refunded_minor": random.randint(1, 99)})
            outcomes += [outcomes[0], outcomes[1]]
            random.shuffle(outcomes)
        if self.skew is not None:
            for each in outcomes:
                each["outcome_at"] = (now + self.skew(random)).isoformat()
        early = outcomes.pop() if self.is_wild and random.random() < 0.5 else None
        if early is not None:
            self._tell(client, early)
        self._decide(client, body, allowed)
        if random.random() < 0.1:
            self._decide(client, body, allowed)
        if random.random() < 0.5 or self.is_wild:
            for each in outcomes:
                self._tell(client, each)

    def _decide(self, client: _Client, body: dict[str, Any], allowed: frozenset[str]) -> None:
        noted, name = self.noted, body["decision_id"]
        began = time.perf_counter()
        status, text = client.sent("/v1/decisions", body)
        if status == 0 and self.stack.is_down:
            return
        with noted.lock:
            noted.seconds.append(time.perf_counter() - began)
            if status != 200:
                noted.without_action.append(f"{name}: {status} {text[:200]!r}")
                return
            answer = json.loads(text)
            action = answer["action"]
            delays = (0,) if action["route"] == "stop" else DELAYS
            if action["route"] not in allowed or action["delay_s"] not in delays:
                noted.without_action.append(f"{name}: {action} breaks a rule")
            if answer["fallback"] is not None:
                noted.fallbacks[answer["fallback"].partition(":")[0]] += 1
            if not answer["recorded"]:
                noted.unrecorded += 1
            elif self.keeps and noted.answered.setdefault(name, text) != text:
                noted.changed.append(name)

    def _tell(self, client: _Client, outcome: dict[str, Any]) -> None:
        status, _ = client.sent("/v1/outcomes", outcome)
        if status == 200 and self.keeps:
            text = json.dumps(outcome, sort_keys=True)
            with self.noted.lock:
                self.noted.told.setdefault(outcome["decision_id"], set()).add(text)


class _Client:
    """One connection, made anew whenever it breaks."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._connection: HTTPConnection | None = None

    def sent(self, path: str, body: dict[str, Any]) -> tuple[int, bytes]:
        """Status and body of the answer; 0 where there was none in all that time."""
        text = json.dumps(body)
        until = time.monotonic() + GIVE_UP_S
        noted = self._load.noted
        while True:
            try:
                if self._connection is None:
                    port = self._load.stack.port
                    self._connection = HTTPConnection("127.0.0.1", port, timeout=GIVE_UP_S)
                self._connection.request("POST", path, text, _HEAD)
                answer = self._connection.getresponse()
                said = answer.read()
                # An outcome that could not be recorded is to be sent again, and says so.
                if path == "/v1/decisions" or answer.status != 503:
                    return answer.status, said
            except (OSError, HTTPException):
                self.close()
                with noted.lock:
                    if self._load.stack.is_down:
                        noted.refused_while_down += 1
                    else:
                        noted.tried_again += 1
            if time.monotonic() > until or (self._load.stack.is_down and self._load.stopping):
                return 0, b"no answer"
            time.sleep(0.02)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
