"""A mapping is checked before a row is read, and a mistake is named by its key."""

from __future__ import annotations

from pathlib import Path

import pytest

from authopt.errors import UserError
from authopt.logs.importing import load_mapping
from tests.authopt.logs.importing.test_import import MAPPING, ROOT


def load(folder: Path, text: str) -> None:
    path = folder / "mapping.toml"
    path.write_text(text, encoding="utf-8")
    load_mapping(path)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('route = "psp"', "", "columns.route"),
        ('currency = "cur"', 'curency = "cur"', "did you mean 'currency'"),
        ('currency = "cur"', 'previous_route = "cur"', "worked out"),
        ('zone = "Europe/Berlin"', 'zone = "Europe/Atlantis"', "no IANA time zone"),
        ('zone = "Europe/Berlin"', "", "time.zone"),
        ('same = ["amount", "shop"]', "", "payments.same"),
        ("within_s = 60", "within_s = 0", "expected 1 or more"),
        ("within_s = 60", 'within_s = "a minute"', "within_s"),
        ('eligible = ["a", "b"]', 'eligible = ["a", "a"]', "routes.eligible"),
        ('eligible = ["a", "b"]', 'eligible = ["a", "stop"]', "reserved"),
        ("[payments]", "[paiments]\nx = 1\n[payments]", "paiments"),
        ("[columns]", "[source]\ndelimiter = ';;'\n[columns]", "one character"),
        ("[columns]", "[source]\nencoding = 'klingon'\n[columns]", "source.encoding"),
        ("[columns]", "[values.network]\nA = 'visa'\n[columns]", "columns.network"),
        ("[columns]", "[constants]\ncurrency = 'EUR'\n[columns]", "more than one table"),
        ("[columns]", "[fees.z]\napproved = 1\ndeclined = 1\n[columns]", "no eligible route"),
        ("[columns]", "[columns", "not a TOML file"),
    ],
)
def test_a_mistake_is_named_by_its_key(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in MAPPING
    with pytest.raises(UserError, match=r"mapping\.toml") as raised:
        load(tmp_path, MAPPING.replace(old, new, 1))
    assert message in str(raised.value)


def test_every_shipped_mapping_is_sound() -> None:
    shipped = sorted((ROOT / "data" / "mappings").glob("*.toml"))
    assert shipped
    for path in shipped:
        load_mapping(path)


def test_the_readme_of_the_mappings_names_every_table_and_key() -> None:
    text = (ROOT / "data" / "mappings" / "README.md").read_text(encoding="utf-8")
    for key in ("delimiter", "encoding", "decimal", "sheet", "constants", "values", "derived",
                "kinds", "format", "zone", "ambiguous", "same", "within_s", "end_at_approval",
                "eligible", "shares", "propensity", "fees"):  # fmt: skip
        assert key in text
