from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from authopt.evaluation.columns import Columns
from authopt.evaluation.logged_arrays import LoggedArrays
from authopt.evaluation.terms import BadProbabilities, logging_terms, terms_of

LOG = LoggedArrays(
    offsets=np.array([0, 2, 5]),
    chosen=np.array([1, 0]),
    reward=np.array([1.0, 0.0]),
    propensity=np.array([0.75, 0.5]),
    probability=np.array([0.25, 0.75, 0.5, 0.3, 0.2]),
    q=np.array([0.1, 0.9, 0.2, 0.4, 0.6]),
)
POLICY = np.array([0.5, 0.5, 0.1, 0.2, 0.7])


def test_the_weight_is_evaluation_probability_by_propensity_of_the_logged_action() -> None:
    assert terms_of(LOG, POLICY).w == pytest.approx([0.5 / 0.75, 0.1 / 0.5])


def test_the_model_value_sums_over_all_eligible_actions() -> None:
    terms = terms_of(LOG, POLICY)
    assert terms.v == pytest.approx([0.5 * 0.1 + 0.5 * 0.9, 0.02 + 0.08 + 0.42])
    assert terms.q == pytest.approx([0.9, 0.2])
    assert (terms.q_low, terms.q_high) == (0.1, 0.9)


def test_the_largest_possible_weight_is_over_all_eligible_actions() -> None:
    assert terms_of(LOG, POLICY).largest_weight == pytest.approx(0.7 / 0.2)


def test_without_the_probabilities_of_all_actions_no_weight_is_too_large() -> None:
    terms = terms_of(replace(LOG, probability=None), POLICY)
    assert terms.largest_weight == np.inf
    assert terms.unsupported is None


def test_mass_on_actions_of_logging_probability_zero_has_no_support() -> None:
    log = replace(LOG, probability=np.array([0.25, 0.75, 0.5, 0.5, 0.0]))
    terms = terms_of(log, POLICY)
    assert terms.unsupported == pytest.approx([0.0, 0.7])
    assert terms.v_unsupported == pytest.approx([0.0, 0.7 * 0.6])
    assert terms.largest_weight == pytest.approx(0.5 / 0.25)


def test_mass_on_rarely_taken_actions_is_thin() -> None:
    log = replace(LOG, probability=np.array([0.25, 0.75, 0.5, 0.495, 0.005]))
    assert terms_of(log, POLICY).thin == pytest.approx([0.0, 0.7])


def test_the_logged_action_is_supported_whatever_the_log_says_of_its_probability() -> None:
    log = replace(LOG, probability=np.array([0.25, 0.75, 0.0, 0.5, 0.5]))
    assert terms_of(log, POLICY).unsupported is None


def test_probabilities_that_sum_to_one_in_single_precision_are_renormalised() -> None:
    single = POLICY.astype(np.float32) * np.float32(1 + 5e-8)
    terms = terms_of(LOG, single)
    assert terms.w == pytest.approx([0.5 / 0.75, 0.1 / 0.5], rel=1e-7)
    assert terms_of(LOG, POLICY * (1 + 9e-7)).w == pytest.approx(terms_of(LOG, POLICY).w, abs=1e-12)


@pytest.mark.parametrize(
    ("probabilities", "decision", "text"),
    [
        ([0.5, 0.5, 0.1, 0.2, 0.8], 1, "sum to 1.1"),
        ([0.5, np.nan, 0.1, 0.2, 0.7], 0, "nan for action 1"),
        ([0.5, 0.5, -0.1, 0.4, 0.7], 1, "-0.1 for action 0"),
        ([np.inf, 0.5, 0.1, 0.2, 0.7], 0, "inf for action 0"),
        ([0.5, 0.5], None, "shape"),
    ],
)
def test_what_are_not_probabilities_is_refused(
    probabilities: list[float], decision: int | None, text: str
) -> None:
    with pytest.raises(BadProbabilities, match=text) as refused:
        terms_of(LOG, np.array(probabilities))
    assert refused.value.decision == decision


def test_the_error_for_the_user_names_policy_decision_and_value() -> None:
    error = BadProbabilities(1, "they sum to 1.1").as_user_error("vw", "d-17")
    assert all(part in str(error) for part in ("'vw'", "'d-17'", "1.1"))


