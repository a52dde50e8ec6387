"""Which payments a route takes, and when it is down."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from authopt.batch import DecisionBatch
from authopt.rules.merchant_context import Found, attempt_at, by_route, found, number, place
from authopt.rules.money_text import money


@dataclass(frozen=True, slots=True)
class RouteDown:
    """No attempt by a route, always or for some time, judged at the time of the attempt.

    Attributes
    ----------
    route
        its name.
    start, end
        UTC; None where it has been down for ever, or will be. The end itself is no longer down.
    why
        a few words for people; may be empty.
    """

    route: str
    start: datetime | None = None
    end: datetime | None = None
    why: str = ""

    @property
    def texts(self) -> tuple[str, ...]:
        """Why an action is forbidden."""
        return (f"route {self.route} is down{self._when()}{f' ({self.why})' if self.why else ''}",)

    @property
    def sentence(self) -> str:
        """What the rule does."""
        why = f" ({self.why})" if self.why else ""
        return f"No attempt goes by {self.route}{self._when()}: it is down{why}."

    def _when(self) -> str:
        said = [
            f" {word} {moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
            for word, moment in (("from", self.start), ("until", self.end))
            if moment is not None
        ]
        return "".join(said)

    def broken(self, batch: DecisionBatch) -> Found | None:
        """int8[m], 0 where the route is down when the attempt would be sent."""
        if self.route not in batch.routes:
            return None
        down = by_route(batch, self.route)
        if self.start is not None or self.end is not None:
            rows = np.flatnonzero(down)
            at = attempt_at(batch, rows)
            if self.start is not None:
                down[rows] &= at >= _instant(self.start)
            if self.end is not None:
                down[rows] &= at < _instant(self.end)
        return found(down)


@dataclass(frozen=True, slots=True)
class RouteValues:
    """A route takes only, or never, payments with certain values of a context column.

    Attributes
    ----------
    route, column
        names.
    values
        the values in question.
    only
        whether they are those that the route takes, or those that it does not.
    keep_unknown
        what happens to a payment whose value is missing: it may take the route, or not.
    """

    route: str
    column: str
    values: tuple[str, ...]
    only: bool = True
    keep_unknown: bool = False

    @property
    def texts(self) -> tuple[str, ...]:
        """Why an action is forbidden: the value, or that it is not known."""
        said = f"route {self.route}: {self._condition()}"
        return said, f"{said}; the payment's is not known"

    @property
    def sentence(self) -> str:
        """What the rule does."""
        unknown = "also" if self.keep_unknown else "not"
        return (
            f"{self.route} is {self._condition()}, and {unknown} for payments whose "
            f"{_said(self.column)} is not known."
        )

    def _condition(self) -> str:
        word = "only" if self.only else "not"
        return f"{word} for {_said(self.column)} {', '.join(self.values)}"

    def broken(self, batch: DecisionBatch) -> Found | None:
        """int8[m], 0 where the route does not take the value, 1 where it is not known."""
        if self.route not in batch.routes:
            return None
        concerned = by_route(batch, self.route)
        at = place(batch, self.column, self.values)
        wrong = at == -1 if self.only else at >= 0
        missing = (at == -2) & (not self.keep_unknown)
        return found(
            concerned & np.repeat(wrong, batch.counts), concerned & np.repeat(missing, batch.counts)
        )


@dataclass(frozen=True, slots=True)
class RouteAmounts:
    """A route takes only amounts within bounds, in payments of one currency.

    Attributes
    ----------
    route, currency
        names.
    least, most
        minor units of the currency; None for no bound.
    keep_unknown
        what happens where the amount or the currency is missing.
    """

    route: str
    currency: str
    least: int | None = None
    most: int | None = None
    keep_unknown: bool = False

    @property
    def texts(self) -> tuple[str, ...]:
        """Why an action is forbidden: the amount, or that it is not known."""
        said = f"route {self.route}: only for amounts of {self._bounds()}"
        return said, f"{said}; the payment's amount or currency is not known"

    @property
    def sentence(self) -> str:
        """What the rule does."""
        unknown = "also" if self.keep_unknown else "not"
        return (
            f"{self.route} takes payments in {self.currency} only for amounts of {self._bounds()}, "
            f"and {unknown} those whose amount or currency is not known."
        )

    def _bounds(self) -> str:
        said = [
            f"{word} {money(bound, self.currency)}"
            for word, bound in (("at least", self.least), ("at most", self.most))
            if bound is not None
        ]
        return " and ".join(said)

    def broken(self, batch: DecisionBatch) -> Found | None:
        """int8[m], 0 where the amount is out of bounds, 1 where that is not known."""
        if self.route not in batch.routes:
            return None
        concerned = by_route(batch, self.route)
        currency = place(batch, "currency", (self.currency,))
        amount = number(batch, "amount_minor")
        outside = np.zeros(batch.n, np.bool_)
        if self.least is not None:
            outside |= amount < self.least
        if self.most is not None:
            outside |= amount > self.most
        missing = (currency == -2) | ((currency == 0) & np.isnan(amount))
        missing &= not self.keep_unknown
        return found(
            concerned & np.repeat(outside & (currency == 0), batch.counts),
            concerned & np.repeat(missing, batch.counts),
        )


def _instant(moment: datetime) -> np.datetime64:
    return np.datetime64(moment.astimezone(UTC).replace(tzinfo=None), "us")


def _said(column: str) -> str:
    return column.replace("_", " ")
