"""The chances that the world states are those by which attempts end, wherever they are read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from authopt.batch import BoolArray, Categorical, DecisionBatch, LoggedBatch, concat
from authopt.logs.files import read_log, write_log
from authopt.policies.uniform import Uniform
from simulator.simulate import simulate
from simulator.traffic import Traffic
from simulator.world import make_world
from simulator.world.cast import ISSUER_WALK, ROUTE_WALK
from tests.simulator.world.sample import ROUTER, WORLD, category, has, log, numbers


def strata(batch: LoggedBatch) -> Iterator[tuple[str, BoolArray]]:
    for attempt in range(1, 6):
        yield f"attempt {attempt}", batch.attempt == attempt
    for name in ("merchant_id", "network", "funding", "issuer_country", "previous_response_code"):
        for value in category(batch, name).categories:
            yield f"{name} {value}", has(batch, name, value)
    for name in ("token", "three_ds", "local_day", "x_data_updated"):
        column = numbers(batch, name)
        for number in np.unique(column):
            yield f"{name} {number}", column == number
    yield "likely fraud", numbers(batch, "fraud_score") > 0.2
    route = batch.action_route[batch.chosen_action]
    for place, name in enumerate(batch.routes):
        yield f"route {name}", route == place
    delay_s = batch.action_delay_s[batch.chosen_action]
    for wait in np.unique(delay_s):
        yield f"delay {wait}", delay_s == wait


def worst_deviation(batch: LoggedBatch) -> float:
    chance = WORLD.approval_probability(batch)[batch.chosen_action]
    worst = 0.0
    for name, rows in strata(batch):
        if rows.sum() < 30:
            continue
        deviation = batch.reward[rows].sum() - chance[rows].sum()
        spread = np.sqrt((chance[rows] * (1 - chance[rows])).sum())
        if spread < 1e-3:
            assert abs(deviation) < 1e-3, name
            continue
        worst = max(worst, abs(deviation) / spread)
    return worst


def test_in_every_stratum_approvals_are_as_frequent_as_the_world_says() -> None:
    # About 110 strata: the largest of as many standard normal values is rarely above 4.
    assert worst_deviation(log(40_000, seed=2)) < 4.2


@pytest.mark.slow
@pytest.mark.parametrize("seed", [11, 12, 13])
def test_in_every_stratum_of_long_logs_too(seed: int) -> None:
    assert (
        worst_deviation(concat(list(simulate(WORLD, Traffic(200_000, seed=seed), Uniform())))) < 4.4
    )


def test_chances_are_probabilities_and_stop_has_none() -> None:
    batch = log(4_000)
    chance = WORLD.approval_probability(batch)
    assert ((chance >= 0) & (chance < 1)).all()
    assert (chance[batch.is_stop] == 0).all()


def test_a_log_read_from_a_file_has_the_same_chances(tmp_path: Path) -> None:
    batch = log(3_000)
    path = tmp_path / "log.parquet"
    write_log(path, [batch])
    read = read_log(path)
    assert np.array_equal(WORLD.approval_probability(read), WORLD.approval_probability(batch))
    again = WORLD.with_outcome(read, 1)
    for name in ("response_code", "advice_code"):
        assert category(again, name).values() == category(batch, name).values()
    assert np.array_equal(again.reward, batch.reward)


def test_the_chance_of_a_decision_does_not_depend_on_its_neighbours() -> None:
    batch = log(400)
    whole = WORLD.approval_probability(batch)
    alone = [WORLD.approval_probability(batch.take(slice(i, i + 1))) for i in range(60)]
    assert np.allclose(whole[: batch.offsets[60]], np.concatenate(alone), rtol=1e-12, atol=0)


def test_the_luck_of_the_draw_hangs_on_the_seed_and_the_chances_do_not() -> None:
    batch = log(4_000)
    other = WORLD.with_outcome(batch, 99)
    assert not np.array_equal(other.reward, batch.reward)
    assert np.array_equal(WORLD.approval_probability(other), WORLD.approval_probability(batch))


def test_no_route_is_the_best_for_every_issuer() -> None:
    batch = log()
    first = batch.take(np.flatnonzero((batch.attempt == 1) & has(batch, "currency", "USD")))
    chance = WORLD.approval_probability(first)
    issuer = np.repeat(category(first, "issuer").codes, first.counts)
    best = set()
    for code in np.unique(issuer):
        rows = issuer == code
        places = np.unique(first.action_route[rows])
        means = [chance[rows & (first.action_route == place)].mean() for place in places]
        best.add(int(places[np.argmax(means)]))
    assert len(best) >= 3


def test_local_acquiring_is_strong_in_brazil() -> None:
    world = make_world()
    batch = world.arrivals(Traffic(20_000, seed=1), 0, 20_000)
    rows = has(batch, "issuer_country", "BR") & has(batch, "currency", "BRL")
    first = batch.take(np.flatnonzero(rows))
    chance = world.approval_probability(first)
    mean = {name: chance[first.action_route == first.routes.index(name)].mean()
            for name in ("meridian", "ipanema")}  # fmt: skip
    assert mean["ipanema"] > mean["meridian"] + 0.01


@pytest.mark.parametrize("column", ["issuer", "merchant_id", "currency"])
def test_a_decision_from_another_world_has_no_known_chance(column: str) -> None:
    batch = log(400).take(slice(0, 3)).decisions()
    strange = Categorical(np.zeros(3, np.int32), ("nobody",))
    other = replace(batch, context={**batch.context, column: strange})
    with pytest.raises(ValueError, match="not of this world"):
        WORLD.approval_probability(other)


def test_a_card_or_a_route_from_another_world_has_no_known_chance() -> None:
    batch = log(400).take(slice(0, 3)).decisions()
    cards = batch.context["card_ref"].take([0, 1, 2]).to_pylist()
    for strange in (["c99999999", *cards[1:]], ["x1", *cards[1:]]):
        column = type(batch.context["card_ref"]).from_pandas(strange)
        with pytest.raises(ValueError, match="'card_ref': not of this world"):
            WORLD.approval_probability(
                replace(batch, context={**batch.context, "card_ref": column})
            )
    routes = tuple("elsewhere" if name == "meridian" else name for name in batch.routes)
    with pytest.raises(ValueError, match="not of this world"):
        WORLD.approval_probability(replace(batch, routes=routes))


def retry_chances(batch: DecisionBatch, code: str) -> dict[int, float]:
    """Mean chance of a bill's retry by its delay, after a response code."""
    rows = has(batch, "previous_response_code", code) & has(batch, "initiator", "mit")
    retries = batch.take(np.flatnonzero(rows))
    chance = WORLD.approval_probability(retries)
    made = ~retries.is_stop
    return {int(delay): float(chance[made & (retries.action_delay_s == delay)].mean())
            for delay in WORLD.delays_s if delay != 120}  # fmt: skip


