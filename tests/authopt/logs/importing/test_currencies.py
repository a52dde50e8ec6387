"""Amounts in whole units become minor units of their own currency."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from authopt.logs.files import read_log
from authopt.logs.importing import import_file, load_mapping
from authopt.logs.rejects import Rejects

MAPPING = """
[columns]
time = "when"
route = "psp"
amount = "amount"
approved = "ok"
currency = "cur"
[time]
zone = "UTC"
format = "%Y-%m-%d %H:%M:%S"
[payments]
same = ["amount"]
[routes]
eligible = ["a"]
"""


def imported(folder: Path, currency: str) -> tuple[Path, Rejects]:
    source, mapping, out = folder / "s.csv", folder / "m.toml", folder / "log.parquet"
    source.write_text(f"when,psp,amount,ok,cur\n2026-03-02 10:00:00,a,12,1,{currency}\n", "utf-8")
    mapping.write_text(MAPPING, "utf-8")
    rejects = Rejects()
    import_file(source, load_mapping(mapping), out, rejects)
    return out, rejects


@pytest.mark.parametrize(
    ("currency", "minor"), [("EUR", 1_200), ("JPY", 12), ("KWD", 12_000), ("HUF", 1_200)]
)
def test_the_decimals_are_those_of_the_currency(tmp_path: Path, currency: str, minor: int) -> None:
    out, _ = imported(tmp_path, currency)
    assert np.asarray(read_log(out).context["amount_minor"]).tolist() == [minor]


def test_a_currency_that_there_is_not_is_rejected_not_guessed(tmp_path: Path) -> None:
    _, rejects = imported(tmp_path, "EUX")
    assert "no ISO 4217 currency" in str(rejects.examples[0])
    assert rejects.examples[0].value == "EUX"
