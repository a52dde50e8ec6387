"""The report: one file, every figure in it, nothing from outside, nothing that a name can break."""

from __future__ import annotations

import re
import shlex
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

import pytest

from authopt.errors import UserError
from authopt.evaluation.report.again import command
from authopt.evaluation.report.drawn import drawn
from authopt.evaluation.report.figures_log import routes_shown
from authopt.evaluation.report.figures_sensitivity import families
from authopt.evaluation.report.html import render, write_report
from authopt.evaluation.report.money import money, money_interval
from authopt.evaluation.report.payment_measures import measures
from authopt.evaluation.report.segment_heat import heat_of
from authopt.evaluation.report.wording import Scale, share, weight
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
    scale = Scale.in_full(evaluation)
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


def test_an_alarm_stands_in_the_verdict_and_marks_it() -> None:
    assert 'class="verdict alarm"' in page("an alarm")
    assert "Do not act on the figures" in words("an alarm")
    assert 'class="verdict alarm"' not in page("ordinary")


@EDGES
def test_intervals_that_must_not_be_relied_on_stand_in_brackets_with_the_reason(case: str) -> None:
    evaluation, said = CASES[case](), words(case)
    scale = Scale.in_full(evaluation)
    for policy in evaluation.policies:
        for estimate in policy.estimates:
            for interval in estimate.intervals:
                assert (interval.vetoed is None) or f"({scale.interval(interval)})" in said
                assert (interval.vetoed or "") in said


def test_a_gain_has_a_veto_of_its_own() -> None:
    evaluation = CASES["ordinary"]()
    policy = evaluation.policies[1]
    gain = policy.gains[0]
    vetoed = replace(gain.intervals[1], vetoed="only of the gain")
    gain = replace(gain, intervals=(gain.intervals[0], vetoed, *gain.intervals[2:]))
    changed = replace(policy, gains=(gain, *policy.gains[1:]))
    before = render(replace(evaluation, policies=(evaluation.policies[0], policy)))
    text = render(replace(evaluation, policies=(evaluation.policies[0], changed)))
    assert text.count('class="vetoed"') == before.count('class="vetoed"') + 1
    assert "not the gain: only of the gain" in text


def test_a_route_that_a_policy_wants_and_the_log_never_takes_is_in_the_chart() -> None:
    evaluation = CASES["a route never taken"]()
    assert len(evaluation.routes) == 40
    assert routes_shown(evaluation)[0].route == "acquirer-39"
    assert "20 routes that are used most, of 40" in words("a route never taken")


def test_the_charts_are_hidden_where_scripts_do_not_run() -> None:
    assert (
        "<noscript><style>.chart, .of-chart, .multiples, .key { display: none; }</style></noscript>"
        in page("ordinary")
    )


@EDGES
def test_every_table_has_a_caption_and_can_be_scrolled_by_keyboard(case: str) -> None:
    text = page(case)
    scrolled = text.count('<div class="scroll" tabindex="0" role="group" aria-label=')
    assert text.count("<table") == text.count("<caption>") == scrolled > 0


def test_the_command_has_the_options_that_were_given() -> None:
    evaluation = replace(CASES["hostile names"](), options=("--seed", "7"))
    said = command(evaluation)
    assert said is not None
    assert shlex.split(said)[-2:] == ["--seed", "7"]


def test_the_command_that_makes_the_report_again_quotes_what_the_user_named() -> None:
    said = command(CASES["hostile names"]())
    assert said is not None
    assert shlex.split(said)[:5] == [
        "authopt", "evaluate", "<b>log</b>.parquet", "--policy", HOSTILE
    ]  # fmt: skip
    assert command(CASES["no overlap"]()) is None


def test_the_command_keeps_every_digit_of_the_bounds() -> None:
    log = replace(CASES["narrow intervals"]().log, path="log.parquet")
    said = command(replace(CASES["narrow intervals"](), log=log))
    assert said is not None
    assert "--reward column:margin:1234567:1234567.5" in said


def test_a_report_that_cannot_be_finished_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text("old")
    broken = replace(CASES["ordinary"](), policies=())
    with pytest.raises(IndexError):
        write_report(broken, path)
    assert path.read_text() == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["report.html"]


def test_money_is_printed_as_numbers_not_percent() -> None:
    assert "units of the reward" in words("money")


@EDGES
def test_every_column_and_row_of_a_table_has_a_heading(case: str) -> None:
    for heading in re.findall(r"<th\b[^>]*>", page(case)):
        assert "scope=" in heading


@EDGES
def test_every_chart_is_on_the_page_once_and_says_what_it_is(case: str) -> None:
    text = page(case)
    names = list(drawn(CASES[case]()))
    for name in names:
        assert text.count(f'id="chart-{name}"') == 1
    assert text.count('role="img" aria-label="') == len(names)


