"""A replay at the terminal."""

from __future__ import annotations

import re
from dataclasses import replace
from io import StringIO

import numpy as np
import pytest
from rich.console import Console

from authopt.batch import LoggedBatch
from authopt.evaluation.replay.replay import replay
from authopt.evaluation.replay.result import Method, ReplayResult
from authopt.evaluation.report.replay_tables import print_replay
from authopt.evaluation.report.tables import WIDEST
from authopt.policies.success_rate import SuccessRate
from authopt.policies.uniform import Uniform
from authopt.rewards import ColumnReward
from tests.factories import logged_batch

HOSTILE = "[bold]x[/] \\[red] a policy with a long name"


def money(log: LoggedBatch) -> LoggedBatch:
    margin = 105.0 * log.reward - 5.0
    return replace(log, reward=margin, outcome={"margin": margin})


LOG = logged_batch(3_000, uniform_logging=True)
CASES: dict[str, ReplayResult] = {
    "exact": replay([LOG], SuccessRate(), max_weight=3.0, update_every=50),
    "repetitions": replay([LOG], SuccessRate(), max_weight=3.0, update_every=50, repetitions=3),
    "adaptive": replay([LOG], SuccessRate(), method=Method.DR, update_every=50),
    "nothing accepted": replay([LOG.take(slice(0, 3))], Uniform(), max_weight=1e6),
    "one row": replay([LOG.take(slice(0, 1))], SuccessRate(), max_weight=3.0),
    "no propensities of other actions": replay(
        [replace(LOG, probability=None)], SuccessRate(), update_every=50
    ),
    "hostile name": replay([LOG], replace(SuccessRate(), name=HOSTILE), update_every=50),
    "money": replay(
        [money(LOG)],
        SuccessRate(),
        reward=ColumnReward("margin", (-5.0, 100.0)),
        max_weight=3.0,
        update_every=50,
    ),
    "constant": replay(
        [replace(LOG, reward=np.ones(LOG.n))], Uniform(), max_weight=1.0, method=Method.DR
    ),
}
EDGES = pytest.mark.parametrize("case", CASES)


def printed(case: str, width: int) -> str:
    file = StringIO()
    print_replay(CASES[case], Console(file=file, width=width, color_system=None))
    return file.getvalue()


@EDGES
@pytest.mark.parametrize("width", [80, 140])
def test_no_line_is_wider_than_the_terminal_or_a_hundred_columns(case: str, width: int) -> None:
    assert max(len(line) for line in printed(case, width).splitlines()) <= min(width, WIDEST)


@EDGES
def test_no_figure_is_nan_none_or_infinite(case: str) -> None:
    text = printed(case, 100).replace("reward model none", "")
    assert not re.search(r"\b(nan|none|inf|infinity)\b", text, re.IGNORECASE)


@EDGES
@pytest.mark.parametrize("width", [80, 100])
def test_no_figure_is_cut_short(case: str, width: int) -> None:
    assert "…" not in printed(case, width).replace("(…)", "")


@EDGES
def test_every_estimate_and_remark_is_printed(case: str) -> None:
    result, text = CASES[case], " ".join(printed(case, 140).split())
    for estimate in result.estimates:
        assert estimate.estimator in text
        for interval in estimate.intervals:
            assert interval.method in text
    for remark in result.remarks:
        assert f"{remark.level.value} {remark.text}" in text


def test_a_name_is_printed_as_it_is_and_never_read_as_markup() -> None:
    assert HOSTILE in printed("hostile name", 140)


def test_figures_are_in_percent_for_approval_and_in_units_for_money() -> None:
    exact = CASES["exact"]
    assert f"{100 * (exact.value.value or 0):.2f}%" in printed("exact", 100)
    assert "percentage points" in printed("exact", 100)
    paid = CASES["money"]
    assert f"{paid.value.value:.4f}" in printed("money", 100)
    assert "%" not in printed("money", 100).split("acceptance")[0].replace("95%", "")


def test_the_sentence_names_the_gain_and_how_much_life_of_the_learner_it_is_of() -> None:
    text = " ".join(printed("exact", 100).split())
    gain = 100 * (CASES["exact"].gain.value or 0.0)
    assert f"success-rate is better: {gain:+.2f} percentage points" in text
    assert f"over its first {CASES['exact'].accepted:,.0f} decisions" in text


def test_repetitions_show_how_much_luck_there_is() -> None:
    text = printed("repetitions", 100)
    found = [run.rejection or 0.0 for run in CASES["repetitions"].runs]
    assert f"3 repetitions, from {100 * min(found):.2f}% to {100 * max(found):.2f}%" in text


def test_the_learning_curve_has_a_line_for_each_point() -> None:
    text = printed("exact", 100).split("learning curve")[1]
    for point in CASES["exact"].curve:
        assert re.search(rf"^\s*{point.accepted_from:,} +{100 * point.value:.2f}%", text, re.M)


def test_without_an_accepted_row_that_is_what_it_says() -> None:
    assert "No row was accepted" in printed("nothing accepted", 100)