def test_the_logging_policy_has_weights_of_exactly_one() -> None:
    terms = logging_terms(LOG)
    assert Columns(terms).w.tolist() == [1.0, 1.0]
    assert terms.v == pytest.approx([0.25 * 0.1 + 0.75 * 0.9, 0.1 + 0.12 + 0.12])


def test_without_all_probabilities_the_logging_policy_is_worth_what_it_took() -> None:
    assert logging_terms(replace(LOG, probability=None)).v == pytest.approx([0.9, 0.2])


def test_decisions_with_the_same_number_of_actions_give_the_same_as_ragged_ones() -> None:
    rng = np.random.default_rng(0)
    logging, policy = rng.dirichlet(np.ones(3), 5), rng.dirichlet(np.ones(3), 5)
    q = rng.random((5, 3))
    regular = LoggedArrays(
        offsets=np.arange(0, 16, 3),
        chosen=np.array([0, 1, 2, 0, 1]),
        reward=np.ones(5),
        propensity=logging[np.arange(5), [0, 1, 2, 0, 1]],
        probability=logging.ravel(),
        q=q.ravel(),
    )
    ragged = replace(
        regular,
        offsets=np.append(regular.offsets, 17),
        chosen=np.append(regular.chosen, 0),
        reward=np.append(regular.reward, 1.0),
        propensity=np.append(regular.propensity, 0.5),
        probability=np.append(logging.ravel(), [0.5, 0.5]),
        q=np.append(q.ravel(), [0.3, 0.3]),
    )
    one = terms_of(regular, policy.ravel())
    other = terms_of(ragged, np.append(policy.ravel(), [0.5, 0.5]))
    for name in ("w", "v", "q"):
        assert getattr(other, name)[:5] == pytest.approx(getattr(one, name), abs=1e-15)


EMBEDDED = replace(
    LOG,
    embedding={
        "route": np.array([0, 1, 0, 1, 2]),
        "delay": np.array([0, 0, 3600, 60, 3600]),
        "one for all": np.zeros(5, np.int64),
    },
)


def test_the_weight_by_a_feature_is_that_of_all_actions_like_the_logged_one() -> None:
    found = terms_of(EMBEDDED, POLICY).w_embedded
    assert found["route"] == pytest.approx([0.5 / 0.75, 0.1 / 0.5])
    assert found["delay"] == pytest.approx([1.0, (0.1 + 0.7) / (0.5 + 0.2)])
    assert found["one for all"] == pytest.approx([1.0, 1.0])


def test_without_the_probabilities_of_all_actions_there_are_no_weights_by_feature() -> None:
    assert terms_of(replace(EMBEDDED, probability=None), POLICY).w_embedded == {}


def test_a_feature_of_an_action_logged_with_probability_zero_has_a_finite_weight() -> None:
    log = replace(EMBEDDED, probability=np.array([0.25, 0.75, 0.0, 0.5, 0.5]))
    assert terms_of(log, POLICY).w_embedded["route"][1] == pytest.approx(0.1 / 0.5)


@given(
    counts=st.lists(st.integers(1, 5), min_size=1, max_size=12),
    seed=st.integers(0, 1000),
    alike=st.booleans(),
)
def test_weights_by_feature_are_what_a_loop_over_decisions_gives(
    counts: list[int], seed: int, alike: bool
) -> None:
    rng = np.random.default_rng(seed)
    sizes = np.full(len(counts), counts[0]) if alike else np.array(counts)
    logging = np.concatenate([rng.dirichlet(np.ones(size)) for size in sizes])
    evaluation = np.concatenate([rng.dirichlet(np.ones(size)) for size in sizes])
    codes = rng.integers(-1, 3, len(logging)).astype(np.int32)
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    chosen = rng.integers(0, sizes)
    log = LoggedArrays(
        offsets=offsets,
        chosen=chosen,
        reward=np.zeros(len(sizes)),
        propensity=logging[offsets[:-1] + chosen],
        probability=logging,
        embedding={"route": codes},
    )
    expected = []
    for start, stop, taken in zip(offsets[:-1], offsets[1:], chosen, strict=True):
        like = [place for place in range(start, stop) if codes[place] == codes[start + taken]]
        expected.append(sum(evaluation[like]) / sum(logging[like]))
    assert terms_of(log, evaluation).w_embedded["route"] == pytest.approx(expected, rel=1e-12)
