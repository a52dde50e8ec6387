"""A store as a merchant's is after four weeks, made quickly: for benchmarks of what reads it.

``python -m benchmarks._console_store [--decisions N] [--only sqlite|postgresql]`` makes one in each
database, adds up its summaries, and tells the time and the size.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Engine

from authopt.batch import IntArray
from authopt.payments import Network
from benchmarks._measure import MEBIBYTE
from benchmarks._service_stack import running_postgres
from service.api.forms import (
    ChosenAction,
    DecisionAnswer,
    DecisionRequest,
    EligibleAction,
    OutcomeRequest,
    PolicyName,
    RemovedAction,
)
from service.store.changes import writing
from service.store.engine import open_engine
from service.store.insertion import insert_new
from service.store.migrate import migrate
from service.store.records import (
    DecisionRecord,
    OutcomeRecord,
    decision_record,
    microseconds,
    moment,
    outcome_record,
)
from service.store.tables import decisions, outcomes
from service.summaries.adding_up import Step, add_step

DECISIONS = 1_000_000
DAYS = 28
ROUTES = ("adyen", "braintree", "checkout", "nuvei", "stripe", "worldpay")
ISSUERS = 200
EXPERIMENT, ARMS = "summer", ("live", "learned")
TENANT = "default"

_DAY_US = 86_400_000_000
_ATTEMPTS = 3
_FAVOURITE, _OTHER = 0.4, 0.15
"""Probabilities of the issuer's favourite route, and of each of the four others."""
_RETRIED = 0.6
"""Share of the declined attempts that are tried again, a day later."""
_ANSWERED = 0.98
_COUNTRIES = ("DE", "FR", "GB", "ES", "IT", "NL", "PL", "SE", "US", "BR", "AT", "BE", "CH", "PT")
_CURRENCIES = ("EUR", "GBP", "USD")
_NETWORKS = (Network.VISA, Network.MASTERCARD, Network.AMEX, Network.MAESTRO)
_DECLINES = ("05", "51", "54", "57", "61", "65", "91")
_ROWS_AT_ONCE = 20_000
# No digits: an id with thirteen of them could pass for a card number.
_LETTERS = str.maketrans("01234567", "bcdfghjk")


@dataclass(frozen=True, slots=True)
class Made:
    """What it took, seconds, and what it takes on disk, bytes."""

    decisions: int
    outcomes: int
    filled_s: float
    added_up_s: float
    store_bytes: int
    summaries_bytes: int


@dataclass(frozen=True, slots=True)
class _Traffic:
    """Columns of all decisions, in the order of their times."""

    payment: NDArray[np.int64]
    attempt: NDArray[np.int64]
    at_us: NDArray[np.int64]
    route: NDArray[np.int64]
    issuer: NDArray[np.int64]
    approved: NDArray[np.bool_]
    answered: NDArray[np.bool_]
    fell_back: NDArray[np.bool_]
    arm: NDArray[np.int64]
    amount: NDArray[np.int64]


