"""Tables with one of their lines taken out: each line has to be missed by a test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path


def without_each_line(table: Path, folder: Path) -> Iterator[tuple[str, Path]]:
    """Every line of a table, and a copy of the table that lacks it."""
    header, *lines = table.read_text(encoding="utf-8").splitlines(keepends=True)
    for number, line in enumerate(lines):
        path = folder / f"{table.stem}-{number}.csv"
        rest = lines[:number] + lines[number + 1 :]
        path.write_text(header + "".join(rest), encoding="utf-8")
        yield line.strip(), path


def not_missed(table: Path, folder: Path, is_as_expected: Callable[[Path], bool]) -> list[str]:
    """The lines without which a table is still as expected: none, where all are tested."""
    assert is_as_expected(table)
    return [line for line, path in without_each_line(table, folder) if is_as_expected(path)]
