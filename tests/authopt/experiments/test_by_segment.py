"""Comparisons within segments."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from authopt.errors import UserError
from authopt.experiments.arm_tally import ArmTally
from authopt.experiments.by_segment import MISSING, SavedSegments, SegmentTallies
from authopt.experiments.difference import difference
from tests.authopt.experiments.units import drawn

LIKE = ArmTally(("live", "new"), (0.5, 0.5))


def test_a_segment_is_an_experiment_of_its_own_with_its_part_of_the_error() -> None:
    arm, value = drawn(2_000, (0.9, 0.8), 1)
    network = np.where(np.arange(2_000) % 3, "visa", "amex")
    tallies = SegmentTallies.of(LIKE, ["network", "funding"])
    tallies.add({"network": network.tolist(), "funding": [None] * 2_000}, arm, value)
    found = {(each.column, each.segment): each for each in tallies.differences(0.05)}
    assert list(found) == [("network", "amex"), ("network", "visa"), ("funding", MISSING)]
    alone = ArmTally(("live", "new"), (0.5, 0.5))
    alone.add(arm[network == "visa"], value[network == "visa"])
    expected = difference(alone, "new", alpha=0.05 / 2 / 6)
    assert found["network", "visa"].difference == expected
    assert found["network", "visa"].units == int((network == "visa").sum())


def test_however_many_segments_come_their_errors_add_up_to_no_more_than_all_of_it() -> None:
    tallies = SegmentTallies.of(LIKE, ["a", "b"])
    names = [f"{number}" for number in range(60)]
    tallies.add({"a": names, "b": names}, np.zeros(60, np.int64), np.ones(60))
    spent = sum(1.0 - each.difference.confidence for each in tallies.differences(0.05))
    assert 0.045 < spent <= 0.05


def test_they_go_on_from_where_they_were_saved() -> None:
    arm, value = drawn(400, (0.9, 0.8), 2)
    labels = {"network": ["visa", None] * 200}
    whole, parts = SegmentTallies.of(LIKE, ["network"]), SegmentTallies.of(LIKE, ["network"])
    whole.add(labels, arm, value)
    for some in (slice(0, 150), slice(150, 400)):
        parts.add({"network": labels["network"][some]}, arm[some], value[some])
        saved = msgspec.json.encode(parts.saved())
        parts = SegmentTallies.restored(msgspec.json.decode(saved, type=SavedSegments))
    assert parts.saved() == whole.saved()


def test_too_many_segments_are_refused() -> None:
    tallies = SegmentTallies.of(LIKE, ["id"])
    with pytest.raises(UserError, match="more than 500 values"):
        tallies.add({"id": [str(n) for n in range(501)]}, np.zeros(501, np.int64), np.ones(501))
