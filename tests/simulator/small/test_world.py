"""What the columns of a simulated log say fits together, and the chances are a function of them."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from authopt.batch import BoolArray, Categorical, FloatArray, LoggedBatch, concat
from authopt.payments import Funding, Initiator
from simulator.logging_policy import DEFAULT_ORDER, MerchantRouter
from simulator.simulate import simulate
from simulator.small.cast import HOURS_FROM_UTC
from simulator.small.declines import CODES, MASTERCARD_CODES, MASTERCARD_NETWORKS, STATES, Ending
from simulator.small.world import SmallWorld, small_world
from simulator.traffic import Traffic

WORLD = small_world()


@cache
def log() -> LoggedBatch:
    traffic = Traffic(12_000, seed=21)
    return concat(list(simulate(WORLD, traffic, MerchantRouter(DEFAULT_ORDER))))


def category(batch: LoggedBatch, name: str) -> Categorical:
    column = batch.context.get(name, batch.outcome.get(name))
    assert isinstance(column, Categorical)
    return column


def has(batch: LoggedBatch, name: str, *values: str) -> BoolArray:
    return np.asarray(category(batch, name).recode(values) >= 0)


def numbers(batch: LoggedBatch, name: str) -> FloatArray:
    return np.asarray(batch.context[name], np.float64)


def seconds(times: np.ndarray) -> np.ndarray:
    return np.asarray((times - np.datetime64("1970-01-01")) / np.timedelta64(1, "s"))


def previous_rows(batch: LoggedBatch) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the retries, and for each the row of the attempt before."""
    ids = np.array(batch.payment_id.to_pylist())
    order = np.lexsort((batch.attempt, ids))
    follows = ids[order][1:] == ids[order][:-1]
    return order[1:][follows], order[:-1][follows]


def test_a_retry_knows_what_came_of_the_attempt_before() -> None:
    batch = log()
    retry, before = previous_rows(batch)
    for told, given in (
        ("previous_response_code", "response_code"),
        ("previous_advice_code", "advice_code"),
    ):
        left = category(batch, told)[retry].values()
        assert left == category(batch, given)[before].values()
    route = batch.action_route[batch.chosen_action][before]
    assert (category(batch, "previous_route").recode(batch.routes)[retry] == route).all()


def test_the_times_of_a_retry_are_those_of_the_rows_before() -> None:
    batch = log()
    retry, before = previous_rows(batch)
    decided = seconds(batch.decided_at)
    sent = decided + batch.action_delay_s[batch.chosen_action]
    since_last = numbers(batch, "seconds_since_last_attempt")[retry]
    assert np.allclose(decided[retry] - sent[before], since_last)
    first = {pid: at for pid, at, n in zip(
        batch.payment_id.to_pylist(), sent, batch.attempt, strict=True) if n == 1}  # fmt: skip
    began = np.array([first[pid] for pid in batch.payment_id.take(retry).to_pylist()])
    since_first = numbers(batch, "seconds_since_first_attempt")[retry]
    assert np.allclose(decided[retry] - began, since_first)
    answered = seconds(np.asarray(batch.outcome["outcome_at"]))
    assert (answered[before] <= decided[retry]).all()


def test_the_local_clock_is_that_of_the_issuers_country() -> None:
    batch = log()
    for country, hours in HOURS_FROM_UTC.items():
        rows = has(batch, "issuer_country", country)
        local = batch.decided_at[rows] + np.timedelta64(hours, "h")
        hour = local.astype("M8[h]").astype(np.int64) % 24
        day = (local.astype("M8[D]").astype(np.int64) + 3) % 7 + 1
        assert (numbers(batch, "local_hour")[rows] == hour).all()
        assert (numbers(batch, "local_day")[rows] == day).all()


def test_codes_are_those_of_the_network() -> None:
    batch = log()
    mastercard = has(batch, "network", *MASTERCARD_NETWORKS)
    attempted = ~batch.is_stop[batch.chosen_action]
    for rows, codes in ((mastercard, MASTERCARD_CODES), (~mastercard, CODES)):
        assert has(batch, "response_code", *codes.values())[rows & attempted].all()
    assert (category(batch, "advice_code").codes[~mastercard] == -1).all()
    assert (has(batch, "response_code", "00") == (batch.reward == 1.0)).all()


def test_first_attempts_meet_the_states_as_often_as_the_world_says() -> None:
    batch = log()
    first = np.flatnonzero(batch.attempt == 1)
    shares = WORLD.first_states(batch)[first]
    for place, state in enumerate(STATES):
        code = CODES[Ending(state)]
        met = has(batch, "response_code", code)[first].sum()
        chance = shares[:, place]
        assert abs(met - chance.sum()) < 4 * np.sqrt((chance * (1 - chance)).sum()), code


def test_hard_declines_are_not_tried_again() -> None:
    batch = log()
    retry = batch.attempt > 1
    hard = has(batch, "previous_response_code", "41", "43")
    assert has(batch, "response_code", "41", "43").any()
    assert not (retry & hard).any()


def test_a_card_that_has_expired_is_tried_again_only_with_new_data() -> None:
    batch = log()
    expired = has(batch, "previous_response_code", "54")
    attempted = ~batch.is_stop[batch.chosen_action]
    assert (expired & attempted).any()
    assert (numbers(batch, "x_data_updated")[expired & attempted] == 1.0).all()


def test_the_chances_of_a_decision_do_not_depend_on_its_neighbours() -> None:
    batch = log().take(slice(9_000, 9_200)).decisions()
    whole = WORLD.approval_probability(batch)
    alone = [WORLD.approval_probability(batch.take(slice(i, i + 1))) for i in range(batch.n)]
    assert np.array_equal(whole, np.concatenate(alone))
    assert (whole[batch.is_stop] == 0.0).all()
    assert ((whole >= 0.0) & (whole < 1.0)).all()


def test_no_route_is_the_best_for_every_issuer() -> None:
    batch = log()
    first = batch.take(np.flatnonzero((batch.attempt == 1) & has(batch, "currency", "USD")))
    chance = WORLD.approval_probability(first)
    best = set()
    for issuer in category(first, "issuer").categories:
        of_issuer = np.repeat(has(first, "issuer", issuer), first.counts)
        by_route = [chance[of_issuer & (first.action_route == r)].mean()
                    for r in np.unique(first.action_route)]  # fmt: skip
        best.add(int(np.argmax(by_route)))
    assert len(best) >= 3


@pytest.mark.parametrize("column", ["issuer", "merchant_id"])
def test_a_decision_from_another_world_has_no_known_chance(column: str) -> None:
    batch = log().take(slice(0, 3)).decisions()
    strange = Categorical(np.zeros(3, np.int32), ("nobody",))
    other = replace(batch, context={**batch.context, column: strange})
    with pytest.raises(ValueError, match="not of this world"):
        WORLD.approval_probability(other)


def test_worlds_may_differ_in_taste_alone() -> None:
    flat = SmallWorld(WORLD.routes, WORLD.issuers, WORLD.merchants, np.zeros_like(WORLD.taste))
    batch = log().take(slice(0, 50)).decisions()
    assert not np.allclose(flat.approval_probability(batch), WORLD.approval_probability(batch))


def test_the_world_speaks_the_domains_words() -> None:
    batch = log()
    assert set(category(batch, "initiator").values()) == set(Initiator)
    assert set(category(batch, "funding").values()) <= set(Funding)
