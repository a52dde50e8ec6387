"""What the charts show."""

from __future__ import annotations

from dataclasses import replace

import pytest

from authopt.evaluation.report.drawn import drawn
from authopt.evaluation.report.figures_forest import MOST_PAIRS, comparisons_shown
from authopt.evaluation.report.figures_sensitivity import MODEL_ALONE, NOT_CUT, families
from authopt.evaluation.report.labels import LONGEST_NAME, label, short
from authopt.evaluation.report.verdict import chosen
from tests.authopt.evaluation.report.evaluations import CASES


@pytest.mark.parametrize("case", CASES)
def test_every_number_in_a_chart_is_finite(case: str) -> None:
    for figure in drawn(CASES[case]()).values():
        text = figure.to_json()
        assert "NaN" not in text
        assert "Infinity" not in text


def test_names_are_shortened_and_their_markup_is_text() -> None:
    assert short("a" * 100) == "a" * (LONGEST_NAME - 1) + "…"
    assert label("<b>&") == "&lt;b&gt;&amp;"


def test_with_many_candidates_only_those_against_the_best_are_drawn() -> None:
    evaluation = CASES["six policies"]()
    best = chosen(evaluation)
    assert best is not None
    assert len(evaluation.comparisons) > MOST_PAIRS
    shown = comparisons_shown(evaluation)
    assert len(shown) == 5
    assert all(best.name in (each.first, each.second) for each in shown)
    few = replace(evaluation, comparisons=evaluation.comparisons[:3])
    assert comparisons_shown(few) == few.comparisons


def test_families_go_from_no_cut_to_the_model_alone() -> None:
    found = {family.estimator: family for family in families(CASES["ordinary"]())}
    assert all(family.parameters[0] == NOT_CUT for family in found.values())
    assert found["dr-os"].parameters[-1] == MODEL_ALONE
    assert found["sg-ips"].parameters[-1] == "0.3"
    assert found["dr-os"].parameters[1] == "10k"


def test_what_the_rules_chose_is_named_once_each() -> None:
    for family in families(CASES["ordinary"]()):
        for policy, each in family.policies:
            rules = [family.chosen(policy, place) for place in range(len(each.points))]
            assert sum("SLOPE" in rule for rule in rules) == 1
            assert sum("shown" in rule for rule in rules) == 1
            assert sum("bounded" in rule for rule in rules) == 1
