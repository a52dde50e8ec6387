from __future__ import annotations

import itertools
from functools import reduce
from operator import add

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authopt.batch import DecisionBatch, FloatArray, LoggedBatch
from authopt.evaluation.candidates import candidates_of
from authopt.evaluation.engine import add_batches, wanted_of
from authopt.evaluation.judged import Named
from authopt.evaluation.settings import Settings
from authopt.evaluation.summary import summarise
from authopt.evaluation.sums import EvaluationSums
from authopt.evaluation.wanted import Wanted
from authopt.policies.priority import Priority
from authopt.policies.protocol import Policy
from authopt.policies.uniform import Uniform
from authopt.rewards import DEFAULT_REWARD
from tests.factories import logged_batch
from tests.same import assert_same

POLICIES: tuple[Policy, ...] = (Uniform(), Priority(("braintree", "adyen", "checkout")))
SEGMENTS = ("network", "network+attempt", "amount_band")


class _Model:
    """Predicts by route, whatever the rows."""

    def predict(self, batch: DecisionBatch) -> FloatArray:
        return np.array([0.9, 0.7, 0.8])[batch.action_route]


WANTED = wanted_of(DEFAULT_REWARD, _Model(), SEGMENTS, (), True)


def _added(batch: LoggedBatch, wanted: Wanted = WANTED) -> EvaluationSums:
    return add_batches(
        [batch],
        candidates_of(POLICIES, None, None),
        wanted,
        reward_model=_Model(),
        reward=DEFAULT_REWARD,
        cluster="payment_id",
        path=None,
    )


def _answer(sums: EvaluationSums) -> dict[str, object]:
    named = [Named(policy.name, policy.name) for policy in POLICIES]
    return summarise(sums, named, Settings(bootstrap=50, reward_model="by route")).as_json()


@settings(max_examples=20)
@given(st.data())
@pytest.mark.slow
def test_parts_of_a_log_merged_in_any_order_give_the_same_evaluation(data: st.DataObject) -> None:
    n = data.draw(st.integers(2, 60))
    log = logged_batch(n, seed=data.draw(st.integers(0, 1000)))
    cuts = sorted(data.draw(st.sets(st.integers(1, n - 1), max_size=5)))
    edges = itertools.pairwise([0, *cuts, n])
    parts = [_added(log.take(slice(start, end))) for start, end in edges]
    order = data.draw(st.permutations(parts))
    assert_same(_answer(reduce(add, order)), _answer(_added(log)))


def test_sums_made_again_from_their_state_give_the_same_evaluation() -> None:
    sums = _added(logged_batch(300))
    again = EvaluationSums.from_state(sums.state(), len(POLICIES), WANTED)
    assert _answer(again) == _answer(sums)


def test_a_state_holds_plain_arrays_only() -> None:
    state = _added(logged_batch(30)).state()
    assert all(
        isinstance(value, np.ndarray) and not value.dtype.hasobject for value in state.values()
    )
