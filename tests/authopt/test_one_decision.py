"""One decision alone is decided as it is among others, to the last bit."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authopt.batch import Categorical, DecisionBatch, FloatArray
from authopt.decision import Decided, decide, decide_safely
from authopt.hashing import hash_text
from authopt.sampling import normalise, normalise_one, total_of
from tests.authopt.policies.batches import Decision, batch_of, decisions

CODES = (None, "05", "14", "41", "51", "54", "nonsense")


@dataclass(frozen=True)
class Uneven:
    """Numbers of any size, the same for a decision whatever the others are; some unsound."""

    unsound: bool = False
    name: str = "uneven"

    def probabilities(self, batch: DecisionBatch) -> FloatArray:
        found: list[float] = []
        for row, name in enumerate(batch.decision_id.to_pylist()):
            rng = np.random.default_rng(hash_text(name))
            given = rng.exponential(size=int(batch.counts[row])) ** 6
            if self.unsound and rng.random() < 0.5:
                given[0] = rng.choice([np.nan, np.inf, -1.0])
            found += given.tolist()
        return np.array(found)


def told(decided: Decided, row: int) -> dict[str, object]:
    batch = decided.batch
    at = slice(int(batch.offsets[row]), int(batch.offsets[row + 1]))
    return {
        "actions": batch.actions(row),
        "rate": np.asarray(batch.action_features["rate"])[at].tobytes(),
        "keep": decided.keep[at].tolist(),
        "reasons": [decided.reasons[each] if each >= 0 else "" for each in decided.reason[at]],
        "probability": decided.probability[at].tolist(),
        "chosen": int(decided.chosen[row]),
        "propensity": float(decided.propensity[row]),
        "fell back": bool(decided.fell_back[row]),
    }


@given(rows=decisions(), codes=st.lists(st.sampled_from(CODES), min_size=6, max_size=6))
@settings(max_examples=100, deadline=None)
@pytest.mark.parametrize("unsound", [False, True])
def test_a_decision_alone_is_decided_as_among_others(
    unsound: bool, rows: list[Decision], codes: list[str | None]
) -> None:
    batch = batch_of(rows)
    previous = Categorical.from_values(codes[: batch.n])
    batch = replace(batch, context={**batch.context, "previous_response_code": previous})
    policy = Uneven(unsound)

    def found(some: DecisionBatch) -> Decided:
        if unsound:
            return decide_safely(some, policy, ("checkout", "adyen"))
        return decide(some, policy)

    # Twice the same decisions: a batch of one is never compared with itself.
    among = found(batch.take(np.arange(2 * batch.n) % batch.n))
    for row in range(batch.n):
        alone = found(batch.take(slice(row, row + 1)))
        assert told(alone, 0) == told(among, row)
        for name in ("keep", "reason", "probability", "chosen", "propensity", "fell_back"):
            assert getattr(alone, name).dtype == getattr(among, name).dtype
        assert np.array_equal(
            alone.logged().propensity, alone.logged().probability[alone.logged().chosen_action]
        )


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=40))
@settings(max_examples=200, deadline=None)
def test_numbers_are_added_in_the_order_of_a_batch(numbers: list[float]) -> None:
    k = len(numbers)
    twice = np.array([*numbers, *numbers])
    totals = np.add.reduceat(twice, [0, k])
    assert total_of(numbers) == totals[0] == totals[1]
    if totals[0] > 0:
        row = Decision(
            1, tuple((f"r{place}", 0) for place in range(k)), None, 1.0, None, (0.0,) * k
        )
        of_batch = normalise(batch_of([row, row]), twice)
        assert normalise_one(numbers) == of_batch[:k].tolist()


@pytest.mark.parametrize("numbers", [[np.nan, 1.0], [np.inf, 1.0], [-0.1, 1.1], [0.0, 0.0]])
def test_what_is_no_distribution_is_refused(numbers: list[float]) -> None:
    with pytest.raises(ValueError, match="probabilit"):
        normalise_one(numbers)
