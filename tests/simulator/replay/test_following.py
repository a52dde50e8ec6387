"""The way of a payment off the log's course: its past is its own, the rest a like payment's."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from authopt.batch import Categorical, IntArray, LoggedBatch
from authopt.policies.uniform import Uniform
from simulator.replay.answering import Source
from simulator.replay.following import following_like
from simulator.replay.logged_payments import in_payments, sent_at
from simulator.small.cast import HOURS_FROM_UTC, ROUTES
from tests.simulator.replay.small_logs import log, model, replay


def pairs(batch: LoggedBatch) -> tuple[LoggedBatch, LoggedBatch]:
    """Attempts off the log's course, and the decision points that followed them."""
    place = {
        (payment, attempt): row
        for row, (payment, attempt) in enumerate(
            zip(batch.payment_id.to_pylist(), batch.attempt.tolist(), strict=True)
        )
    }
    own_way = [row for row, name in enumerate(batch.decision_id.to_pylist()) if "~" in name]
    rows = np.array(own_way, np.int64)
    before = [
        place[payment, attempt - 1]
        for payment, attempt in zip(
            batch.payment_id.take(rows).to_pylist(), batch.attempt[rows].tolist(), strict=True
        )
    ]
    assert len(rows) > 100
    return batch.take(np.array(before, np.int64)), batch.take(rows)


def names(column: object) -> list[str | None]:
    assert isinstance(column, Categorical)
    return column.values()


def number(batch: LoggedBatch, name: str) -> np.ndarray:
    return np.asarray(batch.context[name])


def test_the_context_tells_the_payments_own_past() -> None:
    before, after = pairs(replay(Uniform(), model()).batch)
    routes = [before.routes[route] for route in before.action_route[before.chosen_action]]
    assert (before.reward == 0).all()
    assert names(after.context["previous_route"]) == routes
    for told in ("response_code", "advice_code"):
        assert names(after.context[f"previous_{told}"]) == names(before.outcome[told])
    since = (after.decided_at - sent_at(before)) / np.timedelta64(1, "s")
    assert (since >= 0).all()
    assert np.array_equal(number(after, "seconds_since_last_attempt"), np.floor(since))
    first = after.attempt == 2
    assert np.array_equal(
        number(after, "seconds_since_first_attempt")[first], np.floor(since)[first]
    )
    grown = number(after, "seconds_since_first_attempt") - np.nan_to_num(
        number(before, "seconds_since_first_attempt")
    )
    assert (grown >= 0).all()


def test_who_pays_what_to_whom_does_not_change_on_the_way() -> None:
    before, after = pairs(replay(Uniform(), model()).batch)
    for name in ("merchant_id", "issuer", "network", "currency", "bin", "initiator"):
        assert names(after.context[name]) == names(before.context[name])
    assert np.array_equal(number(after, "amount_minor"), number(before, "amount_minor"))
    assert after.context["card_ref"].equals(before.context["card_ref"])  # type: ignore[union-attr]


def test_the_local_time_goes_with_the_clock() -> None:
    _, after = pairs(replay(Uniform(), model()).batch)
    ahead = np.array([HOURS_FROM_UTC[str(c)] for c in names(after.context["issuer_country"])])
    hours = after.decided_at.astype("M8[h]").astype(np.int64) + ahead
    assert np.array_equal(number(after, "local_hour"), hours % 24)
    assert np.array_equal(number(after, "local_day"), (hours // 24 + 3) % 7 + 1)


def test_no_route_is_offered_that_does_not_take_the_currency() -> None:
    _, after = pairs(replay(Uniform(), model()).batch)
    takes = {route.name: route.currencies for route in ROUTES}
    currency = names(after.context["currency"])
    for row in range(after.n):
        for action in after.actions(row):
            allowed = takes.get(action.route, frozenset())
            assert not allowed or currency[row] in allowed


def test_a_decline_of_the_same_attempt_in_the_log_lends_its_code() -> None:
    replayed = replay(Uniform(), model())
    logged = {name: row for row, name in enumerate(log().batch.decision_id.to_pylist())}
    code = names(log().batch.outcome["response_code"])
    asked = np.flatnonzero((replayed.source == Source.MODEL) & (replayed.batch.reward == 0))
    declined = replayed.batch.take(asked)
    known = [
        (logged[name], told)
        for name, told in zip(
            declined.decision_id.to_pylist(), names(declined.outcome["response_code"]), strict=True
        )
        if name in logged and log().declined[logged[name]]
    ]
    assert len(known) > 50
    assert all(code[row] == told for row, told in known)


def declines() -> IntArray:
    """Rows of the log that were declined and tried again."""
    rows = np.flatnonzero(log().declined)
    return rows[log().next_row(rows) >= 0]


def test_time_runs_out_for_a_payment_with_a_deadline() -> None:
    rows = declines()
    batch = log().batch
    left = np.full(batch.n, 1e9)
    left[rows[::2]] = 0.0
    timed = replace(batch, context={**batch.context, "seconds_to_deadline": left})
    dated = in_payments(timed)
    points = following_like(dated, dated.batch.take(rows), rows)
    still = following_like(log(), batch.take(rows), rows)
    gap = (still.decided_at - batch.decided_at[rows]) / np.timedelta64(1, "s")
    in_time = np.floor(left[rows] - gap) >= 0
    assert 0 < (~in_time).sum() < len(rows)
    assert points.n == in_time.sum()


def test_counts_of_the_card_grow_with_its_attempts() -> None:
    rows = declines()
    batch = log().batch
    columns = {"card_declines_24h": np.full(batch.n, 2.0), "card_attempts_30d": np.ones(batch.n)}
    counted = in_payments(replace(batch, context={**batch.context, **columns}))
    points = following_like(counted, counted.batch.take(rows), rows)
    assert (number_of(points, "card_attempts_30d") == 2).all()
    delayed = batch.action_delay_s[batch.chosen_action[rows]] >= 86_400
    declined = number_of(points, "card_declines_24h")
    assert delayed.any()
    assert (declined[delayed] == 1).all()
    assert (declined[~delayed] == 3).all()


def number_of(points: object, name: str) -> np.ndarray:
    return np.asarray(points.context[name])  # type: ignore[attr-defined]
