"""The answer in a few sentences and figures."""

from __future__ import annotations

from dataclasses import replace

import pytest

from authopt.evaluation.quantities import Level, Remark
from authopt.evaluation.report.verdict import Mood, against, chosen, difference, headlines, verdict
from authopt.evaluation.report.wording import Direction, listed
from tests.authopt.evaluation.report.evaluations import CASES

EDGES = pytest.mark.parametrize("case", CASES)


@EDGES
def test_the_verdict_is_one_to_three_sentences_long_and_all_figures_are_said(case: str) -> None:
    evaluation = CASES[case]()
    assert 1 <= len(verdict(evaluation)) <= 3
    assert bool(headlines(evaluation)) == (len(evaluation.policies) > 1)
    assert all(each.figure and each.label and each.detail for each in headlines(evaluation))


def test_the_winner_is_named_with_its_gain_and_against_every_other_candidate() -> None:
    first, second = verdict(CASES["a winner"]())
    assert first.startswith("“often” is better than the logging policy")
    assert "Among the candidates, “often” is better than “sometimes” and “never”." in second
    assert "Also better than the logging policy: “sometimes”." in second


def test_the_figures_that_stand_out_are_the_winners() -> None:
    evaluation = CASES["a winner"]()
    best, gain, total, *_ = headlines(evaluation)
    assert (best.label, best.figure, best.mood) == ("best policy", "often", Mood.GOOD)
    found = evaluation.policy("often").gain
    assert found is not None
    assert found.value is not None
    assert gain.figure == f"{100 * found.value:+.2f} pp"
    assert f"{10_000 * found.value:+,.0f} basis points" in gain.detail
    payments = evaluation.policy("often").payments
    assert payments is not None
    assert f"of {payments.payments:,} payments" in total.detail


def test_without_a_winner_no_policy_is_called_best() -> None:
    evaluation = CASES["six policies"]()
    assert headlines(evaluation)[0].label == "highest estimate"
    assert "no policy can be told better" in " ".join(verdict(evaluation))


def test_without_an_estimate_none_is_claimed() -> None:
    said = headlines(CASES["no overlap"]())
    assert said[0].label == "not to be told"
    assert said[1].figure == "—"


def test_an_alarm_comes_first_and_names_whom_it_is_on() -> None:
    evaluation = CASES["ordinary"]()
    own, first, second = evaluation.policies
    alarm = Remark(Level.ALARM, "the propensities are wrong")
    changed = replace(evaluation, policies=(own, first, replace(second, remarks=(alarm,))))
    assert verdict(changed)[0].startswith(
        f"Do not act on the figures of “{second.name}” before the alarms are cleared up."
    )


def test_a_difference_reads_the_same_from_both_sides() -> None:
    evaluation = CASES["a winner"]()
    often, sometimes = evaluation.policy("often"), evaluation.policy("sometimes")
    forth, back = (
        difference(evaluation, often, sometimes),
        difference(evaluation, sometimes, often),
    )
    assert forth is not None
    assert back is not None
    assert forth.value is not None
    assert back.value == -forth.value
    assert (back.interval.lower, back.interval.upper) == (
        -forth.interval.upper,
        -forth.interval.lower,
    )
    assert against(evaluation, often, sometimes) is Direction.BETTER
    assert against(evaluation, sometimes, often) is Direction.WORSE


def test_among_policies_that_are_better_the_surest_is_chosen() -> None:
    evaluation = CASES["a winner"]()
    best = chosen(evaluation)
    assert best is not None
    assert best.gain is not None
    for policy in evaluation.policies:
        assert policy.gain is None or policy.gain.interval.lower <= best.gain.interval.lower


@pytest.mark.parametrize(
    ("names", "said"), [(["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")]
)
def test_names_are_listed_as_in_a_sentence(names: list[str], said: str) -> None:
    assert listed(names) == said
