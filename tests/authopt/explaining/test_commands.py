from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from authopt.errors import UserError
from authopt.explaining.commands import explain
from authopt.logs.files import write_log
from authopt.logs.schema import PropensitySource
from tests.authopt.explaining.logs import online, sample_log, without_propensities


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("explain")
    write_log(path / "log.parquet", [sample_log(600)])
    bare = without_propensities(sample_log(600))
    write_log(path / "bare.parquet", [bare], PropensitySource.UNKNOWN)
    write_log(path / "empty.parquet", [sample_log(600).take(slice(0, 0))])
    online().save(path / "online.json")
    return path


def run(*arguments: object) -> Result:
    return CliRunner(env={"COLUMNS": "160"}).invoke(explain, [str(each) for each in arguments])


def refused(*arguments: object) -> str:
    """What is said of a user's mistake; ``authopt`` ends with 2 then."""
    result = run(*arguments)
    assert isinstance(result.exception, UserError)
    return str(result.exception)


def test_a_decision_is_explained_in_words(folder: Path) -> None:
    policy = f"online:{folder / 'online.json'}"
    result = run("decision", folder / "log.parquet", "p1-00000010-2", "--policy", policy)
    row = sample_log().decision_id.to_pylist().index("p1-00000010-2")
    propensity = sample_log().propensity[row]
    assert result.exit_code == 0, result.output
    for said in (
        "Attempt 2 of payment p1-00000010",
        "= best",
        "+ floor",
        "Drawn: ",
        f"with propensity {propensity:.4f}",
        "Why ",
        "in all",
        "its scores are sums of them",
    ):
        assert said in result.stdout


def test_a_decision_is_explained_to_machines(folder: Path) -> None:
    policy = f"online:{folder / 'online.json'}"
    named = ("--payment", "p1-00000010", "--attempt", 2)
    result = run("decision", folder / "log.parquet", *named, "--policy", policy, "--json")
    assert result.exit_code == 0, result.output
    answer = json.loads(result.stdout)
    assert answer["decision_id"] == "p1-00000010-2"
    assert answer["adds_up"] is True
    for each in answer["actions"]:
        assert sum(each["shares"].values()) == pytest.approx(each["probability"], abs=1e-9)


def test_what_could_have_been_asked_for_is_said_by_the_user(folder: Path) -> None:
    asked = ("decision", folder / "log.parquet", "p1-00000010-2", "--policy", "uniform", "--json")
    result = run(*asked, "--routes", "atlas,elsewhere", "--delays", "0,2d")
    others = {(each["route"], each["delay_s"]) for each in json.loads(result.stdout)["others"]}
    assert others == {("atlas", 172_800), ("elsewhere", 0), ("elsewhere", 172_800)}


def test_the_merchants_own_rule_is_named_for_what_it_removes(folder: Path, tmp_path: Path) -> None:
    rules = tmp_path / "merchant.toml"
    rules.write_text('[routes.elsewhere]\nonly = { currencies = ["JPY"] }\n')
    asked = ("decision", folder / "log.parquet", "p1-00000010-2", "--policy", "uniform", "--json")
    result = run(*asked, "--rules", rules, "--delays", "0")
    assert result.exit_code == 0, result.output
    others = {each["route"]: each["rule"] for each in json.loads(result.stdout)["others"]}
    assert "elsewhere" in others["elsewhere"]
    assert others["cordillera"] is None


def test_an_unknown_decision_is_the_users_mistake(folder: Path) -> None:
    said = refused("decision", folder / "log.parquet", "p1-00000010", "--policy", "uniform")
    assert "has no decision 'p1-00000010'" in said
    assert "p1-00000010-1" in said


def test_a_decision_has_to_be_named_once(folder: Path) -> None:
    log = folder / "log.parquet"
    assert "say which decision" in refused("decision", log, "--policy", "uniform")
    both = refused("decision", log, "d1", "--payment", "p1", "--policy", "uniform")
    assert "say which decision" in both
    assert "--attempt" in refused("decision", log, "d1", "--attempt", 1, "--policy", "uniform")


def test_a_delay_that_is_no_time_is_refused(folder: Path) -> None:
    log = folder / "log.parquet"
    asked = ("decision", log, "p1-00000010-2", "--policy", "uniform", "--delays", "soon")
    assert "'soon' is no length of time" in refused(*asked)


@pytest.mark.parametrize("command", ["decision", "policy"])
def test_an_empty_log_is_said_to_be_empty(folder: Path, command: str) -> None:
    log = folder / "empty.parquet"
    asked = {
        "decision": ("decision", log, "d1", "--policy", "uniform"),
        "policy": ("policy", "uniform", "--log", log),
    }
    assert "the log has no decisions" in refused(*asked[command])


def test_a_policy_is_shown_by_segment_beside_what_the_log_did(folder: Path) -> None:
    policy = f"online:{folder / 'online.json'}"
    result = run("policy", policy, "--log", folder / "log.parquet", "--by", "network,attempt")
    assert result.exit_code == 0, result.output
    for said in (
        "Routes by network",
        "Delays by attempt",
        "Changes by network",
        "visa",
        "->",
        "expected",
    ):
        assert said in result.stdout
    assert "beside the log's own policy" in result.stdout


def test_a_policy_is_shown_to_machines(folder: Path) -> None:
    log = folder / "log.parquet"
    live = "priority:routes=atlas"
    result = run("policy", "uniform", "--log", log, "--live", live, "--json")
    answer = json.loads(result.stdout)
    assert (answer["policy"], answer["live"]) == ("uniform", live)
    assert list(answer["by"]) == ["issuer", "attempt"]
    assert list(answer["overall"]) == [
        *("name", "decisions", "share", "routes", "live_routes", "delays", "live_delays"),
        *("changed", "choice_changed", "value", "live_value", "movements", "delay_movements"),
    ]


def test_a_log_without_propensities_is_compared_with_what_was_done_and_says_so(
    folder: Path,
) -> None:
    result = run("policy", "uniform", "--log", folder / "bare.parquet")
    assert result.exit_code == 0, result.output
    assert "Of 600 decisions the log has no probabilities" in " ".join(result.stdout.split())
    decision = run("decision", folder / "bare.parquet", "p1-00000010-2", "--policy", "uniform")
    assert "with an unknown propensity" in decision.stdout


def test_a_column_that_the_log_does_not_have_is_refused(folder: Path) -> None:
    asked = ("policy", "uniform", "--log", folder / "log.parquet", "--by", "planet")
    assert "'planet'" in refused(*asked)


def test_a_picture_is_written_where_it_is_asked_for(folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    out = tmp_path / "what.svg"
    result = run("policy", "uniform", "--log", folder / "log.parquet", "--out", out, "--dark")
    assert result.exit_code == 0, result.output
    assert out.stat().st_size > 10_000


def test_a_page_holds_the_tables_and_needs_no_network(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "what.html"
    result = run("policy", "uniform", "--log", folder / "log.parquet", "--out", out)
    assert result.exit_code == 0, result.output
    page = out.read_text(encoding="utf-8")
    for said in ("Routes by issuer", "Delays by attempt", "all decisions", "the log&#39;s own"):
        assert said in page
    assert "http" not in page.replace("http://www.w3.org", "")


def test_a_picture_of_no_known_kind_is_refused_before_the_work(folder: Path) -> None:
    asked = ("policy", "uniform", "--log", folder / "log.parquet", "--out", "what.docx")
    assert "expected a name that ends with .html, .png" in refused(*asked)