def make_store(engine: Engine, n: int = DECISIONS, end_us: int | None = None) -> Made:
    """Fill an empty database with n decisions of four weeks, their outcomes, and the summaries.

    Parameters
    ----------
    engine
        of the database.
    n
        decisions; about a fifth of them are retries.
    end_us
        end of the four weeks, microseconds since 1970, UTC; now by default.
    """
    end_us = microseconds(datetime.now(UTC)) if end_us is None else end_us
    migrate(engine)
    start = time.perf_counter()
    told = _fill(engine, n, end_us)
    filled_s = time.perf_counter() - start
    start = time.perf_counter()
    while add_step(engine, TENANT, end_us, _ROWS_AT_ONCE // 4) is Step.BEHIND:
        pass
    added_up_s = time.perf_counter() - start
    with engine.connect() as connection:
        whole, summed = _sizes(connection)
    return Made(n, told, filled_s, added_up_s, whole, summed)


def _fill(engine: Engine, n: int, end_us: int) -> int:
    traffic = _traffic(n, end_us)
    told = 0
    for start in range(0, n, _ROWS_AT_ONCE):
        rows = range(start, min(start + _ROWS_AT_ONCE, n))
        made = list(_decisions(traffic, rows))
        came = list(_outcomes(traffic, rows))
        with writing(engine) as connection:
            insert_new(connection, decisions, made)
            insert_new(connection, outcomes, came)
        told += len(came)
    return told


def _traffic(n: int, end_us: int) -> _Traffic:
    rng = np.random.default_rng(7)
    issuer_share = 1.0 / np.arange(1, ISSUERS + 1)
    issuer_share /= issuer_share.sum()
    chance = np.clip(
        0.86 + rng.normal(0.0, 0.05, (ISSUERS, 1)) + rng.normal(0.0, 0.02, (1, len(ROUTES))),
        0.3,
        0.98,
    )
    issuer = rng.choice(ISSUERS, n, p=issuer_share)
    payment, attempt = np.arange(n), 1
    amount = (100 + rng.gamma(1.5, 2_500.0, n)).astype(np.int64)
    # More by day than by night.
    hour = np.clip(rng.normal(14.0, 4.5, n), 0.0, 23.99)
    day_us = rng.integers(0, DAYS, n) * _DAY_US
    at_us = end_us - DAYS * _DAY_US + day_us + (hour * 3.6e9).astype(np.int64)
    parts = []
    while len(payment) and attempt <= _ATTEMPTS:
        route = _drawn(rng, issuer[payment])
        rate = chance[issuer[payment], route] * (1.0 if attempt == 1 else 0.35)
        approved = rng.random(len(payment)) < rate
        parts.append((payment, np.full(len(payment), attempt), at_us, route, approved))
        again = np.flatnonzero(~approved & (rng.random(len(payment)) < _RETRIED))
        payment, at_us, attempt = payment[again], at_us[again] + _DAY_US, attempt + 1
    payment, tries, at_us, route, approved = (
        np.concatenate([part[k] for part in parts]) for k in range(5)
    )
    order = np.argsort(at_us, kind="stable")
    order = order[at_us[order] < end_us][-n:]
    payment, m = payment[order], len(order)
    return _Traffic(
        payment,
        tries[order],
        at_us[order],
        route[order],
        issuer[payment],
        approved[order],
        rng.random(m) < _ANSWERED,
        rng.random(m) < 0.003,
        np.where(rng.random(n) < 0.5, rng.integers(0, 2, n), -1)[payment],
        amount[payment],
    )


def _decisions(traffic: _Traffic, rows: Sequence[int]) -> Iterator[DecisionRecord]:
    for at in rows:
        route, issuer = int(traffic.route[at]), int(traffic.issuer[at])
        request = DecisionRequest(
            payment_id=_id("pay", int(traffic.payment[at])),
            attempt=int(traffic.attempt[at]),
            context=_context(traffic, at, issuer),
        )
        eligible, removed = _ACTIONS[issuer % len(ROUTES)]
        arm = int(traffic.arm[at])
        answer = DecisionAnswer(
            decision_id=_id("dec", at),
            payment_id=request.payment_id,
            attempt=request.attempt,
            action=ChosenAction(ROUTES[route], 0),
            propensity=_FAVOURITE if route == _favourite(issuer) else _OTHER,
            policy=_POLICIES[arm],
            fallback="the policy did not answer in time" if traffic.fell_back[at] else None,
            actions=eligible,
            removed=removed,
            decided_at=moment(int(traffic.at_us[at])),
        )
        record = decision_record(request, answer, TENANT)
        yield _in_arm(record, ARMS[arm]) if arm >= 0 else record


def _in_arm(record: DecisionRecord, arm: str) -> DecisionRecord:
    values = {name: getattr(record, name) for name in record.__struct_fields__}
    return DecisionRecord(**(values | {"experiment": EXPERIMENT, "arm": arm}))


def _context(traffic: _Traffic, at: int, issuer: int) -> dict[str, object]:
    payment = int(traffic.payment[at])
    context: dict[str, object] = {
        "merchant_id": ("shop", "club", "travel")[payment % 3],
        "card_ref": _id("card", payment // 2),
        "bin": f"4{issuer:05d}",
        "issuer": f"Bank {_id('', issuer)}",
        "network": str(_NETWORKS[issuer % len(_NETWORKS)]),
        "funding": ("credit", "debit")[issuer % 2],
        "issuer_country": _COUNTRIES[issuer % len(_COUNTRIES)],
        "merchant_country": "DE",
        "currency": _CURRENCIES[issuer % len(_CURRENCIES)],
        "amount_minor": int(traffic.amount[at]),
        "mcc": "5815",
        "initiator": ("cit", "mit")[payment % 2],
        "token": payment % 4 > 0,
        "three_ds": payment % 5 == 0,
        "local_hour": int(traffic.at_us[at] // 3_600_000_000 % 24),
        "local_day": int(traffic.at_us[at] // _DAY_US % 7) + 1,
    }
    if traffic.attempt[at] > 1:
        day_s = 86_400
        context |= {
            "previous_response_code": _DECLINES[payment % len(_DECLINES)],
            "seconds_since_first_attempt": (int(traffic.attempt[at]) - 1) * day_s,
            "seconds_since_last_attempt": day_s,
        }
    return context


def _outcomes(traffic: _Traffic, rows: Sequence[int]) -> Iterator[OutcomeRecord]:
    for at in rows:
        if not traffic.answered[at]:
            continue
        approved = bool(traffic.approved[at])
        declined = _DECLINES[int(traffic.payment[at]) % len(_DECLINES)]
        told = OutcomeRequest(
            decision_id=_id("dec", at),
            approved=approved,
            response_code="00" if approved else declined,
            latency_ms=300.0 + at % 900,
            fee_minor=12 + int(traffic.amount[at]) // 100,
            outcome_at=moment(int(traffic.at_us[at]) + 1_000_000),
        )
        record = outcome_record(told, TENANT)
        yield OutcomeRecord(
            record.decision_id,
            record.sha256,
            int(traffic.at_us[at]) + 2_000_000,
            record.outcome,
            TENANT,
        )


def _id(kind: str, number: int) -> str:
    letters = f"{number:o}".translate(_LETTERS)
    return f"{kind}_{letters}" if kind else letters


def _favourite(issuer: int) -> int:
    return (issuer + 1) % len(ROUTES)


def _drawn(rng: np.random.Generator, issuer: IntArray) -> IntArray:
    """int64[n], a route for each issuer: never the one that it lacks, mostly the favourite."""
    steps = rng.integers(2, len(ROUTES), len(issuer))
    steps[rng.random(len(issuer)) < _FAVOURITE] = 1
    return (issuer + steps) % len(ROUTES)


def _actions_of(issuer: int) -> tuple[list[EligibleAction], list[RemovedAction]]:
    """All routes but one, with the probabilities of :func:`_drawn`."""
    lacking, favourite = issuer % len(ROUTES), _favourite(issuer)
    eligible = [
        EligibleAction(ROUTES[at], 0, _FAVOURITE if at == favourite else _OTHER)
        for at in range(len(ROUTES))
        if at != lacking
    ]
    return eligible, [RemovedAction(ROUTES[lacking], 0, "the route does not take this currency")]


_ACTIONS = [_actions_of(issuer) for issuer in range(len(ROUTES))]
_POLICIES = {
    -1: PolicyName("recommended", None),
    0: PolicyName("recommended", None),
    1: PolicyName("online", "0" * 63 + "1"),
}


def _sizes(connection: Connection) -> tuple[int, int]:
    """Bytes of the whole database, and of the summaries."""
    if connection.dialect.name == "postgresql":
        asked = "SELECT pg_database_size(current_database()), pg_total_relation_size('summaries')"
        whole, summed = connection.exec_driver_sql(asked).one()
        return int(whole), int(summed)
    pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
    page = connection.exec_driver_sql("PRAGMA page_size").scalar_one()
    summed = connection.exec_driver_sql(
        "SELECT sum(pgsize) FROM dbstat WHERE name = 'summaries'"
    ).scalar_one()
    return int(pages) * int(page), int(summed)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--decisions", type=int, default=DECISIONS)
    parser.add_argument("--only", choices=["sqlite", "postgresql"])
    asked = parser.parse_args()
    with ExitStack() as held:
        folder = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="authopt-")))
        urls = {}
        if asked.only != "postgresql":
            urls["sqlite"] = f"sqlite:///{folder / 'authopt.db'}"
        if asked.only != "sqlite":
            server = held.enter_context(running_postgres(folder / "postgres"))
            urls["postgresql"] = server.database("console")
        for name, url in urls.items():
            engine = open_engine(url, 30.0)
            made = make_store(engine, asked.decisions)
            engine.dispose()
            print(
                f"{name:<10} {made.decisions:,} decisions and {made.outcomes:,} outcomes in "
                f"{made.filled_s:.0f} s, {made.store_bytes / MEBIBYTE:,.0f} MiB; summaries in "
                f"{made.added_up_s:.0f} s, {made.summaries_bytes / MEBIBYTE:,.0f} MiB of it",
                flush=True,
            )


if __name__ == "__main__":
    main()
