"""TOML files that people write, as checked structs."""

from __future__ import annotations

import tomllib
from decimal import Decimal
from pathlib import Path
from typing import TypeVar

import msgspec

from authopt.errors import UserError

T = TypeVar("T")


def read_toml(
    path: Path, form: type[T], see: str, *, exact: bool = False, defaults: T | None = None
) -> T:
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
    defaults
        of the keys that the file lacks; by default those of the struct. Its keys are named as its
        fields are.

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
        found = msgspec.convert(content, form)
    except msgspec.ValidationError as error:
        raise UserError(f"{path}: {error}. {see}") from error
    if defaults is None:
        return found
    given = {name: getattr(found, name) for name in content}
    return msgspec.structs.replace(defaults, **given)  # type: ignore[type-var]
