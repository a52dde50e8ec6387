"""What speaks against an answer."""

from __future__ import annotations

from dataclasses import replace

from authopt.evaluation.over_time import Drift, OverTime
from authopt.evaluation.propensities.verdicts import Check, Verdict
from authopt.evaluation.quantities import Level, Remark
from authopt.evaluation.report.doubts import alarmed, doubts
from authopt.evaluation.result import Evaluation
from tests.authopt.evaluation.report.evaluations import CASES


def bare() -> Evaluation:
    """Without anything that speaks against it."""
    evaluation = CASES["ordinary"]()
    policies = tuple(
        replace(each, remarks=(), payments=None, over_time=None) for each in evaluation.policies
    )
    return replace(evaluation, policies=policies, remarks=(), checks=())


def with_remarks(*remarks: tuple[Remark, ...]) -> Evaluation:
    evaluation = bare()
    pairs = zip(evaluation.policies, remarks, strict=True)
    return replace(evaluation, policies=tuple(replace(p, remarks=r) for p, r in pairs))


def test_nothing_is_said_where_nothing_speaks_against_it() -> None:
    assert doubts(bare()) == ()
    assert not alarmed(bare())


def test_the_worst_comes_first() -> None:
    remarks = tuple(Remark(level, level.value) for level in Level)
    found = doubts(with_remarks((), remarks, ()))
    assert [doubt.level for doubt in found] == [Level.ALARM, Level.WARNING, Level.NOTE]
    assert alarmed(with_remarks((), remarks, ()))


def test_the_same_words_on_several_policies_are_said_once() -> None:
    remark = (Remark(Level.WARNING, "thin"),)
    (some,) = doubts(with_remarks((), remark, remark))
    assert some.whose == "policy 0, policy 1"
    (every,) = doubts(with_remarks(remark, remark, remark))
    assert every.whose == "every policy"


def test_a_remark_on_the_log_names_no_policy() -> None:
    (found,) = doubts(replace(bare(), remarks=(Remark(Level.NOTE, "short"),)))
    assert (found.about, found.whose) == ((), "the log")


def test_a_failed_check_is_told_with_its_remedy() -> None:
    def check(verdict: Verdict) -> Check:
        return Check("name", "Title", 1.0, 0.0, 0.0, verdict, "what was found", "What to do.")

    checks = tuple(check(verdict) for verdict in (Verdict.WRONG, Verdict.OK, Verdict.UNKNOWN))
    (wrong,) = doubts(replace(bare(), checks=checks))
    assert wrong.level is Level.ALARM
    assert "(Title): what was found. What to do." in wrong.text
    (suspect,) = doubts(replace(bare(), checks=(check(Verdict.SUSPECT),)))
    assert suspect.level is Level.WARNING


def test_a_gain_that_drifts_is_a_warning_and_a_log_that_drifts_is_not() -> None:
    evaluation = bare()
    own, first, second = evaluation.policies
    drifts = (Drift("logged", 90.0, 7, 1e-9), Drift("gain", 90.0, 7, 1e-9))
    changed = replace(first, over_time=OverTime("dr", 0.95, (), (), drifts))
    (found,) = doubts(replace(evaluation, policies=(own, changed, second)))
    assert found.level is Level.WARNING
    assert found.about == ("policy 0",)
    assert "changes over time (p = <0.0001)" in found.text