def test_missing_funds_return_with_days_not_within_the_hour() -> None:
    chance = retry_chances(log(), "51")
    assert chance[3_600] < 0.05
    assert chance[86_400] < chance[3 * 86_400] < chance[7 * 86_400]
    assert chance[5 * 86_400] > 0.2


def test_an_issuer_that_does_not_answer_is_back_after_hours() -> None:
    chance = retry_chances(log(), "91")
    assert chance[0] < 0.4 < 0.7 < chance[6 * 3_600]


def test_a_refusal_is_held_against_the_same_route_more() -> None:
    batch = log()
    rows = np.flatnonzero(has(batch, "previous_response_code", "05") & (batch.attempt == 2))
    at_once = batch.take(rows)
    chance = WORLD.approval_probability(at_once)
    previous = category(at_once, "previous_route").recode(at_once.routes)
    now = (at_once.action_delay_s == 0) & ~at_once.is_stop
    same = at_once.action_route == np.repeat(previous, at_once.counts)
    assert chance[now & same].mean() < 0.8 * chance[now & ~same].mean()


def test_many_declines_within_a_day_cost_approvals_until_a_day_has_gone() -> None:
    batch = log()
    batch = batch.take(np.flatnonzero((batch.attempt > 1) & has(batch, "initiator", "mit")))
    few, many = (
        WORLD.approval_probability(
            replace(batch, context={**batch.context, "card_declines_24h": np.full(batch.n, number)})
        )
        for number in (1.0, 9.0)
    )
    soon = batch.action_delay_s < 86_400
    assert (many[soon] <= few[soon]).all()
    assert many[soon].sum() < 0.5 * few[soon].sum()
    assert np.array_equal(many[~soon], few[~soon])


def test_strictness_and_strength_walk_slowly_around_their_means() -> None:
    cast = WORLD.cast
    for walk, spread in ((cast.issuer_walk, ISSUER_WALK), (cast.route_walk, ROUTE_WALK)):
        assert walk.std() == pytest.approx(spread, rel=0.15)
        assert np.diff(walk, axis=1).std() < 0.6 * spread


def test_probabilities_of_the_router_give_no_rule_breaking_action() -> None:
    batch = log(400)
    assert np.allclose(batch.sum_by_decision(ROUTER.probabilities(batch.decisions())), 1.0)
