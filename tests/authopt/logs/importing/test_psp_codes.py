"""An export with a provider's raw codes is imported as it is; no row is lost for an odd code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from authopt.errors import UserError
from authopt.logs.files import open_log
from authopt.logs.import_command import import_log
from authopt.logs.importing import ImportSummary, import_file, load_mapping
from authopt.logs.rejects import Rejects

MAPPING = """
[columns]
time = "when"
route = "psp"
approved = "ok"
response_code = "code"
[constants]
network = "mastercard"
[time]
format = "%Y-%m-%d %H:%M:%S"
zone = "UTC"
[payments]
same = ["shop"]
within_s = 600
[routes]
eligible = ["a", "b"]
"""
STRIPE = '[codes]\npsp = "stripe"\n'
HEADER = "when,psp,ok,code,shop\n"


def rows(*codes: str, route: str = "a") -> str:
    return HEADER + "".join(
        f"2026-03-02 10:{minute:02}:00,{route},{0 if code else 1},{code},s\n"
        for minute, code in enumerate(codes)
    )


def imported(folder: Path, text: str, codes: str) -> tuple[ImportSummary, dict[str, list[Any]]]:
    source, toml, out = folder / "source.csv", folder / "m.toml", folder / "log.parquet"
    source.write_text(text, encoding="utf-8")
    toml.write_text(MAPPING + codes, encoding="utf-8")
    summary = import_file(source, load_mapping(toml), out, Rejects())
    records = list(open_log(out).records())
    names = records[0].schema.names
    return summary, {name: [v for r in records for v in r[name].to_pylist()] for name in names}


def test_raw_codes_become_the_networks_and_stay_beside_them(tmp_path: Path) -> None:
    summary, log = imported(tmp_path, rows("insufficient_funds", "lost_card", ""), STRIPE)
    assert log["response_code"] == ["51", "41", None]
    assert log["x_psp_code"] == ["insufficient_funds", "lost_card", None]
    assert log["previous_response_code"] == [None, "51", "41"]
    assert not summary.unknown_codes


def test_advice_that_a_raw_code_implies_is_told_to_the_next_attempt(tmp_path: Path) -> None:
    _, log = imported(tmp_path, rows("do_not_try_again", "try_again_later"), STRIPE)
    assert log["advice_code"] == ["03", None]
    assert log["previous_advice_code"] == [None, "03"]


def test_advice_of_the_source_itself_goes_before(tmp_path: Path) -> None:
    codes = STRIPE + '[derived.advice_code]\nfrom = "ok"\nvalues = { "0" = "24", "1" = "" }\n'
    _, log = imported(tmp_path, rows("do_not_try_again", ""), codes)
    assert log["advice_code"] == ["24", None]


def test_a_raw_code_that_is_not_known_is_imported_as_a_generic_decline_and_named(
    tmp_path: Path,
) -> None:
    text = rows("brand_new", "lost_card", "brand_new", "odd")
    summary, log = imported(tmp_path, text, STRIPE)
    assert (summary.read, summary.written) == (4, 4)
    assert log["response_code"] == ["05", "41", "05", "05"]
    assert log["x_psp_code"] == ["brand_new", "lost_card", "brand_new", "odd"]
    assert summary.unknown_codes == {"brand_new": 2, "odd": 1}


def test_an_unknown_code_of_a_rejected_row_is_not_counted(tmp_path: Path) -> None:
    text = rows("brand_new") + "yesterday,a,0,brand_new,s\n"
    summary, _ = imported(tmp_path, text, STRIPE)
    assert summary.unknown_codes == {"brand_new": 1}


def test_each_route_may_have_a_provider_of_its_own(tmp_path: Path) -> None:
    codes = '[codes]\npsp = { a = "adyen" }\n'
    text = rows("5", "Blocked Card") + "2026-03-02 10:05:00,b,0,51,s\n"
    _, log = imported(tmp_path, text, codes)
    assert log["response_code"] == ["62", "62", "51"]
    assert log["x_psp_code"] == ["5", "Blocked Card", None]
    assert "advice_code" not in log


def test_a_merchant_may_bring_a_table_which_lies_beside_the_mapping(tmp_path: Path) -> None:
    (tmp_path / "own.csv").write_text(
        "code,alias,meaning,response_code,advice_code,source,note\nE1,,funds,51,,us,\n",
        encoding="utf-8",
    )
    _, log = imported(tmp_path, rows("E1"), '[codes]\npsp = "own.csv"\n')
    assert log["response_code"] == ["51"]


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        (MAPPING + '[codes]\npsp = "strip"\n', "key codes.psp: no table of codes for 'strip'; did"),
        (MAPPING + '[codes]\npsp = "none.csv"\n', "key codes.psp: .*none.csv: cannot be read"),
        (MAPPING + '[codes]\npsp = { c = "adyen" }\n', "key codes.psp.c: is no eligible route"),
        (MAPPING + STRIPE + '[values.response_code]\na = "05"\n', "keep one of them"),
        (
            MAPPING.replace("response_code", "x_psp_code") + STRIPE,
            "needs columns.response_code",
        ),
        (
            MAPPING.replace("[constants]", 'x_psp_code = "code"\n[constants]') + STRIPE,
            "key x_psp_code: is where the raw codes",
        ),
        (MAPPING + "[codes]\npsp = 5\n", "codes.psp"),
    ],
)
def test_a_mapping_that_cannot_translate_is_refused_with_its_key(
    tmp_path: Path, mapping: str, message: str
) -> None:
    path = tmp_path / "m.toml"
    path.write_text(mapping, encoding="utf-8")
    with pytest.raises(UserError, match=message):
        load_mapping(path)


def test_the_command_names_the_codes_that_it_does_not_know(tmp_path: Path) -> None:
    source, toml = tmp_path / "s.csv", tmp_path / "m.toml"
    source.write_text(rows(*(f"new_{n}" for n in range(7)), "new_0"), encoding="utf-8")
    toml.write_text(MAPPING + STRIPE, encoding="utf-8")
    command = [str(source), "--mapping", str(toml), "--out"]
    shown = CliRunner().invoke(import_log, [*command, str(tmp_path / "a.parquet")])
    assert shown.exit_code == 0
    text = " ".join(shown.stdout.split())
    assert "unknown codes new_0 (2 x), new_1 (1 x)" in text
    assert "and 2 more: imported as generic declines" in text
    as_json = CliRunner().invoke(import_log, [*command, str(tmp_path / "b.parquet"), "--json"])
    assert json.loads(as_json.stdout)["summary"]["unknown_codes"]["new_0"] == 2
