"""Tables: one set of rows for the page, for CSV and for JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

Row: TypeAlias = Mapping[str, Any]
"""Plain values by the key of their column; under ``row_id``, the place that links lead to."""

_LEFT = frozenset({"text", "code", "sha", "moment", "moment_s", "tag"})


@dataclass(frozen=True, slots=True)
class Column:
    """A column.

    Attributes
    ----------
    key
        of the value in a row, and its name in CSV and JSON.
    heading
        over it on the page.
    kind
        one of ``service.console.wording.SHOWN``; ``meter``: a share with a bar; ``tag``: a word in
        a frame, which is coloured if it is one of ``TAGS``.
    link
        address of a cell, from its row; None where it has none.
    shown
        whether it stands on the page too, not in CSV and JSON alone.
    """

    key: str
    heading: str
    kind: str = "text"
    link: Callable[[Row], str | None] | None = None
    shown: bool = True

    @property
    def left(self) -> bool:
        """Whether it is read as text."""
        return self.kind in _LEFT


TAGS: Mapping[str, str] = {
    "approved": "good",
    "up": "good",
    "live": "good",
    "running": "good",
    "resolved": "good",
    "pass": "good",
    "ship": "good",
    "promoted": "good",
    "declined": "bad",
    "down": "bad",
    "killed": "bad",
    "firing": "bad",
    "fail": "bad",
    "rolled-back": "bad",
    "paused": "warn",
    "pinned": "warn",
    "continue": "warn",
    "on": "good",
    "holds": "good",
    "delivered": "good",
    "broken": "bad",
    "failing": "bad",
    "overridden": "warn",
    "good": "good",
    "locked": "warn",
}
"""Classes of words that say how something is."""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows with a name.

    Attributes
    ----------
    name
        in the address of its CSV, and of the file.
    caption
        what it shows, of which time.
    columns
        the first one names the row.
    rows
        in their order.
    empty
        what is said where there are none.
    """

    name: str
    caption: str
    columns: tuple[Column, ...]
    rows: Sequence[Row]
    empty: str = "Nothing yet."

    @property
    def on_page(self) -> tuple[Column, ...]:
        """The columns that are shown."""
        return tuple(column for column in self.columns if column.shown)
