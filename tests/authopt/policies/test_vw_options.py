from __future__ import annotations

import numpy as np
import pytest

from authopt.errors import UserError
from authopt.features.vw_features import VwFeatures
from authopt.policies.vw_options import (
    CB_TYPES,
    LEAST_PROPENSITY,
    SHORT_STREAM,
    CbType,
    Explorer,
    VwOptions,
)

NOTHING = VwFeatures((), (), ())
COMBINATIONS = [(explorer, cb_type) for explorer, types in CB_TYPES.items() for cb_type in types]


def options(explorer: Explorer, cb_type: CbType) -> VwOptions:
    weighting = "regression" if cb_type == "mtr" else "ips"
    return VwOptions(explorer=explorer, cb_type=cb_type, weighting=weighting, l2=1e-8)


@pytest.mark.parametrize(("explorer", "cb_type"), COMBINATIONS)
def test_vw_takes_every_combination_and_learns_by_what_was_asked(
    explorer: Explorer, cb_type: CbType
) -> None:
    from vowpalwabbit import Workspace

    vw = Workspace(arg_list=[*options(explorer, cb_type).arguments(NOTHING), "--quiet"])
    learners = vw.get_enabled_learners()
    taken = vw.get_arguments()
    vw.finish()
    # Greedy is a reduction of its own; epsilon, softmax and the others are told by their names.
    kind = {"epsilon": "greedy"}.get(explorer, explorer)
    assert f"cb_explore_adf_{kind}" in learners
    assert f"--cb_type {cb_type}" in taken


def test_the_optimistic_regcb_is_regcb() -> None:
    from vowpalwabbit import Workspace

    vw = Workspace(arg_list=[*VwOptions(explorer="regcb").arguments(NOTHING), "--quiet"])
    assert "cb_explore_adf_regcb" in vw.get_enabled_learners()
    assert "--regcbopt" in vw.get_arguments()
    vw.finish()


def test_coin_betting_takes_the_place_of_the_rate() -> None:
    from vowpalwabbit import Workspace

    words = VwOptions(optimiser="coin", learning_rate=0.3).arguments(NOTHING)
    assert "--learning_rate" not in words
    vw = Workspace(arg_list=[*words, "--quiet"])
    assert "ftrl-Coin Betting" in vw.get_enabled_learners()
    vw.finish()


@pytest.mark.parametrize("explorer", ["squarecb", "regcb", "cover", "bag", "rnd"])
def test_coin_betting_is_refused_where_the_explorer_needs_other_steps(explorer: Explorer) -> None:
    with pytest.raises(UserError, match="expected epsilon or softmax"):
        VwOptions(explorer=explorer, optimiser="coin")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"optimiser": "newton"}, "expected adaptive or coin"),
        ({"epsilon": -0.1}, "expected 0 to 1"),
        ({"epsilon": float("nan")}, "expected 0 to 1"),
        ({"learning_rate": 0.0}, "expected above 0"),
        ({"decay_learning_rate": 0.0}, "expected above 0"),
        ({"gamma_exponent": 0.5}, r"expected 0 to 0\.25"),
        ({"policies": 0}, "expected 1 to 64"),
        ({"cost_range": (1.0, 0.0)}, "increasing"),
        ({"explorer": "thompson"}, "expected epsilon, squarecb"),
        ({"weighting": "none"}, "expected regression or ips"),
        ({"cb_type": "dm", "weighting": "ips"}, "expected mtr or ips or dr"),
        ({"explorer": "squarecb", "cb_type": "dr", "weighting": "ips"}, "expected mtr"),
        ({"explorer": "regcb", "weighting": "ips"}, "expected regression"),
        ({"cb_type": "dr"}, "expected ips"),
    ],
)
def test_what_cannot_be_is_refused_with_what_can(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(UserError, match=said):
        VwOptions(**wrong)  # type: ignore[arg-type]


def test_regression_weighs_all_rows_alike_and_ips_by_the_propensity_down_to_a_least_one() -> None:
    propensity = np.array([1e-9, 0.25, 1.0])
    assert VwOptions().label_probability(propensity).tolist() == [1.0, 1.0, 1.0]
    weighted = VwOptions(weighting="ips").label_probability(propensity)
    assert weighted.tolist() == [LEAST_PROPENSITY, 0.25, 1.0]


def test_without_a_floor_it_may_not_log() -> None:
    assert VwOptions().may_log
    assert not VwOptions(epsilon=0.0).may_log


def test_without_a_start_what_nothing_is_known_of_costs_nothing() -> None:
    from vowpalwabbit import Workspace

    learned = ["shared |c one", "0:1:1 |a first", "|a second"]
    costs = []
    for start in (None, 0.0):
        options = VwOptions(start=start, learning_rate=1.0)
        vw = Workspace(arg_list=[*options.arguments(NOTHING), "--quiet"])
        for _ in range(5):
            vw.learn(learned)
        examples = vw.parse(["shared |d other", "|a third", "|a fourth"])
        vw.predict(examples)
        costs.append([line.get_partial_prediction() for line in examples[1:]])
        vw.finish_example(examples)
        vw.finish()
    assert costs[0] == [0.0, 0.0]
    assert min(costs[1]) > 0.05


def test_the_options_for_short_streams_may_log() -> None:
    assert SHORT_STREAM.may_log
