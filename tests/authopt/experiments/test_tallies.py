"""All that an experiment keeps, and what is read from it."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authopt.experiments.guardrails import Guardrail
from authopt.experiments.reading import Reading, read
from authopt.experiments.tallies import Finished, SavedTallies, Tallies
from authopt.experiments.verdict import Answer


def _finished(n: int, seed: int = 1, gain: float = 0.0) -> Finished:
    rng = np.random.default_rng(seed)
    arm, known = rng.integers(0, 2, n), rng.random(n)
    value = (rng.random(n) < 0.3 + 0.4 * known + gain * arm).astype(np.float64)
    latency = np.where(rng.random(n) < 0.5, np.nan, rng.gamma(2.0, 100.0, n))
    return Finished(
        arm=arm,
        value=value,
        metrics={"paid": value, "attempts": 1.0 + rng.poisson(0.3, n), "latency_ms": latency},
        labels={"network": rng.choice(["visa", "amex"], n).tolist()},
        covariates=known[:, None],
    )


def _part(whole: Finished, some: slice) -> Finished:
    return Finished(
        whole.arm[some],
        whole.value[some],
        {name: each[some] for name, each in whole.metrics.items()},
        {name: each[some] for name, each in whole.labels.items()},
        covariates=None if whole.covariates is None else whole.covariates[some],
    )


def _empty(covariates: int = 1) -> Tallies:
    return Tallies.of(("live", "new"), (0.5, 0.5), segments=("network",), covariates=covariates)


@given(st.lists(st.integers(0, 700), max_size=4))
@settings(max_examples=10, deadline=None)
def test_adding_in_parts_with_saving_in_between_reads_as_adding_all_at_once(
    ends: list[int],
) -> None:
    whole, tallies = _empty(), _empty()
    whole.add(_finished(700))
    for start, end in zip([0, *sorted(ends)], [*sorted(ends), 700], strict=True):
        tallies.add(_part(_finished(700), slice(start, end)))
        saved = msgspec.json.encode(tallies.saved())
        tallies = Tallies.restored(msgspec.json.decode(saved, type=SavedTallies))
    one, other = whole.saved(), tallies.saved()
    assert one.value == other.value
    assert one.segments == other.segments
    for each, same in zip(read(whole).differences, read(tallies).differences, strict=True):
        assert each.lower == pytest.approx(same.lower, abs=1e-7)


def test_a_metric_counts_only_payments_of_which_it_is_known() -> None:
    tallies, finished = _empty(), _finished(500)
    tallies.add(finished)
    known = int((~np.isnan(finished.metrics["latency_ms"])).sum())
    assert tallies.metrics["latency_ms"].moments[:, 0].sum() == known
    assert set(tallies.measured()) == {"paid", "attempts", "latency_ms"}


def test_units_are_counted_once_however_many_payments_they_have() -> None:
    tallies = Tallies.of(("live", "new"), (0.5, 0.5), clustered=True)
    unit = np.array([7, 7, 8, 9, 8], np.uint64)
    new = np.array([True, False, True, True, False])
    tallies.add(Finished(np.array([0, 0, 1, 1, 1]), np.ones(5), unit=unit, new=new))
    assert tallies.units.tolist() == [1, 2]


def test_what_is_read_is_plain_json_and_says_what_to_do() -> None:
    tallies = _empty()
    tallies.add(_finished(8_000, gain=0.1))
    found = read(tallies, [Guardrail("attempts", 0.2), Guardrail("fees_minor", 1.0)])
    assert found.verdict.answer is Answer.SHIP
    assert found.unmeasured == ["fees_minor"]
    assert found.units == [int((_finished(8_000).arm == each).sum()) for each in (0, 1)]
    again = msgspec.json.decode(msgspec.json.encode(found), type=Reading)
    assert again == found


def test_covariates_decide_and_the_plain_differences_stand_beside() -> None:
    tallies = _empty()
    tallies.add(_finished(8_000, gain=0.1))
    found = read(tallies)
    assert 0.03 < (found.variance_reduction or 0.0) < 0.1
    (adjusted,), (plain,) = found.differences, found.unadjusted
    assert adjusted.estimate == pytest.approx(plain.estimate, abs=0.01)
    assert (adjusted.standard_error or 1.0) < (plain.standard_error or 0.0)
