"""A foreign file becomes an attempt log: what fits goes in, what does not is named."""

from __future__ import annotations

import csv
import gzip
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pandas as pd
import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st

from authopt.cli import main
from authopt.errors import UserError
from authopt.logs.files import open_log, read_log
from authopt.logs.import_command import import_log
from authopt.logs.importing import ImportSummary, import_file, load_mapping
from authopt.logs.importing import source as source_module
from authopt.logs.rejects import Rejects
from authopt.logs.schema import PropensitySource

ROOT = Path(__file__).parents[4]
PSP_LOG = ROOT.parent / "shared" / "data" / "psp-routing" / "attempts.csv"
PSP_MAPPING = ROOT / "data" / "mappings" / "psp-routing.toml"

MAPPING = """
[columns]
time = "when"
route = "psp"
amount = "amount"
approved = "ok"
currency = "cur"
x_shop = "shop"
[time]
format = "%Y-%m-%d %H:%M:%S"
zone = "Europe/Berlin"
[payments]
same = ["amount", "shop"]
within_s = 60
[routes]
eligible = ["a", "b"]
"""
HEADER = "when,psp,amount,ok,cur,shop\n"


def write(folder: Path, text: str, mapping: str = MAPPING) -> tuple[Path, Path]:
    source, toml = folder / "source.csv", folder / "mapping.toml"
    source.write_text(text, encoding="utf-8")
    toml.write_text(mapping, encoding="utf-8")
    return source, toml


def imported(
    folder: Path, text: str, mapping: str = MAPPING
) -> tuple[ImportSummary, Rejects, Path]:
    source, toml = write(folder, text, mapping)
    out, rejects = folder / "log.parquet", Rejects()
    return import_file(source, load_mapping(toml), out, rejects), rejects, out


def row(when: str, psp: str = "a", amount: str = "10.50", ok: str = "0", shop: str = "s") -> str:
    return f"{when},{psp},{amount},{ok},EUR,{shop}\n"


def column(out: Path, name: str) -> list[Any]:
    return [value for batch in open_log(out).records() for value in batch[name].to_pylist()]


def test_attempts_in_a_chain_of_short_gaps_are_one_payment(tmp_path: Path) -> None:
    times = ("10:00:00", "10:00:50", "10:01:50", "10:02:51")
    summary, _, out = imported(tmp_path, HEADER + "".join(row(f"2026-03-02 {t}") for t in times))
    assert summary.payments == 2
    assert column(out, "attempt") == [1, 2, 3, 1]
    assert column(out, "seconds_since_first_attempt") == [None, 50, 110, None]
    assert column(out, "seconds_since_last_attempt") == [None, 50, 60, None]
    assert column(out, "previous_route") == [None, "a", "a", None]
    assert len(set(column(out, "payment_id"))) == 2


def test_an_approval_ends_the_payment_and_a_like_attempt_after_it_is_reported(
    tmp_path: Path,
) -> None:
    text = HEADER + row("2026-03-02 10:00:00", ok="1") + row("2026-03-02 10:00:10")
    summary, _, out = imported(tmp_path, text)
    assert column(out, "attempt") == [1, 1]
    assert summary.after_approval == 1


def test_time_is_read_on_the_sources_clock_and_kept_in_utc(tmp_path: Path) -> None:
    _, _, out = imported(tmp_path, HEADER + row("2026-07-06 00:30:00"))
    assert column(out, "decided_at")[0].isoformat() == "2026-07-05T22:30:00+00:00"
    assert (column(out, "local_hour"), column(out, "local_day")) == ([0], [1])


@pytest.mark.parametrize("when", ["2026-03-29 02:30:00", "2026-10-25 02:30:00"])
def test_times_that_do_not_exist_or_come_twice_are_rejected(tmp_path: Path, when: str) -> None:
    summary, rejects, _ = imported(tmp_path, HEADER + row(when) + row("2026-11-01 00:00:00"))
    assert (summary.written, summary.rejected) == (1, 1)
    assert "when clocks change" in rejects.examples[0].reason
    assert (rejects.examples[0].row, rejects.examples[0].column) == (1, "when")


@pytest.mark.parametrize(("choice", "hour"), [("earlier", 0), ("later", 1)])
def test_a_mapping_may_say_which_of_two_times_is_meant(
    tmp_path: Path, choice: str, hour: int
) -> None:
    mapping = MAPPING.replace("[payments]", f'ambiguous = "{choice}"\n[payments]')
    _, _, out = imported(tmp_path, HEADER + row("2026-10-25 02:30:00"), mapping)
    assert column(out, "decided_at")[0].hour == hour