@EDGES
def test_every_link_within_the_page_leads_to_a_part_of_it(case: str) -> None:
    targets = re.findall(r'href="#([^"]*)"', page(case))
    assert set(targets) <= set(read(case).ids)
    assert len(targets) > 5


@EDGES
def test_differences_payments_money_and_segments_stand_in_tables(case: str) -> None:
    evaluation, said = CASES[case](), words(case)
    scale, full = Scale.of(evaluation), Scale.in_full(evaluation)
    for comparison in evaluation.comparisons:
        assert scale.gain_interval(comparison.difference.interval) in said
        for estimate in comparison.estimates:
            assert all(full.gain_interval(each) in said for each in estimate.intervals)
    for measure in measures(evaluation):
        for _, found in measure.policies:
            assert measure.scale.value(found.estimate.value) in said
            if found.gain is not None:
                assert measure.scale.gain_interval(found.gain.interval) in said
    for policy in evaluation.policies:
        for volume in policy.volume:
            assert money(volume.gain.value, volume.currency, "+") in said
            assert money_interval(volume.gain.interval, volume.currency) in said
        for segmentation in () if policy.is_logging_policy else policy.segments:
            for segment in segmentation.segments:
                assert segment.gain is not None
                limits = scale.gain_interval(segment.gain.interval)
                gain = f"{segment.rows:,} {scale.gain(segment.gain.value)} {limits}"
                assert f"{segmentation.column}: {segment.name} {policy.name} {gain}" in said


@EDGES
def test_sensitivity_time_and_checks_stand_in_tables(case: str) -> None:
    evaluation, said = CASES[case](), words(case)
    scale = Scale.of(evaluation)
    for family in families(evaluation):
        for policy, each in family.policies:
            for place, point in enumerate(each.points):
                value, bias = scale.value(point.value), scale.value(point.bias_bound)
                assert value in said
                assert f"{bias} {family.chosen(policy, place)}".strip() in said
    for policy in evaluation.policies:
        if policy.over_time is None or policy.is_logging_policy:
            continue
        for stretch in (*policy.over_time.stretches, *policy.over_time.windows):
            gain = f"{scale.gain(stretch.gain.value)} {scale.gain_interval(stretch.gain.interval)}"
            assert f"{stretch.rows:,} {stretch.effective:,.0f}" in said
            assert gain in said
    for check in evaluation.checks:
        assert check.sentence in said
        assert check.remedy in said


def test_a_stated_assumption_and_what_it_says_stand_on_the_page() -> None:
    assert "lipschitz:0.02/h 20.00% and 30.00% 10.00 to 40.00" in words("bounds")
    assert "Under assumptions" not in words("a winner")


def test_the_heat_map_marks_what_stands_out() -> None:
    heat = heat_of(CASES["a winner"]())
    assert heat is not None
    marks = words("a winner").count("▲") + words("a winner").count("▼")
    legend = 2
    assert marks == len(heat.standing_out) + legend > legend


def test_no_heat_map_without_segments() -> None:
    assert "By segment" not in words("ordinary")
    assert 'id="segments"' in page("a winner")


def test_writing_leaves_one_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    write_report(CASES["ordinary"](), path)
    assert [each.name for each in tmp_path.iterdir()] == ["report.html"]
    assert path.read_text(encoding="utf-8").startswith("<!doctype html>")


def test_a_place_that_cannot_be_written_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be written"):
        write_report(CASES["ordinary"](), tmp_path / "missing" / "report.html")


@EDGES
def test_diagnostics_routes_weights_and_times_stand_in_tables(case: str) -> None:
    evaluation, said = CASES[case](), words(case)
    scale = Scale.of(evaluation)
    for policy in evaluation.policies:
        judged, mean = policy.diagnostics, policy.diagnostics.mean_weight
        assert f"{judged.effective_sample_size:,.0f} {judged.effective_share:.1%}" in said
        assert f"{mean.value:.3f} ({mean.lower:.3f} to {mean.upper:.3f})" in said
        assert share(judged.unsupported_mass) in said
        assert share(judged.thin_mass) in said
        assert weight(judged.largest_weight_seen) in said
        assert weight(judged.largest_weight_possible) in said
        if not policy.is_logging_policy:
            assert all(f"{each.rows:,}" in said for each in judged.weights)
    for route in evaluation.routes:
        eligible, logged = share(route.eligible), share(route.logged)
        assert f"{route.route} {eligible} {logged} {share(route.logging)}" in said
        assert all(share(wanted) in said for wanted in route.evaluation.values())
    for stretch in evaluation.over_time:
        at = f"{stretch.start:%Y-%m-%d %H:%M}"
        assert f"{at} {stretch.rows:,} {scale.value(stretch.reward)}" in said
    for remark in evaluation.remarks:
        assert " ".join(remark.text.split()) in said
    assert f"{evaluation.bootstrap:,} bootstrap replicates" in said
