"""A workbook that cannot be read is a clear error."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

import openpyxl
import pytest

from authopt.errors import UserError
from authopt.logs.importing import import_file, load_mapping
from authopt.logs.rejects import Rejects
from tests.authopt.logs.importing.test_psp_codes import MAPPING


def test_a_workbook_without_a_sheet_is_said_so(tmp_path: Path) -> None:
    whole, damaged, toml = (tmp_path / name for name in ("whole.xlsx", "a.xlsx", "m.toml"))
    openpyxl.Workbook().save(whole)
    with zipfile.ZipFile(whole) as source, zipfile.ZipFile(damaged, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            if name == "xl/workbook.xml":
                content = re.sub(rb"<sheets>.*</sheets>", b"<sheets/>", content)
                content = re.sub(rb"<bookViews>.*</bookViews>", b"", content)
            target.writestr(name, content)
    toml.write_text(MAPPING, encoding="utf-8")
    with pytest.raises(UserError, match=r"a\.xlsx: the workbook has no sheet"):
        import_file(damaged, load_mapping(toml), tmp_path / "out.parquet", Rejects())
