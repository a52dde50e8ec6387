"""Which values each cut tells apart: the first ones that came, and no others ever after.

A value that was once told apart stays so, and one that was once put to the others stays there too:
what a decision added can so be taken away again under the same name.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, insert, select

from service.store.tables import summary_values
from service.summaries.counted import Counted
from service.summaries.cuts import MOST_VALUES, OTHER, VALUED, Cut


class Values:
    """The values that are told apart, for a step.

    Parameters
    ----------
    known
        cut and value of those that are.
    """

    def __init__(self, known: Iterable[tuple[str, str]]) -> None:
        self._known: dict[Cut, set[str]] = {cut: set() for cut in VALUED}
        self._new: list[tuple[Cut, str]] = []
        for cut, value in known:
            self._known[Cut(cut)].add(value)

    def named(self, counted: Counted) -> Counted:
        """The same, under the names of the sums that it belongs to."""
        values = tuple(map(self._name, VALUED, counted.values))
        return counted if values == counted.values else counted._replace(values=values)

    def _name(self, cut: Cut, value: str) -> str:
        known = self._known[cut]
        if value in known or not value:
            return value
        if len(known) >= MOST_VALUES:
            return OTHER
        known.add(value)
        self._new.append((cut, value))
        return value

    def keep(self, connection: Connection, tenant: str) -> None:
        """Write down those that came in this step."""
        if self._new:
            connection.execute(
                insert(summary_values),
                [{"tenant": tenant, "cut": cut, "value": value} for cut, value in self._new],
            )


def read_values(connection: Connection, tenant: str) -> Values:
    """The values that a merchant's cuts tell apart."""
    rows = connection.execute(
        select(summary_values.c.cut, summary_values.c.value).where(
            summary_values.c.tenant == tenant
        )
    )
    return Values((cut, value) for cut, value in rows)
