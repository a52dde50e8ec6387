"""A source that says with which probability each route was taken."""

from __future__ import annotations

from pathlib import Path

import pytest

from authopt.errors import UserError
from authopt.logs.files import open_log
from authopt.logs.importing import import_file, load_mapping
from authopt.logs.rejects import Rejects
from authopt.logs.schema import PropensitySource
from tests.authopt.logs.importing.test_import import HEADER, MAPPING, column, imported, row, write

WITH_COLUMN = MAPPING.replace('route = "psp"', 'route = "psp"\npropensity = "p"')
WITH_SHARES = MAPPING + "shares = { a = 0.75, b = 0.25 }\n"
WHEN = "2026-03-02 10:00:00"


def rows(*propensities: str) -> str:
    lines = [f"2026-03-02 10:0{minute}:00" for minute in range(len(propensities))]
    pairs = zip(lines, propensities, strict=True)
    return HEADER.replace("\n", ",p\n") + "".join(
        row(when).replace("\n", f",{propensity}\n") for when, propensity in pairs
    )


def test_a_column_of_the_source_gives_the_propensity(tmp_path: Path) -> None:
    _, _, out = imported(tmp_path, rows("0.5", "1"), WITH_COLUMN)
    assert column(out, "propensity") == [0.5, 1.0]
    assert open_log(out).propensity_source is PropensitySource.LOGGED
    assert "eligible_probability" not in open_log(out).columns


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("", "is empty; every attempt needs it"),
        ("often", "expected a number"),
        ("nan", "expected a number"),
        ("0", "expected a probability above 0 and at most 1"),
        ("1.5", "expected a probability above 0 and at most 1"),
    ],
)
def test_a_row_whose_propensity_is_none_is_rejected(tmp_path: Path, cell: str, reason: str) -> None:
    summary, rejects, out = imported(tmp_path, rows("0.5", cell), WITH_COLUMN)
    assert (summary.written, summary.rejected) == (1, 1)
    assert reason in rejects.examples[0].reason
    assert column(out, "propensity") == [0.5]


def test_fixed_shares_give_the_probabilities_of_all_routes(tmp_path: Path) -> None:
    _, _, out = imported(
        tmp_path, HEADER + row(WHEN) + row("2026-03-02 11:00:00", "b"), WITH_SHARES
    )
    assert column(out, "propensity") == [0.75, 0.25]
    assert column(out, "eligible_probability") == [[0.75, 0.25], [0.75, 0.25]]
    assert open_log(out).propensity_source is PropensitySource.LOGGED


def test_equal_shares_need_no_figures(tmp_path: Path) -> None:
    _, _, out = imported(tmp_path, HEADER + row(WHEN), MAPPING + 'shares = "equal"\n')
    assert column(out, "eligible_probability") == [[0.5, 0.5]]


def test_a_row_on_a_route_without_a_share_is_rejected(tmp_path: Path) -> None:
    text = HEADER + row(WHEN) + row("2026-03-02 11:00:00", "b")
    summary, rejects, _ = imported(tmp_path, text, MAPPING + "shares = { a = 1.0 }\n")
    assert (summary.written, summary.rejected) == (1, 1)
    assert "above 0" in rejects.examples[0].reason


def test_a_row_in_which_propensity_and_share_differ_is_rejected(tmp_path: Path) -> None:
    mapping = WITH_COLUMN + 'shares = "equal"\n'
    summary, rejects, _ = imported(tmp_path, rows("0.5", "0.25"), mapping)
    assert (summary.written, summary.rejected) == (1, 1)
    assert "differs" in rejects.examples[0].reason


def test_without_either_the_propensities_are_unknown(tmp_path: Path) -> None:
    _, _, out = imported(tmp_path, HEADER + row(WHEN))
    assert open_log(out).propensity_source is PropensitySource.UNKNOWN
    assert "propensity" not in open_log(out).columns


@pytest.mark.parametrize(
    ("mapping", "said"),
    [
        (MAPPING + "shares = { a = 0.5, b = 0.4 }\n", "key routes.shares: sum to 0.9; expected 1"),
        (MAPPING + "shares = { a = 1.0, z = 0.0 }\n", "key routes.shares.z: is no eligible route"),
        (MAPPING + "shares = { a = 1.5, b = -0.5 }\n", "key routes.shares.a: is 1.5"),
        (MAPPING + "shares = 'uneven'\n", "shares"),
        (MAPPING + "[constants]\npropensity = 0.5\n", "key propensity: differs from row to row"),
    ],
)
def test_shares_that_are_none_are_named_by_their_key(
    tmp_path: Path, mapping: str, said: str
) -> None:
    _, toml = write(tmp_path, HEADER, mapping)
    with pytest.raises(UserError, match=r"mapping\.toml") as raised:
        load_mapping(toml)
    assert said in str(raised.value)


def test_strict_stops_at_the_first_propensity_that_is_none(tmp_path: Path) -> None:
    source, toml = write(tmp_path, rows("0.5", "0"), WITH_COLUMN)
    with pytest.raises(UserError, match="row 2"):
        import_file(source, load_mapping(toml), tmp_path / "log.parquet", Rejects(strict=True))
    assert not (tmp_path / "log.parquet").exists()
