from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authopt.batch import LoggedBatch
from authopt.errors import UserError
from authopt.policies.success_rate import SuccessRate
from tests.factories import logged_batch


def parts(batch: LoggedBatch, size: int) -> list[LoggedBatch]:
    return [batch.take(slice(start, start + size)) for start in range(0, batch.n, size)]


def test_it_finds_the_best_route_of_each_network() -> None:
    policy = SuccessRate(window=2000)
    batch = logged_batch(6000)
    policy.update(batch)
    networks = batch.context["network"]
    probability = policy.probabilities(batch).reshape(-1, 3)
    # The rates of tests.factories: visa does best by braintree, mastercard by checkout.
    for network, best in ((0, 1), (1, 2)):
        rows = probability[networks.codes == network]  # type: ignore[union-attr]
        assert rows.argmax(1).tolist() == [best] * len(rows)
        assert rows[0, best] == pytest.approx(0.95 + 0.05 / 3)


def test_it_forgets_what_left_the_window() -> None:
    policy = SuccessRate(window=50, dimensions=())
    batch = logged_batch(3000, uniform_logging=True)
    taken = batch.action_route[batch.chosen_action]
    first = replace(batch, reward=(taken == 0).astype(np.float64))
    policy.update(first)
    assert policy.probabilities(batch)[:3].argmax() == 0
    policy.update(replace(batch, reward=(taken == 2).astype(np.float64)))
    assert policy.probabilities(batch)[:3].argmax() == 2


def test_before_it_has_seen_anything_all_routes_are_alike() -> None:
    probability = SuccessRate().probabilities(logged_batch(2, with_stop=True)).reshape(-1, 4)
    assert probability[0].tolist() == pytest.approx([0.95 / 3 + 0.0125] * 3 + [0.0125])


def test_a_kind_of_payment_never_seen_gets_the_rates_over_all() -> None:
    policy = SuccessRate(hedging=0.0)
    batch = logged_batch(4000)
    policy.update(batch)
    new = logged_batch(1)
    new = replace(new, context={**new.context, "network": new.context["currency"]})
    expected = max(batch.routes, key=policy.overall_rate)
    assert batch.routes[int(policy.probabilities(new).argmax())] == expected


@given(size=st.integers(1, 120))
@settings(max_examples=15, deadline=None)
def test_learning_in_parts_is_learning_at_once(size: int) -> None:
    batch = logged_batch(240)
    whole, by_parts = SuccessRate(window=20), SuccessRate(window=20)
    whole.update(batch)
    for part in parts(batch, size):
        by_parts.update(part)
    assert np.array_equal(whole.probabilities(batch), by_parts.probabilities(batch))


def test_saving_and_loading_restores_it_exactly_and_it_learns_on(tmp_path: Path) -> None:
    policy = SuccessRate(window=30, hedging=0.1, dimensions=("network", "currency"), strength=3.5)
    first, second = parts(logged_batch(400), 200)
    money = np.random.default_rng(0).normal(size=200)
    policy.update(replace(first, reward=money))
    policy.save(tmp_path / "rates.json")
    restored = SuccessRate.load(tmp_path / "rates.json")
    for each in (policy, restored):
        each.update(replace(second, reward=money[::-1]))
    assert np.array_equal(policy.probabilities(second), restored.probabilities(second))
    policy.save(tmp_path / "one.json")
    restored.save(tmp_path / "other.json")
    assert (tmp_path / "one.json").read_bytes() == (tmp_path / "other.json").read_bytes()


def test_unknown_outcomes_and_stop_teach_nothing() -> None:
    batch = logged_batch(100, with_stop=True)
    policy = SuccessRate()
    policy.update(replace(batch, reward=np.full(100, np.nan)))
    stopped = replace(batch, chosen=np.full(100, 3), reward=np.ones(100))
    policy.update(stopped)
    fresh = SuccessRate().probabilities(batch)
    assert np.array_equal(policy.probabilities(batch), fresh)


def test_a_missing_dimension_is_a_kind_of_its_own() -> None:
    policy = SuccessRate(dimensions=("issuer", "network"))
    batch = logged_batch(200)
    policy.update(batch)
    assert policy.probabilities(batch).shape == (batch.m,)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"window": 0}, "window"),
        ({"hedging": 1.5}, "hedging"),
        ({"strength": 0.0}, "strength"),
        ({"dimensions": ("amount_minor",)}, "amount_minor.*network"),
        ({"dimensions": ("colour",)}, "colour"),
    ],
)
def test_impossible_options_are_refused(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(UserError, match=said):
        SuccessRate(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text",
    [
        "not json",
        '{"policy": "best-route", "routes": []}',
        '{"policy":"success-rate","window":0,"hedging":0,"dimensions":[],"strength":1,"windows":[]}',
        '{"policy":"success-rate","window":9,"hedging":0,"dimensions":[],"strength":1,'
        '"windows":[{"route":"a","values":["visa"],"rewards":[1]}]}',
    ],
)
def test_another_file_is_refused_by_name(tmp_path: Path, text: str) -> None:
    path = tmp_path / "other.json"
    path.write_text(text)
    with pytest.raises(UserError, match=r"other\.json"):
        SuccessRate.load(path)
