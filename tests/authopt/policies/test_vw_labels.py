from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authopt.policies.vw_labels import (
    BAD_COST,
    BAD_PROBABILITY,
    NO_COST,
    NO_PROBABILITY,
    check_labels,
    labels,
)

ANY = st.floats(allow_nan=True, allow_infinity=True)


@pytest.mark.parametrize(
    ("cost", "probability", "reason"),
    [
        (float("nan"), 0.5, NO_COST),
        (float("inf"), 0.5, BAD_COST),
        (-float("inf"), 0.5, BAD_COST),
        (1e300, 0.5, BAD_COST),
        (-1.0, float("nan"), NO_PROBABILITY),
        (-1.0, 0.0, BAD_PROBABILITY),
        (-1.0, -0.1, BAD_PROBABILITY),
        (-1.0, 1.0000001, BAD_PROBABILITY),
        (-1.0, 2.5, BAD_PROBABILITY),
        (-1.0, float("inf"), BAD_PROBABILITY),
        (-1.0, 1e-60, BAD_PROBABILITY),
    ],
)
def test_a_label_that_would_spoil_the_model_is_found_counted_and_never_written(
    cost: float, probability: float, reason: str
) -> None:
    costs, probabilities = np.array([-1.0, cost]), np.array([0.25, probability])
    problems = check_labels(costs, probabilities)
    assert problems.sound.tolist() == [True, False]
    assert problems.left_out == {reason: 1}
    with pytest.raises(ValueError, match="spoil"):
        labels(costs, probabilities)


def test_rows_that_are_not_asked_about_are_not_counted() -> None:
    problems = check_labels(np.full(3, np.nan), np.ones(3), np.array([True, False, True]))
    assert problems.left_out == {NO_COST: 2}
    assert not problems.sound.any()


@given(costs=st.lists(ANY, max_size=8), probability=ANY)
@settings(deadline=None)
def test_every_sound_label_reads_back_as_the_numbers_it_was_written_from(
    costs: list[float], probability: float
) -> None:
    cost, given_probability = np.array(costs, np.float64), np.full(len(costs), probability)
    sound = check_labels(cost, given_probability).sound
    written = labels(cost[sound], given_probability[sound]).to_pylist()
    read = [tuple(map(float, label.split(":"))) for label in written]
    assert read == [(0.0, each, probability) for each in cost[sound].tolist()]


def test_vw_stays_sane_on_the_smallest_and_largest_sound_labels() -> None:
    from vowpalwabbit import Workspace

    tiny, huge = float(np.finfo(np.float32).tiny), 1e6
    vw = Workspace("--cb_explore_adf --clip_p 0.001 --quiet")
    for cost, probability in ((-1.0, tiny), (huge, tiny), (-huge, 1.0)):
        label = labels(np.array([cost]), np.array([probability]))[0].as_py()
        vw.learn(f"shared |c x\n{label} |r a\n|r b\n\n")
    found = vw.predict("shared |c x\n|r a\n|r b\n\n")
    vw.finish()
    assert np.isfinite(found).all()
