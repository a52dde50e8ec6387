"""Payment service providers' own codes of refusals, and the network codes that say the same."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from authopt.errors import UserError
from authopt.rules.table_rows import Row, read_rows
from authopt.rules.tables import canonical

FOLDER = Path(__file__).with_name("psp")
OWN_TABLE = ".csv"

GENERIC = "05"
"""The response code that an unknown code of a provider becomes: do not honour, a generic decline on
every network."""

_COLUMNS = ("code", "alias", "meaning", "response_code", "advice_code", "source", "note")


@dataclass(frozen=True, slots=True)
class PspCode:
    """A provider's code: the nearest response code, and the advice that it implies, if any."""

    response_code: str
    advice_code: str | None


@dataclass(frozen=True, slots=True)
class PspTable:
    """The codes of one provider, by code and by alias (such as Adyen's texts), in small letters."""

    name: str
    codes: Mapping[str, PspCode]

    @property
    def has_advice(self) -> bool:
        """Whether any code implies advice."""
        return any(code.advice_code for code in self.codes.values())

    def find(self, raw: str) -> PspCode | None:
        """What a raw code stands for; None where the table does not know it."""
        return self.codes.get(raw.strip().casefold())


def psp_names() -> tuple[str, ...]:
    """The providers whose tables authopt ships."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.csv")))


def psp_file(name: str) -> Path:
    """The table of a provider: one that authopt ships, or a merchant's own.

    Parameters
    ----------
    name
        a provider's name, or the path of a CSV table, which ends in ``.csv``.

    Raises
    ------
    UserError
        If authopt has no table of that name.
    """
    if name.endswith(OWN_TABLE):
        return Path(name)
    if name not in psp_names():
        near = difflib.get_close_matches(name, psp_names(), 1)
        hint = f"; did you mean {near[0]!r}?" if near else "."
        raise UserError(
            f"no table of codes for {name!r}{hint} There is one for: {', '.join(psp_names())}; or "
            "name a CSV file of your own"
        )
    return FOLDER / f"{name}.csv"


@lru_cache(maxsize=64)
def read_psp_codes(path: Path) -> PspTable:
    """Read the codes of a provider.

    Raises
    ------
    UserError
        If the table cannot be read, or has a code twice or a line without a response code, naming
        file, line and column.
    """
    codes: dict[str, PspCode] = {}
    line_of: dict[str, int] = {}
    for row in read_rows(path, _COLUMNS):
        found = PspCode(
            canonical(row.filled("response_code")), canonical(row.value("advice_code")) or None
        )
        for name in _names(row):
            if name in codes:
                raise UserError(
                    f"{path}, line {row.line}: {name!r} stands in line {line_of[name]} already; "
                    "keep one of them"
                )
            codes[name], line_of[name] = found, row.line
    return PspTable(path.stem, codes)


def _names(row: Row) -> tuple[str, ...]:
    names = (row.filled("code"), row.value("alias"))
    return tuple(dict.fromkeys(name.casefold() for name in names if name))
