from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from authopt.evaluation.columns import PARAMETRIC, Columns, product
from authopt.evaluation.terms import Terms

Array = npt.NDArray[np.float64]

W = np.array([0.0, 0.5, 2.0, 40.0])
R = np.array([1.0, 0.0, 1.0, 0.5])
Q = np.array([0.9, 0.2, 0.4, 0.8])
V = np.array([0.7, 0.3, 0.6, 0.1])


def columns(w: Array | None = W) -> Columns:
    return Columns(Terms(w=w, r=R, q=Q, v=V, largest_weight=40.0, w_embedded={"route": 2.0 * W}))


def test_a_product_is_named_the_same_in_either_order() -> None:
    assert product("wr", "coverage") == product("coverage", "wr") == "coverage*wr"
    assert columns().given("coverage*wr") == pytest.approx(W * W * R)


def test_the_clipped_weight_is_at_most_the_parameter() -> None:
    assert columns().given("clip@3") == pytest.approx(np.array([0.0, 0.5, 2.0, 3.0]) * R)


def test_switching_leaves_rows_of_large_weight_to_the_model() -> None:
    assert columns().given("switch@2") == pytest.approx(
        V + np.array([0.0, 0.5, 2.0, 0.0]) * (R - Q)
    )


def test_optimistic_shrinkage_takes_large_weights_back_to_small_ones() -> None:
    cut = 10.0 * W / (W**2 + 10.0)
    assert columns().given("dros@10") == pytest.approx(V + cut * (R - Q))
    assert cut[3] < cut[2]


def test_the_power_mean_bounds_weights_by_one_over_the_parameter() -> None:
    cut = W / (0.9 + 0.1 * W)
    assert columns().given("sg@0.1") == pytest.approx(cut * R)
    assert columns().given("sgdr@0.1") == pytest.approx(V + cut * (R - Q))
    assert cut.max() < 10.0


def test_with_all_weight_on_the_harmonic_side_every_row_taken_counts_once() -> None:
    assert columns().given("sg@1") == pytest.approx([0.0, 0.0, 1.0, 0.5])
    assert columns().given("sgdr@1") == pytest.approx(V + (W > 0) * (R - Q))


def test_marginalised_weights_are_those_of_the_feature() -> None:
    assert columns().given("mips@route") == pytest.approx(2.0 * W * R)


def test_without_large_weights_nothing_is_clipped_or_switched() -> None:
    some = columns()
    assert some["clip@40"] is some["wr"]
    assert some["switch@40"] is some["dr"]


def test_of_the_logging_policy_no_weight_is_cut() -> None:
    own = columns(None)
    for name in ("clip@1", "sg@0.3"):
        assert own.given(name) == pytest.approx(R)
    for name in ("switch@1", "sgdr@0.3"):
        assert own.given(name) == pytest.approx(V + R - Q)


def test_a_column_of_predictions_needs_a_model() -> None:
    with pytest.raises(ValueError, match="reward model"):
        Columns(Terms(w=W, r=R, largest_weight=40.0))["switch@3"]


@given(
    st.lists(st.floats(0.0, 1e6, allow_subnormal=False), min_size=1, max_size=20),
    st.floats(0.0, 1.0),
    st.sampled_from(sorted(set(PARAMETRIC) - {"mips"})),
)
def test_no_column_of_cut_weights_makes_a_weight_larger(
    weights: list[float], share: float, name: str
) -> None:
    w = np.array(weights)
    n = len(w)
    parameter = share if name in ("sg", "sgdr") else 1e4 * share + 1e-9
    terms = Terms(w=w, r=np.ones(n), q=np.zeros(n), v=np.zeros(n), largest_weight=1e6)
    cut = Columns(terms).given(f"{name}@{parameter!r}")
    largest = np.maximum(w, 1.0) if name in ("sg", "sgdr") else w
    assert bool(np.isfinite(cut).all())
    assert bool((cut >= 0.0).all())
    assert bool((cut <= largest * (1 + 1e-12) + 1e-300).all())
