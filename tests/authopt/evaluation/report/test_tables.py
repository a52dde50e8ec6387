"""The answer at the terminal."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from io import StringIO

import pytest
from rich.console import Console

from authopt.evaluation.quantities import Estimate, Guarantee, Interval
from authopt.evaluation.report.tables import print_evaluation
from authopt.evaluation.report.tables_layout import WIDEST
from authopt.evaluation.report.verdict import verdict
from authopt.evaluation.report.wording import Direction, Scale, direction, share, sign
from tests.authopt.evaluation.report.evaluations import CASES, HOSTILE

EDGES = pytest.mark.parametrize("case", CASES)


@cache
def printed(case: str, width: int, *, full: bool = False) -> str:
    file = StringIO()
    console = Console(file=file, width=width, color_system=None)
    print_evaluation(CASES[case](), console, full=full)
    return file.getvalue()


FULL = pytest.mark.parametrize("full", [False, True], ids=["short", "full"])


@EDGES
@pytest.mark.parametrize("width", [80, 140])
@FULL
def test_no_line_is_wider_than_the_terminal_or_a_hundred_columns(
    case: str, width: int, full: bool
) -> None:
    lines = printed(case, width, full=full).splitlines()
    assert max(len(line) for line in lines) <= min(width, WIDEST)


@EDGES
@FULL
def test_no_figure_is_nan_none_or_infinite(case: str, full: bool) -> None:
    text = printed(case, 100, full=full)
    assert not re.search(r"\b(nan|none|inf|infinity)\b", text, re.IGNORECASE)


@EDGES
@pytest.mark.parametrize("width", [80, 100])
@FULL
def test_no_figure_is_cut_short(case: str, width: int, full: bool) -> None:
    assert "…" not in printed(case, width, full=full).replace("(…)", "")


@EDGES
def test_every_estimate_with_every_interval_is_printed_in_full(case: str) -> None:
    evaluation, text = CASES[case](), printed(case, 140, full=True)
    scale = Scale.in_full(evaluation)
    for policy in evaluation.policies:
        for estimate in policy.estimates:
            assert scale.value(estimate.value) in text
            # A cell that is too wide is broken between its two limits.
            for interval in estimate.intervals:
                assert all(limit in text for limit in scale.interval(interval).split(" to "))
        for gain in policy.gains:
            for interval in gain.intervals:
                assert all(limit in text for limit in scale.gain_interval(interval).split(" to "))


@EDGES
def test_the_short_form_says_what_is_quoted_and_how_far_to_trust_it(case: str) -> None:
    evaluation, text = CASES[case](), printed(case, 140)
    scale = Scale.of(evaluation)
    for policy in evaluation.policies:
        assert scale.value(policy.value.value) in text
        if policy.gain is not None:
            assert scale.gain(policy.gain.value) in text
            assert sign(policy.gain) in text
        assert f"{policy.diagnostics.effective_sample_size:,.0f}" in text
        assert f"{policy.diagnostics.mean_weight.value:.3f}" in text


def test_names_are_printed_as_they_are_and_never_read_as_markup() -> None:
    assert HOSTILE in printed("hostile names", 140)


def test_estimated_propensities_are_loud() -> None:
    assert "Propensities are ESTIMATED" in printed("estimated propensities", 100)


def test_intervals_that_must_not_be_relied_on_stand_in_brackets() -> None:
    assert "not to be relied on here" in printed("no overlap", 100, full=True)


@pytest.mark.parametrize(
    ("lower", "upper", "said"),
    [
        (0.01, 0.02, Direction.BETTER),
        (-0.02, -0.01, Direction.WORSE),
        (-0.01, 0.02, Direction.OPEN),
        (0.0, 0.02, Direction.OPEN),
    ],
)
def test_a_gain_is_called_better_only_if_its_whole_interval_is_above_zero(
    lower: float, upper: float, said: Direction
) -> None:
    interval = Interval("cressie-read", lower, upper, 0.95, Guarantee.COVERS)
    assert direction(Estimate("dr", "", "", 0.0, (interval,))) is said


def test_an_interval_that_holds_only_in_the_limit_proves_nothing() -> None:
    interval = Interval("normal", 0.01, 0.02, 0.95, Guarantee.ASYMPTOTIC)
    assert direction(Estimate("dm", "", "", 0.0, (interval,))) is Direction.OPEN


def test_the_verdict_names_the_policies_that_are_worse() -> None:
    assert any("policy 5" in sentence for sentence in verdict(CASES["six policies"]()))


def test_the_verdict_warns_of_alarms() -> None:
    said = " ".join(verdict(CASES["an alarm"]()))
    assert "Do not act on the figures" in said
    assert "alarm" not in " ".join(verdict(CASES["ordinary"]()))


def test_better_and_worse_are_said_in_words_not_in_colour_alone() -> None:
    rows = printed("six policies", 80).splitlines()
    assert any(row.startswith("policy 5") and row.rstrip().endswith("worse") for row in rows)
    assert any(row.startswith("policy 0") and row.rstrip().endswith("unclear") for row in rows)


def test_a_mean_weight_that_is_not_as_expected_is_marked() -> None:
    assert " off" in printed("an alarm", 80)
    assert " off" not in printed("ordinary", 80)


def test_an_interval_is_never_printed_as_if_it_had_no_width() -> None:
    evaluation = CASES["narrow intervals"]()
    scale = Scale.of(evaluation)
    for policy in evaluation.policies:
        for estimate in policy.estimates:
            for interval in estimate.intervals:
                lower, upper = scale.interval(interval).split(" to ")
                assert lower != upper
    assert "e+" not in printed("narrow intervals", 100)


def test_what_rounds_to_nothing_has_no_minus() -> None:
    assert Scale(percent=True).gain(-0.000001) == "+0.00"


def test_the_reason_of_a_veto_is_printed() -> None:
    assert "not to be relied on here: the buckets do not vary" in printed(
        "no overlap", 100, full=True
    )


@pytest.mark.parametrize(
    ("value", "said"), [(None, "unknown"), (0.0, "0.0%"), (0.0004, "<0.1%"), (0.25, "25.0%")]
)
def test_a_little_mass_is_not_printed_as_none(value: float | None, said: str) -> None:
    assert share(value) == said


def test_an_interval_that_is_narrow_by_rounding_alone_adds_no_decimals() -> None:
    evaluation = CASES["ordinary"]()
    policy = evaluation.policies[1]
    rounding = replace(policy.gains[0].intervals[0], lower=0.0, upper=1e-17)
    gain = replace(policy.gains[0], intervals=(rounding,))
    changed = replace(policy, gains=(gain,))
    changed_evaluation = replace(evaluation, policies=(evaluation.policies[0], changed))
    assert Scale.of(changed_evaluation).decimals == 2