@pytest.mark.parametrize(
    ("currency", "amount", "minor"),
    [("EUR", "10.50", 1050), ("JPY", "1050", 1050), ("KWD", "1.050", 1050), ("USD", "0.07", 7)],
)
def test_amounts_become_minor_units_of_their_currency(
    tmp_path: Path, currency: str, amount: str, minor: int
) -> None:
    text = HEADER + f"2026-03-02 10:00:00,a,{amount},1,{currency},s\n"
    assert column(imported(tmp_path, text)[2], "amount_minor") == [minor]


@pytest.mark.parametrize(
    ("bad", "at", "reason"),
    [
        (row("yesterday"), "when", "expected a time"),
        (row("2026-03-02 10:00:00", psp="c"), "psp", "not among the eligible routes"),
        (row("2026-03-02 10:00:00", amount="ten"), "amount", "expected a number"),
        (row("2026-03-02 10:00:00", amount="1.234"), "amount", "more decimals"),
        (row("2026-03-02 10:00:00", ok="maybe"), "ok", "expected 1 or 0"),
        (row("2026-03-02 10:00:00", shop=""), "shop", "is empty"),
        (row("2026-03-02 10:00:00", shop="4111111111111111"), "x_shop", "card number"),
        ("2026-03-02 10:00:00,a\n", "", "another number of cells"),
    ],
)
def test_a_bad_row_is_named_and_its_neighbours_stay(
    tmp_path: Path, bad: str, at: str, reason: str
) -> None:
    sound = row("2026-03-02 09:00:00"), row("2026-03-02 11:00:00")
    summary, rejects, out = imported(tmp_path, HEADER + sound[0] + bad + sound[1])
    assert (summary.read, summary.written, summary.rejected) == (3, 2, 1)
    assert (rejects.examples[0].row, rejects.examples[0].column) == (2, at)
    assert reason in rejects.examples[0].reason
    assert "4111111111111111" not in str(rejects.examples)
    assert read_log(out).n == 2


def test_an_empty_outcome_is_one_that_is_not_known(tmp_path: Path) -> None:
    text = HEADER + row("2026-03-02 10:00:00", ok="") + row("2026-03-02 10:00:10", ok="1")
    assert column(imported(tmp_path, text)[2], "approved") == [None, True]


@pytest.mark.parametrize(
    ("amount", "minor"), [('"1.234,50"', 123450), ('"12,5"', 1250), ("12.5", None), ("7", 700)]
)
def test_with_a_decimal_comma_dots_may_only_part_thousands(
    tmp_path: Path, amount: str, minor: int | None
) -> None:
    mapping = "[source]\ndecimal = ','\n" + MAPPING
    text = HEADER + row("2026-03-02 10:00:00", amount=amount)
    _, rejects, out = imported(tmp_path, text, mapping)
    assert column(out, "amount_minor") == ([] if minor is None else [minor])
    assert rejects.count == (minor is None)


def test_a_source_out_of_order_gives_the_same_log_as_one_in_order(tmp_path: Path) -> None:
    mapping = MAPPING.replace("[columns]", '[columns]\ndecision_id = "id"')
    rng = np.random.default_rng(3)
    lines = [
        f"2026-03-02 10:{m:02d}:{s:02d},{'ab'[m % 2]},{5 + m % 3},{s % 2},EUR,x,{60 * m + s}\n"
        for m in range(0, 60, 2)
        for s in (1, 30, 59)
    ]
    logs = []
    for name, order in (("sorted", range(len(lines))), ("mixed", rng.permutation(len(lines)))):
        folder = tmp_path / name
        folder.mkdir()
        text = HEADER.strip() + ",id\n" + "".join(lines[place] for place in order)
        summary, _, out = imported(folder, text, mapping)
        assert summary.sorted_in_memory == (name == "mixed")
        logs.append([(*column(out, "decision_id"),), column(out, "attempt")])
    assert logs[0] == logs[1]


def test_payments_run_on_over_the_ends_of_chunks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = HEADER + "".join(row(f"2026-03-02 10:{m:02d}:{s:02d}", shop=f"s{s % 3}") for m in
                            range(9) for s in (0, 10, 20, 31, 45, 58))  # fmt: skip
    whole = column(imported(tmp_path, text)[2], "attempt")
    monkeypatch.setattr(source_module, "CHUNK_ROWS", 5)
    assert column(imported(tmp_path, text)[2], "attempt") == whole
    assert max(whole) > 5


