"""On a world small enough to enumerate, expectations are exact sums, not samples."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction as F
from itertools import product

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authopt.evaluation.arrays import evaluate_arrays
from authopt.evaluation.columns import Columns
from authopt.evaluation.estimator import Estimator, Family
from authopt.evaluation.estimators import (
    CLIPPED_IPS,
    DR,
    ESTIMATORS,
    IPS,
    LOGGING_ESTIMATORS,
    MARGINALISED,
    OPTIMISTIC_DR,
    SNDR,
    SNIPS,
    SUBGAUSSIAN_DR,
    SUBGAUSSIAN_IPS,
    SWITCH_DR,
    available,
    headline,
    table_columns,
    unbiased,
)
from authopt.evaluation.logged_arrays import LoggedArrays
from authopt.evaluation.terms import Terms, terms_of
from simulator.tiny import TINY, TinyWorld, action_values, everything

Array = npt.NDArray[np.float64]

CONTEXTS = (0.3, 0.7)
LOGGING = (np.array([0.2, 0.8]), np.array([0.5, 0.1, 0.4]))
EVALUATION = (np.array([0.9, 0.1]), np.array([0.0, 0.3, 0.7]))
APPROVAL = (np.array([0.6, 0.95]), np.array([0.2, 0.5, 0.8]))
REWARDS = (0.0, 1.0)
TRUTH = sum(
    p * float(pi @ mean) for p, pi, mean in zip(CONTEXTS, EVALUATION, APPROVAL, strict=True)
)
LOGGED_TRUTH = sum(
    p * float(pi @ mean) for p, pi, mean in zip(CONTEXTS, LOGGING, APPROVAL, strict=True)
)
WRONG_Q = (np.array([0.11, 0.7]), np.array([0.9, 0.05, 0.4]))


@dataclass(frozen=True)
class Row:
    """One thing that can happen at a decision, and how likely it is."""

    context: int
    action: int
    reward: float
    probability: float


def everything_that_can_happen() -> list[Row]:
    rows = []
    for context, p in enumerate(CONTEXTS):
        for action, taken in enumerate(LOGGING[context]):
            approval = APPROVAL[context][action]
            rows.append(Row(context, action, 1.0, p * taken * approval))
            rows.append(Row(context, action, 0.0, p * taken * (1.0 - approval)))
    return rows


def estimates_of(log: tuple[Row, ...], q: tuple[Array, ...] = WRONG_Q) -> dict[str, float | None]:
    """The estimates of the value by the engine itself, and of the gain (prefix ``gain-``)."""
    contexts = [row.context for row in log]
    evaluation = evaluate_arrays(
        chosen=np.array([row.action for row in log]),
        reward=np.array([row.reward for row in log]),
        offsets=np.cumsum([0] + [len(LOGGING[context]) for context in contexts]),
        logging=np.concatenate([LOGGING[context] for context in contexts]),
        evaluation={"new": np.concatenate([EVALUATION[context] for context in contexts])},
        q=np.concatenate([q[context] for context in contexts]),
        bootstrap=0,
    )
    own, new = evaluation.policies
    found = {estimate.estimator: estimate.value for estimate in (*own.estimates, *new.estimates)}
    return found | {f"gain-{gain.estimator}": gain.value for gain in new.gains}


@pytest.fixture(scope="module", params=[1, 2], ids=["one row", "two rows"])
def expectation(request: pytest.FixtureRequest) -> dict[str, float]:
    """Exact expectation of every estimate over all logs of a length."""
    total: dict[str, float] = {}
    mass = 0.0
    for log in product(everything_that_can_happen(), repeat=request.param):
        probability = float(np.prod([row.probability for row in log]))
        mass += probability
        for name, value in estimates_of(log).items():
            if value is not None:
                total[name] = total.get(name, 0.0) + probability * value
    assert mass == pytest.approx(1.0, abs=1e-12)
    return total


def test_ips_is_unbiased(expectation: dict[str, float]) -> None:
    assert expectation["ips"] == pytest.approx(TRUTH, abs=1e-9)


def test_doubly_robust_is_unbiased_with_a_wrong_model(expectation: dict[str, float]) -> None:
    assert expectation["dr"] == pytest.approx(TRUTH, abs=1e-9)


def test_the_mean_logged_reward_is_unbiased_for_the_logging_policy(
    expectation: dict[str, float],
) -> None:
    assert expectation["on-policy"] == pytest.approx(LOGGED_TRUTH, abs=1e-9)


def test_gains_by_ips_and_doubly_robust_are_unbiased(expectation: dict[str, float]) -> None:
    assert expectation["gain-ips"] == pytest.approx(TRUTH - LOGGED_TRUTH, abs=1e-9)
    assert expectation["gain-dr"] == pytest.approx(TRUTH - LOGGED_TRUTH, abs=1e-9)


def test_the_direct_method_expects_what_the_model_says(expectation: dict[str, float]) -> None:
    by_model = sum(
        p * float(pi @ q) for p, pi, q in zip(CONTEXTS, EVALUATION, WRONG_Q, strict=True)
    )
    # Every decision's prediction is over all of its actions: the sample of actions is irrelevant.
    assert expectation["dm"] != pytest.approx(TRUTH, abs=1e-2)
    assert expectation["dm"] == pytest.approx(by_model, abs=1e-9)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(-2, 3), min_size=5, max_size=5))
def test_doubly_robust_is_unbiased_with_any_model(q: list[float]) -> None:
    model = (np.array(q[:2]), np.array(q[2:]))
    expected = 0.0
    for row in everything_that_can_happen():
        value = estimates_of((row,), model)["dr"]
        assert value is not None
        expected += row.probability * value
    assert expected == pytest.approx(TRUTH, abs=1e-9)


def test_doubly_robust_with_the_true_model_has_no_error_from_actions_taken() -> None:
    for context in (0, 1):
        rows = [row for row in everything_that_can_happen() if row.context == context]
        taken = {}
        for row in rows:
            value = estimates_of((row,), APPROVAL)["dr"]
            assert value is not None
            share = row.probability / CONTEXTS[context] / LOGGING[context][row.action]
            taken[row.action] = taken.get(row.action, 0.0) + share * value
        by_context = float(EVALUATION[context] @ APPROVAL[context])
        assert list(taken.values()) == pytest.approx([by_context] * len(taken), abs=1e-9)


def test_snips_of_one_row_is_its_reward_whatever_the_weight() -> None:
    for row in everything_that_can_happen():
        value = estimates_of((row,))["snips"]
        if EVALUATION[row.context][row.action] > 0.0:
            assert value == pytest.approx(row.reward)
        else:
            assert value is None


def test_snips_of_two_rows_is_the_weighted_mean() -> None:
    rows = [row for row in everything_that_can_happen() if row.context == 1 and row.action > 0]
    for first, second in product(rows, repeat=2):
        w = [EVALUATION[1][row.action] / LOGGING[1][row.action] for row in (first, second)]
        mean = (w[0] * first.reward + w[1] * second.reward) / (w[0] + w[1])
        assert estimates_of((first, second))["snips"] == pytest.approx(mean)


FAMILIES = [each for each in ESTIMATORS if isinstance(each, Family)]
MEMBERS = [
    member
    for each in ESTIMATORS
    for member in (each.members if isinstance(each, Family) else (each,))
]
WITH_MODEL = (SUBGAUSSIAN_DR, SWITCH_DR, OPTIMISTIC_DR)


def value(estimator: Estimator, terms: Terms, share: Array | None = None) -> float:
    """The estimate by its definition; each row counts ``share`` times."""
    columns = Columns(terms)
    times = columns.ones if share is None else share
    return sum(
        float(columns.given(numerator) @ times / (columns.given(denominator) @ times))
        for numerator, denominator in estimator.ratios
    )


def member(family: Family, parameter: float) -> Estimator:
    (found,) = [each for each in family.members if each.parameter == parameter]
    return found


def a_log() -> tuple[LoggedArrays, Array]:
    """5,000 decisions among four actions, two each of two routes, and a policy."""
    rng = np.random.default_rng(0)
    n, k = 5000, 4
    logging = 0.9 * rng.dirichlet(np.ones(k), n) + 0.1 / k
    evaluation = rng.dirichlet(np.ones(k), n)
    chosen = (rng.random(n)[:, None] > logging.cumsum(1)).sum(1).clip(0, k - 1)
    reward = (rng.random(n) < 0.7).astype(np.float64)
    log = LoggedArrays(
        offsets=np.arange(0, k * n + 1, k),
        chosen=chosen,
        reward=reward,
        propensity=logging[np.arange(n), chosen],
        probability=logging.ravel(),
        q=rng.random((n, k)).ravel(),
        embedding={"route": np.tile([0, 0, 1, 1], n)},
    )
    return log, evaluation.ravel()


# sb-obp 0.5.10 on a_log(), with the action embedding given by its one-hot table.
OBP = [
    (IPS, 0.6851878110266046),
    (member(CLIPPED_IPS, 10.0), 0.6710610038056145),
    (SNIPS, 0.6842059434425977),
    (member(SUBGAUSSIAN_IPS, 0.1), 0.6005175893846866),
    (MARGINALISED[0], 0.6712152683775761),
    (DR, 0.6793644355715986),
    (SNDR, 0.6791063182309336),
    (member(SUBGAUSSIAN_DR, 0.1), 0.6534627770179311),
    (member(SWITCH_DR, 10.0), 0.6604633393879824),
    (member(OPTIMISTIC_DR, 10.0), 0.614058675652262),
]


@pytest.mark.parametrize(("estimator", "theirs"), OBP, ids=[each.name for each, _ in OBP])
def test_estimates_equal_the_recorded_ones_of_obp(estimator: Estimator, theirs: float) -> None:
    log, policy = a_log()
    assert value(estimator, terms_of(log, policy)) == pytest.approx(theirs, abs=1e-9)


POLICY = ((F(1, 10), F(2, 10), F(7, 10)), (F(3, 4), F(1, 4)))
WRONG = ((F(1, 3), F(9, 10), F(0)), (F(4, 5), F(1, 5)))


def tiny_terms(
    model: tuple[tuple[F, ...], ...],
    world: TinyWorld = TINY,
    codes: tuple[tuple[F, ...], ...] = ((F(0), F(0), F(1)), (F(0), F(0))),
) -> tuple[Terms, Array]:
    """The terms of everything that can happen in a tiny world, and its probabilities."""
    batch, share = everything(world)
    rows = tuple(world.rows())
    feature = action_values(rows, codes)[0].astype(np.int64)
    log = LoggedArrays(
        offsets=batch.offsets,
        chosen=batch.chosen,
        reward=batch.reward,
        propensity=batch.propensity,
        probability=batch.probability,
        q=action_values(rows, model)[0],
        embedding={"route": feature, "delay": feature},
    )
    return terms_of(log, action_values(rows, POLICY)[0]), share


TINY_TRUTH = float(TINY.value(POLICY))


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_the_first_of_a_family_is_unbiased_with_a_wrong_model(family: Family) -> None:
    found = value(family.members[0], *tiny_terms(WRONG))
    assert found == pytest.approx(TINY_TRUTH, abs=1e-12)


@pytest.mark.parametrize("family", WITH_MODEL, ids=lambda family: family.name)
def test_with_the_true_model_no_cutting_of_weights_makes_a_bias(family: Family) -> None:
    for each in family.members:
        found = value(each, *tiny_terms(TINY.approval))
        assert found == pytest.approx(TINY_TRUTH, abs=1e-12)


CUT = {
    "clipped-ips": lambda w, parameter: min(w, parameter),
    "sg-ips": lambda w, parameter: w / (1 - parameter + parameter * w),
    "sg-dr": lambda w, parameter: w / (1 - parameter + parameter * w),
    "switch-dr": lambda w, parameter: w if w <= parameter else 0.0,
    "dr-os": lambda w, parameter: w if parameter == np.inf else parameter * w / (w**2 + parameter),
}


@pytest.mark.parametrize(
    "family",
    # Of a ratio of two means, the mean is not the ratio of theirs.
    [family for family in FAMILIES if family.name != "clipped-snips"],
    ids=lambda family: family.name,
)
def test_the_bias_is_what_the_cut_weights_leave_of_the_model_s_error(family: Family) -> None:
    for each in family.members:
        bias = 0.0
        for context, chance in enumerate(TINY.contexts):
            for action, logged in enumerate(TINY.logging[context]):
                w = float(POLICY[context][action] / logged)
                error = TINY.approval[context][action]
                if family.needs_model:
                    error -= WRONG[context][action]
                missing = CUT[family.name](w, each.parameter) - w
                bias += float(chance * logged * error) * missing
        found = value(each, *tiny_terms(WRONG))
        assert found == pytest.approx(TINY_TRUTH + bias, abs=1e-12)


def test_clipping_biases_towards_zero_and_more_so_the_more_is_clipped() -> None:
    values = [value(each, *tiny_terms(WRONG)) for each in CLIPPED_IPS.members]
    assert values == sorted(values, reverse=True)
    assert values[-1] < TINY_TRUTH - 0.05


def test_marginalising_is_unbiased_where_alike_actions_do_equally_well() -> None:
    world = TinyWorld(
        TINY.contexts, TINY.logging, ((F(3, 5), F(3, 5), F(1, 4)), (F(7, 8), F(7, 8)))
    )
    terms, share = tiny_terms(WRONG, world)
    truth = float(world.value(POLICY))
    assert value(MARGINALISED[0], terms, share) == pytest.approx(truth, abs=1e-12)
    columns = Columns(terms)
    spread = {
        name: float(share @ columns.given(name) ** 2) - truth**2 for name in ("mips@route", "wr")
    }
    assert spread["mips@route"] < 0.9 * spread["wr"]


def test_marginalising_is_biased_where_alike_actions_differ() -> None:
    found = value(MARGINALISED[0], *tiny_terms(WRONG))
    assert abs(found - TINY_TRUTH) > 0.02


def expected_sndr(model: tuple[tuple[F, ...], ...]) -> float:
    """Exact expectation over all logs of two rows."""
    terms, share = tiny_terms(model)
    total = 0.0
    for first, second in product(range(len(share)), repeat=2):
        counts = np.zeros(len(share))
        counts[first] += 1
        counts[second] += 1
        total += share[first] * share[second] * value(SNDR, terms, counts)
    return total


def test_self_normalised_doubly_robust_is_unbiased_with_the_true_model_alone() -> None:
    assert expected_sndr(TINY.approval) == pytest.approx(TINY_TRUTH, abs=1e-12)
    assert abs(expected_sndr(WRONG) - TINY_TRUTH) > 0.01


@given(st.floats(-5, 5), st.integers(0, 100))
def test_self_normalised_estimates_move_with_the_rewards(shift: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    w, r, q, v = rng.exponential(size=(4, 30))
    before = Terms(w=w, r=r, q=q, v=v, largest_weight=np.inf)
    after = Terms(w=w, r=r + shift, q=q + shift, v=v + shift, largest_weight=np.inf)
    for estimator in (SNIPS, SNDR, DR):
        moved = value(estimator, after) - value(estimator, before)
        assert moved == pytest.approx(shift, abs=1e-9)


def test_whatever_is_biased_says_what_its_intervals_miss() -> None:
    for each in MEMBERS:
        assert each.note is not None or not each.biased
        assert each.source


def test_only_what_may_be_quoted_or_is_unbiased_has_a_covering_interval() -> None:
    biased = {each.name for each in MEMBERS if each.biased and each.score is not None}
    assert biased == {"sg-dr", "clipped-snips"}


def test_members_of_a_family_share_its_name_and_have_titles_of_their_own() -> None:
    for family in FAMILIES:
        assert {each.name for each in family.members} == {family.name}
        assert len({each.title for each in family.members}) == len(family.members)
        assert all(each.title.startswith(family.title) for each in family.members)


def test_only_weightless_estimators_do_without_weights() -> None:
    terms, _ = tiny_terms(WRONG)
    assert terms.w is not None
    other = replace(terms, w=terms.w[::-1] * 1.7)
    for each in MEMBERS:
        if each.embedding is None:
            # Cut to 1 and normalised, weights that are all cut are all alike.
            alike = each.name == "clipped-snips" and each.parameter == 3.0
            assert alike or (value(each, terms) != value(each, other)) == each.weighted


def test_estimators_that_lack_a_model_or_a_feature_are_left_out() -> None:
    names = [each.name for each in available(ESTIMATORS, False)]
    assert names == ["ips", "clipped-ips", "snips", "clipped-snips", "sg-ips"]
    assert {"dr", "sndr", "mips-route"} <= {
        each.name for each in available(ESTIMATORS, True, ("route",))
    }
    assert "mips-delay" not in {each.name for each in available(ESTIMATORS, True, ("route",))}


@pytest.mark.parametrize("with_model", [True, False])
@pytest.mark.parametrize("embeddings", [(), ("route", "delay")])
def test_a_table_has_the_columns_of_all_estimators_that_it_can_have(
    with_model: bool, embeddings: tuple[str, ...]
) -> None:
    names = table_columns(with_model, embeddings)
    assert len(set(names)) == len(names)
    for each in available(ESTIMATORS, with_model, embeddings):
        assert set(each.columns) <= set(names)


def test_a_table_of_fewer_estimators_has_fewer_columns() -> None:
    few = table_columns(True, estimators=LOGGING_ESTIMATORS)
    assert set(few) < set(table_columns(True))
    assert not any("@" in name for name in few)


def test_every_column_that_a_table_needs_can_be_computed() -> None:
    log = LoggedArrays(
        offsets=np.array([0, 2, 5]),
        chosen=np.array([0, 1]),
        reward=np.array([1.0, 0.0]),
        propensity=np.array([0.2, 0.1]),
        probability=np.concatenate(LOGGING),
        q=np.concatenate(WRONG_Q),
        embedding={"route": np.array([0, 0, 1, 1, 2]), "delay": np.zeros(5, np.int64)},
    )
    columns = Columns(terms_of(log, np.concatenate(EVALUATION)))
    for name in table_columns(with_model=True, embeddings=("route", "delay")):
        column = columns[name]
        assert column is None or (column.shape == (2,) and bool(np.isfinite(column).all()))


def test_cut_doubly_robust_is_quoted_where_there_is_a_model_else_cut_snips() -> None:
    assert headline(ESTIMATORS) == "sg-dr"
    assert headline([each for each in ESTIMATORS if not each.needs_model]) == "clipped-snips"
    assert headline(LOGGING_ESTIMATORS) == "on-policy"


def test_parts_of_a_log_are_judged_by_what_cuts_nothing() -> None:
    assert unbiased(ESTIMATORS) == "dr"
    assert unbiased([each for each in ESTIMATORS if not each.needs_model]) == "snips"
    assert unbiased(LOGGING_ESTIMATORS) == "on-policy"
