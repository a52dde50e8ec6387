"""The oracle that knows the world's numbers and nothing that is hidden."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from authopt.batch import LoggedBatch, concat
from authopt.errors import UserError
from authopt.policies.uniform import Uniform
from simulator.leaderboard.informed import InformedOracle
from simulator.leaderboard.makers import make_policy
from simulator.leaderboard.places import place_named
from simulator.leaderboard.setting import Setting
from simulator.simulate import simulate
from simulator.truth import value_on


@pytest.fixture(scope="module")
def setting() -> Setting:
    return place_named("cards").setting(800, 3)


@pytest.fixture(scope="module")
def log(setting: Setting) -> LoggedBatch:
    return concat(list(simulate(setting.world, setting.traffic, Uniform())))


def test_its_choice_is_worth_more_than_an_order_and_less_than_what_sees_all(
    setting: Setting, log: LoggedBatch
) -> None:
    batch = log.decisions()
    order = make_policy(f"priority:routes={','.join(setting.order)}", setting)
    informed, static, seeing = (
        float(value_on(setting.world, batch, policy).mean())
        for policy in (
            make_policy("informed-oracle", setting),
            order,
            make_policy("oracle", setting),
        )
    )
    assert static < informed < seeing


def test_it_waits_after_a_lack_of_funds(setting: Setting, log: LoggedBatch) -> None:
    code = np.array(log.context["previous_response_code"].values(), object)  # type: ignore[union-attr]
    batch = log.take(np.flatnonzero(code == "51")).decisions()
    chance = InformedOracle(setting.world).chances(batch)  # type: ignore[arg-type]
    made = ~batch.is_stop
    soon = made & (batch.action_delay_s < 86_400)
    late = made & (batch.action_delay_s >= 3 * 86_400)
    assert chance[late].mean() > 3 * chance[soon].mean()


def test_first_attempts_are_decided_without_what_hangs_on_the_payments_id(
    setting: Setting, log: LoggedBatch
) -> None:
    batch = log.take(np.flatnonzero(log.attempt == 1)[:200]).decisions()
    other = pa.array([f"p77-{number:08d}" for number in range(batch.n)])
    renamed = replace(batch, payment_id=other)
    oracle = InformedOracle(setting.world)  # type: ignore[arg-type]
    np.testing.assert_allclose(oracle.chances(batch), oracle.chances(renamed), rtol=1e-6)


def test_a_decision_does_not_depend_on_the_others(setting: Setting, log: LoggedBatch) -> None:
    oracle = InformedOracle(setting.world)  # type: ignore[arg-type]
    batch = log.decisions().take(slice(0, 120))
    some = np.arange(0, 120, 7)
    whole = oracle.chances(batch)
    rows = np.isin(batch.decision_of_action, some)
    np.testing.assert_allclose(whole[rows], oracle.chances(batch.take(some)), rtol=1e-12)


def test_where_nothing_is_hidden_there_is_no_need_of_it() -> None:
    with pytest.raises(UserError, match="nothing is hidden"):
        make_policy("informed-oracle", place_named("small").setting(1, 1))