def test_a_payment_id_of_the_source_groups_its_attempts(tmp_path: Path) -> None:
    mapping = MAPPING.replace("[columns]", '[columns]\npayment_id = "order"')
    text = HEADER.strip() + ",order\n"
    for when, order in (("02 10:00:00", "o1"), ("03 10:00:00", "o2"), ("09 10:00:00", "o1")):
        text += row(f"2026-03-{when}").strip() + f",{order}\n"
    _, _, out = imported(tmp_path, text, mapping)
    assert column(out, "payment_id") == ["o1", "o2", "o1"]
    assert column(out, "attempt") == [1, 1, 2]


def test_a_workbook_gives_the_same_log_as_the_csv(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(HEADER.strip().split(","))
    sheet.append([datetime(2026, 3, 2, 10, 0, 0), "a", 10.5, True, "EUR", "s"])
    sheet.append([datetime(2026, 3, 2, 12, 0, 0), "b", 7, 0, None, "s"])
    book.save(tmp_path / "source.xlsx")
    book.close()
    _, toml = write(tmp_path, "")
    out = tmp_path / "log.parquet"
    summary = import_file(tmp_path / "source.xlsx", load_mapping(toml), out, Rejects())
    assert summary.written == 2
    assert column(out, "amount_minor") == [1050, 700]
    assert column(out, "approved") == [True, False]
    assert column(out, "currency") == ["EUR", None]


def test_a_gzipped_csv_is_read(tmp_path: Path) -> None:
    _, toml = write(tmp_path, "")
    source = tmp_path / "source.csv.gz"
    source.write_bytes(gzip.compress((HEADER + row("2026-03-02 10:00:00")).encode()))
    assert import_file(source, load_mapping(toml), tmp_path / "o.parquet", Rejects()).written == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (HEADER.encode(), "a header and no rows"),
        (b"when,psp\n1,2\n", "missing, which the mapping names"),
        (HEADER.encode() + b"\xff\xfe,a,1,1,EUR,s\n", "source.encoding"),
        (HEADER.encode() + b'"2026,a,1,1,EUR,s\n', "a quote left open"),
        ((HEADER.strip() + ",when\n").encode() + b"1,a,1,1,EUR,s,2\n", "more than once"),
    ],
)
def test_a_file_that_is_none_is_a_clear_error_and_nothing_is_written(
    tmp_path: Path, content: bytes, message: str
) -> None:
    source, toml = write(tmp_path, "")
    source.write_bytes(content)
    with pytest.raises(UserError, match=message):
        import_file(source, load_mapping(toml), tmp_path / "log.parquet", Rejects())
    assert not (tmp_path / "log.parquet").exists()


def test_a_file_in_another_encoding_than_the_mapping_says_is_a_clear_error(
    tmp_path: Path,
) -> None:
    mapping = "[source]\nencoding = 'utf-16'\n" + MAPPING
    source, toml = write(tmp_path, HEADER + row("2026-03-02 10:00:00"), mapping)
    with pytest.raises(UserError, match=r"source\.encoding"):
        import_file(source, load_mapping(toml), tmp_path / "log.parquet", Rejects())


@pytest.mark.parametrize("name", ["source.xlsx", "source.csv.gz"])
def test_a_file_that_is_not_what_its_suffix_says_is_a_clear_error(
    tmp_path: Path, name: str
) -> None:
    _, toml = write(tmp_path, "")
    (tmp_path / name).write_bytes(b"not really")
    with pytest.raises(UserError, match="cannot be read"):
        import_file(tmp_path / name, load_mapping(toml), tmp_path / "log.parquet", Rejects())


