"""TOML files that people write, as checked structs."""

from __future__ import annotations

import tomllib
from decimal import Decimal
from pathlib import Path
from typing import TypeVar

import msgspec

from authopt.errors import UserError

T = TypeVar("T")


def read_toml(path: Path, form: type[T], see: str, *, exact: bool = False) -> T:
    """A TOML file as a struct.

    Parameters
    ----------
    path
        the file.
    form
        a msgspec struct.
    see
        sentence that ends every complaint: where the keys are explained.
    exact
        read numbers with a point as ``Decimal``.

    Raises
    ------
    UserError
        If the file cannot be read, is no TOML or does not fit the struct.
    """
    try:
        text = path.read_text(encoding="utf-8")
        content = tomllib.loads(text, parse_float=Decimal if exact else float)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not a TOML file ({error})") from error
    try:
        return msgspec.convert(content, form)
    except msgspec.ValidationError as error:
        raise UserError(f"{path}: {error}. {see}") from error
