"""The rows of one sheet of an XLSX workbook, as text."""

from __future__ import annotations

import datetime
import warnings
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

from authopt.errors import UserError
from authopt.logs.importing.mapping import Mapping
from authopt.logs.rejects import shown


def sheet_rows(path: Path, mapping: Mapping) -> Generator[Sequence[str], None, None]:
    """The header and all rows that are not empty, each cell as text.

    Numbers are written with ``source.decimal``, times in ``time.format``, so that the rest of the
    import need not know where the text came from.

    Raises
    ------
    UserError
        If the workbook cannot be read or has no such sheet.
    """
    import openpyxl

    number = 0
    workbook = None
    try:
        with warnings.catch_warnings():
            # Styles and extensions that openpyxl does not know do not matter to the cells.
            warnings.simplefilter("ignore")
            workbook = openpyxl.load_workbook(path, read_only=True, data_only=True)
            sheet = _sheet(path, workbook, mapping.source.sheet)
            rows = sheet.iter_rows(values_only=True)
        width = 0
        for cells in rows:
            row = [_text(cell, mapping) for cell in cells]
            while row and not row[-1]:
                row.pop()
            if not row:
                continue
            width = width or len(row)
            yield row + [""] * (width - len(row))
            number += 1
    except UserError:
        raise
    except Exception as error:
        # A damaged workbook can fail anywhere in the unpacking, the XML or the numbers.
        raise UserError(
            f"{path}: row {number}: cannot be read as XLSX ({shown(str(error))})"
        ) from error
    finally:
        if workbook is not None:
            workbook.close()


def _sheet(path: Path, workbook: Any, name: str | None) -> Any:
    titles = [sheet.title for sheet in workbook.worksheets]
    if not titles or (name is not None and name not in titles):
        raise UserError(
            f"{path}: key source.sheet of the mapping is {name!r}; the workbook has the sheets "
            f"{', '.join(map(repr, titles)) or '(none)'}"
        )
    sheet = workbook[name] if name is not None else workbook.worksheets[0]
    # The size that some programs write is wrong, and would cut rows off.
    sheet.reset_dimensions()
    return sheet


def _text(cell: Any, mapping: Mapping) -> str:
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "1" if cell else "0"
    if isinstance(cell, float):
        text = str(int(cell)) if cell.is_integer() and abs(cell) < 2**63 else repr(cell)
        return text.replace(".", mapping.source.decimal)
    if isinstance(cell, datetime.datetime):
        style = mapping.time.format
        return cell.strftime(style) if "%" in style else cell.isoformat(" ")
    return str(cell)
