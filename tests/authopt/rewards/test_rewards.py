"""A reward has a short name, bounds, and says where it comes from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from authopt.errors import UserError
from authopt.rewards import DEFAULT_REWARD, parse_reward
from tests.factories import logged_batch


def test_the_default_reward_is_the_approval() -> None:
    assert parse_reward("approved") is DEFAULT_REWARD
    assert DEFAULT_REWARD.bounds == (0.0, 1.0)
    assert DEFAULT_REWARD.currency is None


def test_a_column_reward_reads_its_column_and_declares_its_bounds() -> None:
    reward = parse_reward("column:margin:-5:100")
    batch = replace(logged_batch(2), outcome={"margin": np.array([1.0, -2.0])})
    assert reward.columns == ("margin",)
    assert reward.bounds == (-5.0, 100.0)
    assert reward.of(batch).tolist() == [1.0, -2.0]


@pytest.mark.parametrize("text", ["approved", "column:margin:-5:100", "column:margin:0.25:1"])
def test_a_reward_gives_the_text_that_makes_it(text: str) -> None:
    assert parse_reward(text).spec == text


def test_an_outcome_that_is_not_there_is_unknown_not_zero() -> None:
    assert np.isnan(DEFAULT_REWARD.of(replace(logged_batch(3), outcome={}))).all()


@pytest.mark.parametrize(
    "text", ["", "profit", "column:x", "column:x:1:0", "column:x:a:b", "money:"]
)
def test_an_unknown_reward_is_a_clear_error(text: str) -> None:
    with pytest.raises(UserError, match="Expected 'approved'"):
        parse_reward(text)
