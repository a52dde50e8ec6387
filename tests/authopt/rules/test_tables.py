"""A merchant's own tables are read with care: what is wrong is named with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from authopt.errors import UserError
from authopt.rules import apply_rules, load_rules
from tests.authopt.rules.one_decision import decision

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
        (HEADER + "visa,05,x,never,us,soon\n", "line 2, column effective_from: 'soon'; expected"),
        (HEADER + "visa,05,x,never,us,\nvisa,5,x,never,us,\n", "line 3: says the same as line 2"),
    ],
)
def test_a_bad_table_of_response_codes_is_refused_with_its_place(
    tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        load_rules(response_codes=written(tmp_path, text))


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
    rules = load_rules(attempt_limits=written(tmp_path, LIMIT_HEADER), max_attempts=30)
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


def test_a_merchants_limit_is_at_least_one() -> None:
    with pytest.raises(UserError, match="max_attempts is 0"):
        load_rules(max_attempts=0)
