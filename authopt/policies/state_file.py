"""JSON files that hold what a policy has learned: written whole or not at all, read with care."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import msgspec

from authopt.errors import UserError
from authopt.whole_file import write_whole

T = TypeVar("T")


def write_state(path: Path, state: Any) -> None:
    """Write a struct as indented JSON, in place of an older file only once it is complete.

    Raises
    ------
    UserError
        If the file cannot be written.
    """
    data = msgspec.json.format(msgspec.json.encode(state), indent=2) + b"\n"
    try:
        write_whole(path, data)
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror}") from None


def read_state(path: Path, kind: type[T], what: str, made_by: str) -> T:
    """Read a struct that :func:`write_state` wrote.

    Parameters
    ----------
    path
        the file.
    kind
        type of the struct.
    what
        what the file should hold, in a few words.
    made_by
        the command that makes such a file.

    Raises
    ------
    UserError
        If the file is missing or holds something else.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise UserError(f"{path}: no such file. Make {what} with: {made_by}") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not {what}: {error}. Make one with: {made_by}") from None
