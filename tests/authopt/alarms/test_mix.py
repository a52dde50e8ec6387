"""Drift of a mix of values."""

import numpy as np

from authopt.alarms.mix import HOUR_US, MixTally, MixTest

TEST = MixTest(least_days=3)


def _judged(shares_of_day, days=10, per_hour=60, seed=1):
    rng, tally, found = np.random.default_rng(seed), MixTally(), []
    for hour in range(24 * days):
        counts = rng.multinomial(per_hour, shares_of_day(hour / 24))
        named = dict(zip("abc", counts.astype(float).tolist(), strict=True))
        judged = tally.add(hour * HOUR_US, named, TEST)
        if judged is not None:
            found.append((hour / 24, judged))
    return found


def test_a_mix_that_stays_has_an_index_within_what_chance_allows():
    found = _judged(lambda _: [0.5, 0.3, 0.2])

    assert len(found) > 100
    assert not any(each.drifted for _, each in found)
    assert all(each.index <= each.chance for _, each in found)


def test_the_course_of_a_day_is_no_drift():
    found = _judged(lambda day: [0.7, 0.2, 0.1] if day % 1 < 0.5 else [0.2, 0.3, 0.5])

    assert not any(each.drifted for _, each in found)


def test_a_mix_that_changes_is_found_within_a_day_and_names_what_changed():
    found = _judged(lambda day: [0.5, 0.3, 0.2] if day < 7 else [0.1, 0.3, 0.6])

    first = next((day, each) for day, each in found if each.drifted)
    assert 7.0 < first[0] <= 8.0
    assert first[1].value in "ac"


def test_a_mix_that_stays_changed_becomes_the_usual_one():
    found = _judged(lambda day: [0.5, 0.3, 0.2] if day < 7 else [0.1, 0.3, 0.6], days=60)

    assert found[-1][1].settled


def test_nothing_is_judged_of_a_few_days():
    assert _judged(lambda _: [1.0, 0.0, 0.0], days=3) == []
