from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import msgspec
import numpy as np
import pytest

from authopt.batch import Categorical, DecisionBatch
from authopt.errors import UserError
from authopt.features.tabular import CategoryFeature, Features, NumberFeature
from authopt.learning.best_time import fit_best_time
from authopt.policies.best_time import BestTime
from authopt.policies.best_time.trees import LEAF, Tree
from authopt.policies.spec import load_policy
from tests.authopt.learning.timed_log import timed_log, training_log
from tests.authopt.policies.batches import Decision, batch_of

DAY = 86_400


@cache
def model() -> BestTime:
    return fit_best_time([training_log()])


def split(column: int, threshold: float, codes: tuple[int, ...] | None, *values: float) -> Tree:
    """A tree of one split; what is missing goes left."""
    return Tree(
        (column, LEAF, LEAF),
        (threshold, 0.0, 0.0),
        (codes, None, None),
        (True, False, False),
        (1, 0, 0),
        (2, 0, 0),
        (0.0, *values),
    )


def by_route_and_delay() -> BestTime:
    """Braintree is better by 1, and waiting more than an hour by 2."""
    return BestTime.of(
        100,
        0.5,
        Features((CategoryFeature("network", ("visa",)),)),
        Features(
            (
                NumberFeature("delay_s", False, (), 0.0, 1.0),
                CategoryFeature("route", ("adyen", "braintree")),
            )
        ),
        (split(1, 3_600.0, None, 0.0, 2.0), split(2, 0.0, (0, 2), 0.0, 1.0)),
        -1.0,
    )


def one(*actions: tuple[str, int]) -> DecisionBatch:
    return batch_of([Decision(1, actions, "visa", 1.0, None, (0.0,) * len(actions))])


def test_the_likeliest_route_and_delay_are_taken() -> None:
    policy = by_route_and_delay()
    some = one(("adyen", 0), ("braintree", 0), ("adyen", DAY), ("braintree", DAY), ("stop", 0))
    assert policy.logits(some)[:4].tolist() == [-1.0, 0.0, 1.0, 2.0]
    assert policy.probabilities(some).tolist() == [0, 0, 0, 1, 0]


def test_of_equally_likely_actions_the_soonest_are_taken_and_share() -> None:
    policy = by_route_and_delay()
    some = one(("adyen", 3 * DAY), ("adyen", DAY), ("never seen", DAY), ("adyen", 60))
    assert policy.probabilities(some).tolist() == [0, 0.5, 0.5, 0]


def test_a_payment_is_given_up_only_where_there_is_nothing_else() -> None:
    policy = by_route_and_delay()
    assert policy.probabilities(one(("stop", 0), ("adyen", 0))).tolist() == [0, 1]
    assert policy.probabilities(one(("stop", 0))).tolist() == [1]


def test_large_batches_are_decided_as_single_decisions_are() -> None:
    batch = timed_log(1_500, seed=5).decisions()
    together = model().logits(batch)
    rows = [0, 700, 1_023, 1_024, 1_499]
    for row in rows:
        alone = model().logits(batch.take(slice(row, row + 1)))
        assert alone.tolist() == together[batch.offsets[row] : batch.offsets[row + 1]].tolist()


def test_unknown_values_are_decided_too() -> None:
    batch = timed_log(20, seed=6).decisions()
    strange = replace(
        batch,
        routes=("new", *batch.routes[1:]),
        context={"network": Categorical.from_values(["new | one"] * 20)},
    )
    assert np.isfinite(model().logits(strange)).all()


def test_a_saved_model_decides_exactly_as_before(tmp_path: Path) -> None:
    model().save(tmp_path / "best-time.json")
    again = load_policy(f"best-time:{tmp_path / 'best-time.json'}")
    assert isinstance(again, BestTime)
    batch = timed_log(200, seed=7).decisions()
    assert again.logits(batch).tolist() == model().logits(batch).tolist()
    assert (again.rows, again.mean_approval) == (model().rows, model().mean_approval)
    again.save(tmp_path / "again.json")
    first, second = tmp_path / "best-time.json", tmp_path / "again.json"
    assert first.read_bytes() == second.read_bytes()


def test_it_can_be_mixed_with_uniform(tmp_path: Path) -> None:
    by_route_and_delay().save(tmp_path / "best-time.json")
    policy = load_policy(f"best-time:{tmp_path / 'best-time.json'},epsilon=0.1")
    some = one(("adyen", 0), ("braintree", 0))
    assert policy.probabilities(some) == pytest.approx([0.05, 0.95])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"trees": []}, None),
        ({"policy": "best-route"}, "not a fitted best-time model"),
        ({"baseline": "high"}, "not a fitted best-time model"),
        ({"attempt_features": []}, "tests column 1 of 1"),
        ({"extra": 1}, "not a fitted best-time model"),
    ],
)
def test_a_damaged_file_is_refused(
    tmp_path: Path, change: dict[str, object], message: str | None
) -> None:
    path = tmp_path / "best-time.json"
    by_route_and_delay().save(path)
    state = msgspec.json.decode(path.read_bytes())
    path.write_bytes(msgspec.json.encode({**state, **change}))
    if message is None:
        assert BestTime.load(path).trees == ()
        return
    with pytest.raises(UserError, match=message):
        BestTime.load(path)


def test_a_file_is_needed(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="needs a file"):
        load_policy("best-time")
    with pytest.raises(UserError, match="authopt train LOG --policy best-time"):
        load_policy(f"best-time:{tmp_path / 'nowhere.json'}")
