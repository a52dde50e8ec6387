from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from authopt.features.vw_features import learn_vw_features
from authopt.features.vw_text import VwText
from authopt.learning.targets import action_targets, one_by_one
from tests.factories import logged_batch


def test_a_score_is_the_model_and_at_the_logged_action_its_weighted_error_too() -> None:
    batch = logged_batch(50)
    expected = np.random.default_rng(1).random(batch.m)
    score = action_targets(batch, batch.reward, expected, least_propensity=0.0)
    at = batch.chosen_action
    others = np.setdiff1d(np.arange(batch.m), at)
    assert np.array_equal(score[others], expected[others])
    error = (batch.reward - expected[at]) / batch.propensity
    assert np.allclose(score[at], expected[at] + error)


@given(
    propensity=st.floats(0.05, 0.95),
    expected=st.floats(0.0, 1.0),
    reward=st.floats(0.0, 1.0),
)
def test_the_mean_score_is_the_reward_whatever_the_model_says(
    propensity: float, expected: float, reward: float
) -> None:
    taken = expected + (reward - expected) / propensity
    batch = logged_batch(1, routes=("adyen",))
    found = action_targets(
        type(batch)(
            **{
                **{name: getattr(batch, name) for name in batch.__dataclass_fields__},
                "propensity": np.array([propensity]),
            }
        ),
        np.array([reward]),
        np.array([expected]),
    )
    assert np.isclose(found[0], taken)
    assert np.isclose(propensity * taken + (1 - propensity) * expected, reward)


def test_a_small_propensity_weighs_no_more_than_the_least_one() -> None:
    from dataclasses import replace

    batch = replace(logged_batch(1, routes=("adyen",)), propensity=np.array([1e-9]))
    assert action_targets(batch, np.ones(1), np.zeros(1), least_propensity=0.05)[0] == 20.0


def test_a_pair_is_written_as_its_line_is_in_the_whole_decision() -> None:
    batch = logged_batch(20, with_stop=True)
    text = VwText(learn_vw_features(batch))
    actions = np.array([0, 5, 6, 79], np.int64)
    pairs = [
        line for block in text.blocks(one_by_one(batch, actions)) for line in block.to_pylist()
    ]
    whole = [line for block in text.blocks(batch.decisions()) for line in block.to_pylist()]
    for pair, action in zip(pairs, actions.tolist(), strict=True):
        shared, *lines = whole[action // 4].splitlines()
        assert pair == f"{shared}\n{lines[action % 4]}\n\n"
