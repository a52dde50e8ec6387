"""The report: one file, every figure in it, nothing from outside, nothing that a name can break."""

from __future__ import annotations

import re
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

import pytest

from authopt.errors import UserError
from authopt.evaluation.report.html import render, write_report
from authopt.evaluation.report.wording import Scale
from authopt.look.charts import script
from tests.authopt.evaluation.report.evaluations import CASES, HOSTILE

VOID = {"meta", "br", "link", "img", "hr"}
EDGES = pytest.mark.parametrize("case", CASES)


@cache
def page(case: str) -> str:
    """The report without plotly's own script."""
    text = render(CASES[case]())
    assert script() in text
    return text.replace(script(), "")


class Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.loads: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name in ("src", "href", "data", "action") and not (value or "").startswith("#"):
                self.loads.append(value or "")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("script", "style"):
            self.text.append(data)


def read(case: str) -> Reader:
    reader = Reader()
    reader.feed(page(case))
    reader.close()
    return reader


def words(case: str) -> str:
    return " ".join(" ".join(read(case).text).split())


@EDGES
def test_tags_are_balanced_ids_unique_and_nothing_is_loaded(case: str) -> None:
    reader = read(case)
    assert not reader.open
    assert len(set(reader.ids)) == len(reader.ids)
    assert not reader.loads


@EDGES
def test_no_figure_is_nan_none_or_infinite(case: str) -> None:
    assert not re.search(r"\b(nan|none|inf|infinity)\b", words(case), re.IGNORECASE)


@EDGES
def test_every_estimate_and_every_interval_stands_in_a_table(case: str) -> None:
    evaluation, said = CASES[case](), words(case)
    scale = Scale.of(evaluation)
    for policy in evaluation.policies:
        assert " ".join(policy.name.split()) in said
        for estimate in policy.estimates:
            assert scale.value(estimate.value) in said
            assert estimate.source in said
            for interval in estimate.intervals:
                assert scale.interval(interval) in said
        for gain in policy.gains:
            assert scale.gain_interval(gain.interval) in said
        for remark in policy.remarks:
            assert " ".join(remark.text.split()) in said


def test_names_from_the_user_are_escaped() -> None:
    assert "<script>alert" not in page("hostile names")
    assert "<b>log</b>" not in page("hostile names")
    assert HOSTILE in words("hostile names")


def test_estimated_propensities_are_loud() -> None:
    assert "ESTIMATED" in words("estimated propensities")
    assert "every figure here is biased" in words("estimated propensities")
    assert "ESTIMATED" not in words("ordinary")


def test_intervals_that_must_not_be_relied_on_are_struck_out() -> None:
    assert 'class="vetoed"' in page("no overlap")
    assert 'class="vetoed"' not in page("ordinary")


def test_money_is_printed_as_numbers_not_percent() -> None:
    assert "units of the reward" in words("money")


def test_every_column_and_row_of_a_table_has_a_heading() -> None:
    for heading in re.findall(r"<th\b[^>]*>", page("ordinary")):
        assert "scope=" in heading


def test_writing_leaves_one_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    write_report(CASES["ordinary"](), path)
    assert [each.name for each in tmp_path.iterdir()] == ["report.html"]
    assert path.read_text(encoding="utf-8").startswith("<!doctype html>")


def test_a_place_that_cannot_be_written_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be written"):
        write_report(CASES["ordinary"](), tmp_path / "missing" / "report.html")
