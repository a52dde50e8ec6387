"""``authopt world``."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner, Result

from simulator.calibration.commands import Row, markdown_table, shown_range, world
from simulator.calibration.published import PUBLISHED, Published

README = Path(__file__).parents[3] / "simulator" / "README.md"


def run(*arguments: object) -> Result:
    options = {"COLUMNS": "200"}
    return CliRunner().invoke(world, [str(argument) for argument in arguments], env=options)


def test_calibrate_prints_every_figure_with_its_range_and_source() -> None:
    result = run("calibrate", "--payments", 4_000, "--seed", 1)
    for heading in ("figure", "simulated", "published range", "source", "inside"):
        assert heading in result.stdout
    assert "Slicker" in result.stdout
    assert "4,000 payments, seed 1" in result.stdout


def test_calibrate_fails_where_a_figure_lies_outside_and_names_it() -> None:
    # In the small world a prepaid card is declined more than three times as often as a credit card.
    result = run("calibrate", "--world", "small", "--payments", 20_000, "--json")
    assert result.exit_code == 1
    answer = json.loads(result.stdout)
    assert "prepaid_to_credit" in answer["outside"]
    by_key = {figure["key"]: figure for figure in answer["figures"]}
    assert set(by_key) == {each.key for each in PUBLISHED}
    assert not by_key["prepaid_to_credit"]["inside"]
    assert by_key["prepaid_to_credit"]["simulated"] > by_key["prepaid_to_credit"]["high"]


def test_the_same_seed_gives_the_same_figures() -> None:
    options = ("calibrate", "--payments", 1_500, "--seed", 4, "--json")
    assert run(*options).stdout == run(*options).stdout


def test_the_markdown_table_is_the_one_that_the_readme_shows() -> None:
    published = Published("k", "payments declined", 0.05, None, "more", "Somebody", "%")
    lines = markdown_table([Row(published, 0.061), Row(published, 0.01)])
    assert lines[0].startswith("| figure | simulated |")
    assert lines[2] == "| payments declined | 6.1% | 5.0% or more | more | Somebody |"
    assert "1.0% (outside)" in lines[3]


def test_ranges_are_shown_with_their_unit() -> None:
    assert shown_range(Published("k", "w", 0.05, 0.5, "s", "h")) == "5.0% to 50.0%"
    assert shown_range(Published("k", "w", 1.004, 1.046, "s", "h", "x")) == "1.004x to 1.046x"


def test_show_names_routes_merchants_and_issuers() -> None:
    result = run("show", "--payments", 2_000, "--merchants", 3, "--issuers", 4)
    assert result.exit_code == 0, result.output
    for heading in ("route", "merchant", "issuer"):
        assert heading in result.stdout
    assert "and " in result.stdout


def test_show_as_json_has_shares_that_sum_to_1() -> None:
    answer = json.loads(run("show", "--world", "small", "--payments", 1_000, "--json").stdout)
    assert set(answer) == {"routes", "merchants", "issuers"}
    for members in answer.values():
        assert abs(sum(member["share"] for member in members) - 1.0) < 1e-9
        assert members == sorted(members, key=lambda member: -member["share"])


def test_the_readme_has_every_figure_with_its_range_and_source() -> None:
    written = README.read_text().splitlines()
    for line in markdown_table([Row(each, 0.0) for each in PUBLISHED])[2:]:
        what, _, *rest = line.strip("| ").split(" | ")
        found = [row for row in written if row.startswith(f"| {what} |")]
        assert len(found) == 1, what
        assert found[0].strip("| ").split(" | ")[2:] == rest
        assert "(outside)" not in found[0]
