"""A merchant's own tables are read with care: what is wrong is named with its place."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from authopt.errors import UserError
from authopt.rules import MerchantRules, Rules, apply_rules, load_rules
from authopt.rules.tables import ATTEMPT_LIMITS, read_regions
from tests.authopt.rules.one_decision import decision, decisions
from tests.authopt.rules.without_a_line import not_missed

HEADER = "network,response_code,meaning,category,source,effective_from\n"
ADVICE_HEADER = "network,advice_code,meaning,permission,wait_s,source,effective_from\n"
LIMIT_HEADER = "network,attempts,window_s,meaning,source,effective_from\n"


def written(folder: Path, text: str) -> Path:
    path = folder / "table.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_merchants_table_takes_the_place_of_the_shipped_one(tmp_path: Path) -> None:
    path = written(tmp_path, HEADER + "visa,05,do not honour,never,us,\n")
    rules = load_rules(response_codes=path)
    assert not apply_rules(decision(network="visa", previous_response_code="05"), rules).keep[0]
    assert apply_rules(decision(network="visa", previous_response_code="41"), rules).keep.all()
    assert apply_rules(decision(network="amex", previous_response_code="05"), rules).keep.all()


def test_a_networks_own_row_goes_before_the_row_for_all(tmp_path: Path) -> None:
    rows = "visa,51,funds,generic,us,\n*,51,funds,never,us,\n"
    rules = load_rules(response_codes=written(tmp_path, HEADER + rows))
    assert apply_rules(decision(network="visa", previous_response_code="51"), rules).keep.all()
    assert not apply_rules(decision(network="jcb", previous_response_code="51"), rules).keep[0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("network,response_code\n", "column.s. meaning, source, effective_from, category missing"),
        (HEADER + "visa,05,x,perhaps,us,\n", "line 2, column category: 'perhaps'; expected one of"),
        (HEADER + "\nviza,05,x,never,us,\n", "line 3, column network: 'viza'; expected"),
        (HEADER + "visa *,05,x,never,us,\n", "line 2, column network: 'visa \\*'; expected"),
        (HEADER + ",05,x,never,us,\n", "line 2, column network: ''; expected"),
        (HEADER + "visa,,x,never,us,\n", "line 2, column response_code: ''; expected a value"),
        (HEADER + "visa,05,x,never,us,soon\n", "line 2, column effective_from: 'soon'; expected"),
        (HEADER + "visa,05,x,never,us,\nvisa,5,x,never,us,\n", "line 3: says the same as line 2"),
        (
            HEADER + "visa jcb,05,x,never,us,\njcb,05,x,generic,us,\n",
            "line 3: says the same as line 2",
        ),
        (HEADER + "visa,05,a, b,never,us,\n", "line 2: more cells than the header has; quote"),
    ],
)
def test_a_bad_table_of_response_codes_is_refused_with_its_place(
    tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        load_rules(response_codes=written(tmp_path, text))


def test_a_line_that_is_no_longer_in_effect_is_checked_too(tmp_path: Path) -> None:
    rows = "visa,05,x,perhaps,us,\nvisa,05,x,generic,us,2025-01-01\n"
    with pytest.raises(UserError, match="line 2, column category"):
        load_rules(response_codes=written(tmp_path, HEADER + rows), on=date(2026, 1, 1))


def test_empty_cells_at_the_end_of_a_line_may_be_left_out(tmp_path: Path) -> None:
    rules = load_rules(response_codes=written(tmp_path, HEADER + "visa,05,x,never\n"))
    assert not apply_rules(decision(network="visa", previous_response_code="05"), rules).keep[0]


@pytest.mark.parametrize("wait", ["-1", "an hour", "1.5", ""])
def test_a_wait_is_a_whole_number_of_seconds(tmp_path: Path, wait: str) -> None:
    path = written(tmp_path, ADVICE_HEADER + f"mastercard,24,x,later,{wait},us,\n")
    with pytest.raises(UserError, match=r"line 2, column wait_s: .* whole number"):
        load_rules(advice_codes=path)


@pytest.mark.parametrize("attempts", ["0", "many"])
def test_a_limit_is_at_least_one_attempt(tmp_path: Path, attempts: str) -> None:
    path = written(tmp_path, LIMIT_HEADER + f"visa,{attempts},86400,x,us,\n")
    with pytest.raises(UserError, match="line 2, column attempts"):
        load_rules(attempt_limits=path)


def test_an_empty_table_of_limits_limits_nothing_but_the_merchant_does(tmp_path: Path) -> None:
    own = MerchantRules(max_attempts=30)
    rules = load_rules(attempt_limits=written(tmp_path, LIMIT_HEADER), merchant=own)
    assert apply_rules(decision(attempt=30, network="visa"), rules).keep.all()
    assert not apply_rules(decision(attempt=31, network="visa"), rules).keep[0]


def test_a_file_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        load_rules(advice_codes=tmp_path / "none.csv")


def test_a_file_that_is_not_text_is_said_so(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="cannot be read"):
        load_rules(advice_codes=path)


# (network, merchant's country, day): largest number of an attempt in 24 hours and in 30 days.
LIMITS = {
    ("jcb", "FR", "2020-01-01"): (None, 15),
    ("visa", "FR", "2025-05-18"): (None, 16),
    ("visa", "FR", "2025-05-19"): (None, 21),
    ("mastercard", "FR", "2020-01-01"): (10, 35),
    ("maestro", "FR", "2026-01-01"): (10, 35),
    ("mastercard", "US", "2019-10-13"): (10, 35),
    ("mastercard", "US", "2019-10-14"): (20, 35),
    ("mastercard", "CA", "2022-09-30"): (20, 35),
    ("mastercard", "US", "2022-10-01"): (10, 35),
    ("mastercard", "BR", "2023-01-31"): (10, 35),
    ("mastercard", "BR", "2023-02-01"): (7, 35),
    ("visa", "BR", "2026-01-01"): (None, 21),
}


def limits_found(path: Path) -> dict[tuple[str, str, str], tuple[int | None, int | None]]:
    """The same as LIMITS, by asking the rules of each day for the first attempt removed."""
    found = {}
    for network, country, day in LIMITS:
        rules = load_rules(
            attempt_limits=path,
            merchant=MerchantRules(max_attempts=100),
            on=date.fromisoformat(day),
        )
        within = {"network": network, "merchant_country": country}

        def most(seconds: float, rules: Rules = rules, **context: object) -> int | None:
            numbers = range(2, 50)
            batch = decisions(
                [
                    context
                    | {
                        "seconds_since_first_attempt": seconds,
                        "seconds_since_last_attempt": seconds,
                    }
                ]
                * len(numbers),
                numbers,
                [[("adyen", 0)]] * len(numbers),
            )
            kept = apply_rules(batch, rules).keep.tolist()
            return numbers[kept.index(False)] - 1 if False in kept else None

        in_a_day, in_a_month = most(60.0, **within), most(86_401.0, **within)
        found[network, country, day] = (in_a_day if in_a_day != in_a_month else None, in_a_month)
    return found


def test_every_limit_is_the_one_written_out_by_hand() -> None:
    assert limits_found(ATTEMPT_LIMITS) == LIMITS


def test_no_line_of_the_limits_can_go_missing_unseen(tmp_path: Path) -> None:
    assert not not_missed(ATTEMPT_LIMITS, tmp_path, lambda path: limits_found(path) == LIMITS)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("visa,3,60,x,us,,Brazil\n", "line 2, column merchant_in: 'Brazil'; expected countries"),
        ("visa,3,60,x,us,,BR\nvisa,4,60,x,us,,BR\n", "line 3: says the same as line 2"),
        ("visa,3,0,x,us,,\n", "line 2, column window_s"),
    ],
)
def test_a_bad_limit_is_refused_with_its_place(tmp_path: Path, line: str, message: str) -> None:
    header = LIMIT_HEADER.replace("\n", ",merchant_in\n")
    with pytest.raises(UserError, match=message):
        load_rules(attempt_limits=written(tmp_path, header + line))


def test_a_limit_for_some_countries_leaves_the_others_as_they_are(tmp_path: Path) -> None:
    header = LIMIT_HEADER.replace("\n", ",merchant_in\n")
    path = written(tmp_path, header + "*,3,60,x,us,,\nvisa,1,60,x,us,,eea_uk\n")
    rules = load_rules(attempt_limits=path)
    for country, kept in (("FR", False), ("US", True), (None, True)):
        batch = decision(attempt=2, network="visa", merchant_country=country)
        assert apply_rules(batch, rules).keep[0] == kept
    assert not apply_rules(decision(attempt=4, network="visa"), rules).keep[0]


def test_the_regions_are_those_written_out_by_hand() -> None:
    regions = read_regions()
    assert list(regions) == ["europe", "asia_pacific", "eea_uk"]
    assert {"GB", "TR", "CH", "FR", "IL"} <= set(regions["europe"])
    assert {"JP", "AU", "IN", "SG", "CN"} <= set(regions["asia_pacific"])
    assert len(regions["eea_uk"]) == 31
    assert not {"CH", "TR"} & set(regions["eea_uk"])


def test_a_merchants_limit_is_at_least_one() -> None:
    with pytest.raises(UserError, match="max_attempts is 0"):
        load_rules(merchant=MerchantRules(max_attempts=0))