def workbook(path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(HEADER.strip().split(","))
    for minute in range(20):
        sheet.append([datetime(2026, 3, 2, 10, minute), "a", 10.5, True, "EUR", "s"])
    book.save(path)
    book.close()


@settings(max_examples=60)
@given(seed=st.integers(0, 2**32), kind=st.sampled_from(["xlsx", "csv.gz"]))
def test_a_damaged_file_is_a_clear_error_or_loses_no_row(
    seed: int, kind: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    _, toml = write(folder, "")
    source, out = folder / f"source.{kind}", folder / "log.parquet"
    if kind == "xlsx":
        workbook(source)
    else:
        source.write_bytes(gzip.compress((HEADER + row("2026-03-02 10:00:00") * 50).encode()))
    content = bytearray(source.read_bytes())
    rng = np.random.default_rng(seed)
    for place in rng.integers(0, len(content), 3):
        content[place] ^= 1 << int(rng.integers(0, 8))
    source.write_bytes(bytes(content))
    try:
        summary = import_file(source, load_mapping(toml), out, Rejects())
    except UserError:
        assert not out.exists()
        return
    assert summary.read == summary.written + summary.rejected


def test_dates_and_numbers_of_a_workbook_follow_the_mapping(tmp_path: Path) -> None:
    mapping = MAPPING.replace("%Y-%m-%d %H:%M:%S", "%d.%m.%Y %H:%M")
    mapping = "[source]\ndecimal = ','\n" + mapping
    workbook(tmp_path / "source.xlsx")
    _, toml = write(tmp_path, "", mapping)
    out = tmp_path / "log.parquet"
    summary = import_file(tmp_path / "source.xlsx", load_mapping(toml), out, Rejects(strict=True))
    assert summary.written == 20
    assert set(column(out, "amount_minor")) == {1050}


CELLS = st.one_of(
    st.sampled_from(
        ["", "a", "b", "1", "0", "EUR", "10.5", "2026-03-02 10:00:00", "4111 1111 1111 1111",
         "NaN", "inf", "-1", '"', "\x00", "1e308", "2026-10-25 02:30:00", "true", "é", "9" * 30]
    ),
    st.text(max_size=12),
)  # fmt: skip


@settings(max_examples=120)
@given(rows=st.lists(st.lists(CELLS, min_size=0, max_size=8), max_size=8), raw=st.booleans())
def test_whatever_the_cells_hold_no_row_is_lost(
    rows: list[list[str]], raw: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("fuzz")
    source, toml = write(folder, "")
    with source.open("w", encoding="utf-8", errors="surrogatepass", newline="") as file:
        file.write(HEADER)
        if raw:
            file.write("\n".join(",".join(cells) for cells in rows))
        else:
            csv.writer(file).writerows(rows)
    out, rejects = folder / "log.parquet", Rejects()
    try:
        summary = import_file(source, load_mapping(toml), out, rejects)
    except UserError:
        assert not out.exists()
        return
    assert summary.read == summary.written + summary.rejected == summary.written + rejects.count
    assert sum(batch.n for batch in open_log(out).batches()) == summary.written
    assert "4111 1111 1111 1111" not in str(rejects.examples)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(import_log, [str(argument) for argument in arguments])


def test_the_command_says_what_was_read_written_and_rejected(tmp_path: Path) -> None:
    source, toml = write(tmp_path, HEADER + row("2026-03-02 10:00:00") + row("never"))
    rejects = tmp_path / "rejects.csv"
    options = ("--mapping", toml, "--out", tmp_path / "log.parquet")
    result = run(source, *options, "--rejects", rejects)
    assert result.exit_code == 0, result.output
    assert "2 read = 1 written + 1 rejected" in result.stdout
    assert "never" in rejects.read_text()
    answer = json.loads(run(source, *options, "--json").stdout)
    assert answer["summary"]["by_route"]["a"]["attempts"] == 1


def test_strict_stops_at_the_first_bad_row_and_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, toml = write(tmp_path, HEADER + row("2026-03-02 10:00:00") + row("never"))
    out = tmp_path / "log.parquet"
    with pytest.raises(SystemExit) as stopped:
        main(["log", "import", str(source), "--mapping", str(toml), "--out", str(out), "--strict"])
    assert stopped.value.code == 2
    said = capsys.readouterr().err
    assert "row 2" in said
    assert "'when'" in said
    assert not out.exists()


@pytest.mark.skipif(not PSP_LOG.exists(), reason="the PSP log of the case study is not here")
def test_the_psp_log_is_imported_as_its_description_says(tmp_path: Path) -> None:
    out = tmp_path / "log.parquet"
    summary = import_file(PSP_LOG, load_mapping(PSP_MAPPING), out, Rejects(strict=True))
    source = pd.read_csv(PSP_LOG, parse_dates=["tmsp"])
    source = source.sort_values(["country", "amount", "tmsp"], kind="stable")
    like = source.groupby(["country", "amount"])
    gap = like["tmsp"].diff().dt.total_seconds()
    chained = gap <= 60
    after_success = chained & (like["success"].shift() == 1)
    assert summary.written == len(source) == 39_488
    assert summary.after_approval == after_success.sum()
    assert summary.payments == (~chained).sum() + after_success.sum()
    for name, rows in source.groupby("PSP"):
        found = summary.by_route[str(name)]
        assert (found.attempts, found.approved) == (len(rows), rows["success"].sum())
    log = open_log(out)
    assert log.propensity_source is PropensitySource.UNKNOWN
    fees = pd.Series(column(out, "fee_minor"), index=column(out, "decision_id"))
    first = source[source["PSP"] == "Goldcard"].iloc[0]
    assert fees[str(first["ID"])] == (1000 if first["success"] else 500)
