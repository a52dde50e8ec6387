"""CSV as people and spreadsheets leave it: each bad row is one rejection, none is lost."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from authopt.errors import UserError
from authopt.logs.files import open_log, read_log, write_log, write_records
from authopt.logs.schema import PropensitySource
from tests.authopt.logs.log_cases import RECORDS, full_batch, read_leniently, values, with_column

HEADER = "decision_id,payment_id,attempt,decided_at,eligible_route,eligible_delay_s,chosen"


def line(number: int, *more: str) -> str:
    cells = f'd{number},p{number},1,2026-01-01T00:00:00Z,"[""a"",""b""]","[0,0]",1'
    return ",".join((cells, *more))


def written(path: Path, *lines: str, header: str = HEADER) -> Path:
    path.write_text("\n".join((header, *lines)) + "\n", encoding="utf-8")
    return path


def test_a_file_needs_no_comment_and_no_quotes(tmp_path: Path) -> None:
    batch = read_log(written(tmp_path / "log.csv", line(1), line(2)))
    assert batch.decision_id.to_pylist() == ["d1", "d2"]
    assert batch.routes == ("a", "b")
    assert batch.chosen.tolist() == [1, 1]


def test_windows_line_ends_blank_lines_and_a_byte_order_mark_are_fine(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    text = "\r\n".join((HEADER, line(1), "", line(2), line(3)))
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert read_log(path).n == 3


@pytest.mark.parametrize(
    ("time", "utc"),
    [
        ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00"),
        ("2026-01-01 02:30:00+02:30", "2026-01-01T00:00:00"),
        ("2026-01-01T00:00:00.1234567Z", "2026-01-01T00:00:00.123456"),
        ("2026-01-01T00:00Z", "2026-01-01T00:00:00"),
    ],
)
def test_times_carry_their_offset(tmp_path: Path, time: str, utc: str) -> None:
    path = written(tmp_path / "log.csv", line(1).replace("2026-01-01T00:00:00Z", time))
    assert read_log(path).decided_at[0] == np.datetime64(utc)


def test_booleans_are_words_or_digits(tmp_path: Path) -> None:
    lines = [line(i, text) for i, text in enumerate(["true", "False", "1", "0", ""])]
    batch = read_log(written(tmp_path / "log.csv", *lines, header=f"{HEADER},approved"))
    np.testing.assert_array_equal(batch.reward, [1, 0, 1, 0, np.nan])


def test_whole_numbers_with_a_decimal_point_are_read(tmp_path: Path) -> None:
    lines = [line(1, "1200.0"), line(2, ""), line(3, "7")]
    batch = read_log(written(tmp_path / "log.csv", *lines, header=f"{HEADER},amount_minor"))
    np.testing.assert_array_equal(batch.context["amount_minor"], [1200, np.nan, 7])


BAD = {
    "too few fields": (line(2).rpartition(",")[0], "", "has 6 fields; expected 7"),
    "too many fields": (line(2, "x"), "", "has 8 fields; expected 7"),
    "a number": (line(2).replace(",1,2026", ",one,2026"), "attempt", "expected a whole number"),
    "a fraction": (line(2).replace(",1,2026", ",1.5,2026"), "attempt", "expected a whole number"),
    "a time without zone": (line(2).replace("00Z", "00"), "decided_at", "with Z or an offset"),
    "no time": (line(2).replace("2026-01-01", "soon"), "decided_at", "with Z or an offset"),
    "no JSON": (line(2).replace('"[0,0]"', '"0;0"'), "eligible_delay_s", "expected a JSON array"),
    "text in a list": (line(2).replace('"[0,0]"', '"[0,""x""]"'), "eligible_delay_s", "JSON array"),
    "nested": (line(2).replace('"[0,0]"', '"[[0],0]"'), "eligible_delay_s", "JSON array"),
    "a huge number": (line(2).replace("[0,0]", "[0,1e99]"), "eligible_delay_s", "JSON array"),
    "NUL": (line(2).replace("p2", "p\0"), "payment_id", "NUL"),
    "chosen": (line(2)[:-1] + "2", "chosen", "not among the eligible"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_row_is_one_rejection_and_its_neighbours_are_kept(tmp_path: Path, name: str) -> None:
    text, column, reason = BAD[name]
    path = written(tmp_path / "log.csv", line(1), text, line(3), line(4))
    sound, rejects = read_leniently(path)
    assert sound == ["d1", "d3", "d4"]
    (rejection,) = rejects.examples
    assert (rejection.row, rejection.column) == (2, column)
    assert reason in rejection.reason
    assert rejection.value


def test_bytes_that_are_not_utf8_reject_their_row(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    text = "\n".join((HEADER, line(1), line(2).replace("p2", "pX"), line(3)))
    path.write_bytes(text.encode().replace(b"pX", b"p\xff"))
    sound, rejects = read_leniently(path)
    assert sound == ["d1", "d3"]
    assert [(each.row, each.column, each.value) for each in rejects.examples] == [
        (2, "payment_id", "p\\xff")
    ]


def test_row_numbers_hold_over_many_blocks(tmp_path: Path) -> None:
    count = 80_000
    lines = [line(i) for i in range(1, count + 1)]
    bad = [1, 2, 777, 30_000, 79_999, 80_000]
    for row in bad:
        lines[row - 1] = line(row, "too many") if row % 2 else line(row)[:-1] + "9"
    path = written(tmp_path / "log.csv", *lines)
    assert path.stat().st_size > 4 << 20
    sound, rejects = read_leniently(path)
    assert [each.row for each in rejects.examples] == bad
    assert len(sound) == count - len(bad)


def test_row_numbers_do_not_count_the_comment(tmp_path: Path) -> None:
    path = written(
        tmp_path / "log.csv",
        HEADER,
        line(1),
        line(2, "x"),
        line(3)[:-1] + "9",
        header="# authopt attempt log v1; propensity=estimated",
    )
    _, rejects = read_leniently(path)
    assert [each.row for each in rejects.examples] == [2, 3]


def test_a_quote_that_is_not_closed_is_named(tmp_path: Path) -> None:
    bad = line(2).replace('"[0,0]"', '"[0,0]')
    path = written(tmp_path / "log.csv", line(1), bad, line(3), line(4))
    with pytest.raises(UserError, match=r"log\.csv: row 2: a quote is not closed"):
        read_leniently(path)


@pytest.mark.parametrize("comment", ["# something", "# authopt attempt log v1; types={x}"])
def test_a_comment_that_is_not_understood_is_refused(tmp_path: Path, comment: str) -> None:
    path = written(tmp_path / "log.csv", HEADER, line(1), header=comment)
    with pytest.raises(UserError, match="comment in the first line"):
        open_log(path)


def test_a_newer_version_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "log.csv", HEADER, header="# authopt attempt log v9")
    with pytest.raises(UserError, match="version 9"):
        open_log(path)


def test_the_comment_survives_a_spreadsheet(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    write_log(path, [full_batch()], PropensitySource.ESTIMATED)
    head, _, rest = path.read_text().partition("\n")
    quoted = '"' + head.replace('"', '""') + '"'
    path.write_text(f"{quoted},,,\n{rest}")
    assert open_log(path).propensity_source is PropensitySource.ESTIMATED
    assert isinstance(read_log(path).context["x_score"], np.ndarray)


def test_kinds_of_own_columns_come_from_the_first_rows(tmp_path: Path) -> None:
    header = f"{HEADER},x_flag,x_count,x_score,x_word,x_none,eligible_rate,eligible_word"
    own = 'true,3,0.5,"7a",,"[1,0.5]","[""u"",null]"'
    path = written(tmp_path / "log.csv", line(1, own), line(2, own), header=header)
    (records,) = open_log(path).records()
    types = {name: str(records.schema.field(name).type) for name in records.schema.names[7:]}
    assert types["x_flag"] == "bool"
    assert types["x_count"] == "int64"
    assert types["x_score"] == "double"
    assert types["x_word"].startswith("dictionary")
    assert types["x_none"].startswith("dictionary")
    assert "double" in types["eligible_rate"]
    assert "dictionary" in types["eligible_word"]


def test_a_later_cell_of_another_kind_is_a_rejection(tmp_path: Path) -> None:
    many = [line(i, "1") for i in range(1, 80_000)]
    path = written(tmp_path / "log.csv", *many, line(0, "word"), header=f"{HEADER},x_count")
    _, rejects = read_leniently(path)
    assert [(each.row, each.column, each.value) for each in rejects.examples] == [
        (80_000, "x_count", "word")
    ]


def test_missing_and_empty_text_are_told_apart(tmp_path: Path) -> None:
    path = written(tmp_path / "log.csv", line(1, '""'), line(2, ""), header=f"{HEADER},x_note")
    (records,) = open_log(path).records()
    assert records["x_note"].to_pylist() == ["", None]


def test_a_row_longer_than_a_block_is_a_users_mistake(tmp_path: Path) -> None:
    path = written(tmp_path / "log.csv", line(1), line(2).replace("p2", "p" * (9 << 20)), line(3))
    with pytest.raises(UserError, match="cannot be read as CSV"):
        read_leniently(path)


def test_two_gzip_members_are_one_file(tmp_path: Path) -> None:
    path = tmp_path / "log.csv.gz"
    head, tail = f"{HEADER}\n{line(1)}\n".encode(), f"{line(2)}\n".encode()
    path.write_bytes(gzip.compress(head) + gzip.compress(tail))
    assert read_log(path).n == 2


awkward = st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\0"))


@given(texts=st.lists(st.none() | awkward, min_size=60, max_size=60))
@settings(
    deadline=None,
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_any_text_survives(tmp_path: Path, texts: list[str | None]) -> None:
    path = tmp_path / "log.csv"
    columns = {
        "x_note": pa.array(texts).cast(pa.string()).dictionary_encode(),
        "card_ref": pa.array(texts, pa.string()),
    }
    records = RECORDS
    for name, column in columns.items():
        records = with_column(records, name, column)
    write_records(path, [records], PropensitySource.LOGGED)
    back = values(open_log(path).records())
    assert back["x_note"] == texts
    assert back["card_ref"] == texts
