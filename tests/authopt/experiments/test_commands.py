"""``authopt experiment`` at the terminal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from authopt.errors import CheckFailed, UserError
from authopt.experiments.commands import experiment
from tests.authopt.experiments.logs import experiment_rows, written


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("experiment")
    return written(folder / "log.parquet", experiment_rows(4_000, (0.7, 0.85)))


def _run(*words: object) -> Result:
    return CliRunner().invoke(experiment, [str(word) for word in words])


def _json(*words: object) -> Any:
    found = _run(*words, "--json")
    assert found.exit_code == 0, found.output
    return json.loads(found.stdout)


def test_reading_says_what_to_do(log: Path) -> None:
    found = _run("read", log, "--segment", "network", "--guardrail", "paid=0.05")
    assert found.exit_code == 0
    assert found.output.startswith("Ship new: new gains +0.1")
    assert "network = visa" in found.output
    assert "guardrail holds: the share of payments" in found.output
    assert "1,000 not in the experiment" in found.output


def test_the_same_stands_in_json(log: Path) -> None:
    found = _json("read", log, "--segment", "network")
    reading, counted = found["reading"], found["counted"]
    assert reading["verdict"]["answer"] == "ship"
    assert [each["arm"] for each in reading["values"]] == ["live", "new"]
    assert {each["segment"] for each in reading["segments"]} == {"visa", "amex"}
    assert (counted["payments"], counted["outside"], counted["currency"]) == (4_000, 1_000, "EUR")


def test_the_past_of_cards_foretells_their_payments(log: Path) -> None:
    reading = _json("read", log, "--covariate", "card_ref")["reading"]
    assert reading["variance_reduction"] > 0.02
    assert reading["unadjusted"][0]["estimate"] != reading["differences"][0]["estimate"]


def test_another_log_may_be_the_past(log: Path, tmp_path: Path) -> None:
    only = [row for row in experiment_rows(1_000, (0.8, 0.8)) if row.arm is not None]
    alone = written(tmp_path / "alone.parquet", only)
    assert isinstance(_run("read", alone, "--covariate", "card_ref").exception, UserError)
    reading = _json("read", alone, "--covariate", "card_ref", "--before", log)["reading"]
    assert reading["variance_reduction"] is not None


def test_units_of_cards_are_compared_by_card(log: Path) -> None:
    reading = _json("read", log, "--unit", "card")["reading"]
    assert reading["differences"][0]["method"] == "asymptotic"
    assert sum(reading["units"]) == 50


def test_rewards_may_be_what_it_is_about(log: Path) -> None:
    reading = _json("read", log, "--reward", "column:fee_minor:0:100")["reading"]
    assert [each["mean"] for each in reading["values"]] == [30.0, 30.0]


def test_a_split_that_is_not_as_planned_fails(log: Path) -> None:
    found = _run("read", log, "--arms", "live=9,new=1")
    assert isinstance(found.exception, CheckFailed)
    assert "look for the fault" in found.output


def test_a_broken_guardrail_fails_and_is_said(log: Path) -> None:
    found = _run("read", log, "--arms", "new=1,live=1", "--guardrail", "paid=0.01")
    assert isinstance(found.exception, CheckFailed)
    assert "the share of payments that are paid of live less that of new" in str(found.exception)


@pytest.mark.parametrize(
    ("words", "match"),
    [
        (["--arm-column", "x_side"], "--arm-column must name.*x_arm"),
        (["--experiment", "summer"], "no payment in the experiment"),
        (["--guardrail", "paid=much"], "expected METRIC=TOLERANCE"),
        (["--guardrail", "speed=1"], "no such metric"),
        (["--guardrail", "paid=1", "--guardrail", "paid=2"], "stands twice"),
        (["--wait", "soon"], "is no wait"),
        (["--segment", "colour"], "no column 'colour'"),
        (["--arms", "live=1,old=1"], r"arm\(s\) new beside live, old"),
    ],
)
def test_what_cannot_be_read_is_said(log: Path, words: list[str], match: str) -> None:
    found = _run("read", log, *words)
    assert isinstance(found.exception, UserError)
    with pytest.raises(UserError, match=match):
        raise found.exception


def test_a_plan_says_how_many_payments_and_days_each_effect_takes(log: Path) -> None:
    small, large = _json("plan", log, "--effect", 0.01, "--effect", 0.02, "--share", 0.5)
    assert small["fixed"] == pytest.approx(4 * large["fixed"], rel=1e-3)
    # A payment a minute, half of them in the experiment.
    assert large["payments_per_day"] == pytest.approx(720.0, rel=1e-3)
    assert large["fixed_days"] == pytest.approx(large["fixed"] / 720.0, rel=1e-3)
    found = _run("plan", log)
    assert found.exit_code == 0
    assert "0.005" in found.output


def test_a_plan_by_card_counts_that_its_payments_are_alike(log: Path) -> None:
    (by_payment,), (by_card,) = (
        _json("plan", log, "--effect", 0.02, "--unit", unit) for unit in ("payment", "card")
    )
    assert by_card["design_effect"] > 1.5 > by_payment["design_effect"] == 1.0
    assert by_card["fixed"] > 1.5 * by_payment["fixed"]


def test_a_log_too_small_to_plan_by_is_refused(tmp_path: Path) -> None:
    log = written(tmp_path / "log.parquet", experiment_rows(40, (0.8, 0.8)))
    assert isinstance(_run("plan", log).exception, UserError)
