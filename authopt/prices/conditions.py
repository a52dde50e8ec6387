"""When a row of a price list holds: by route, card, initiator and whether borders are crossed."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import numpy as np

from authopt.actions import STOP_ROUTE
from authopt.batch import BoolArray, Categorical, DecisionBatch, FloatArray, IntArray
from authopt.errors import UserError
from authopt.payments import CONTEXT_BY_NAME

Texts = str | tuple[str, ...]

BY_TEXT = ("network", "funding", "initiator", "issuer_country", "merchant_id", "mcc")
BY_FLAG = ("token", "three_ds")


class Condition(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What an attempt has to be for a row to hold; what is not named may be anything.

    A condition on something that the decision does not say does not hold.
    """

    route: Texts | None = None
    network: Texts | None = None
    funding: Texts | None = None
    initiator: Texts | None = None
    issuer_country: Texts | None = None
    merchant_id: Texts | None = None
    mcc: Texts | None = None
    token: bool | None = None
    three_ds: bool | None = None
    cross_border: bool | None = None

    def check(self, where: str) -> None:
        """Raise a UserError where a value is named that its column cannot have."""
        for name in BY_TEXT:
            known = CONTEXT_BY_NAME[name].values
            for value in _all(getattr(self, name)):
                if known is not None and value not in known:
                    raise UserError(
                        f"{where}.{name}: {value!r} is not one of: {', '.join(map(str, known))}"
                    )
        if STOP_ROUTE in _all(self.route):
            raise UserError(f"{where}.route: {STOP_ROUTE!r} is no attempt and costs nothing")

    def holds(
        self,
        batch: DecisionBatch,
        actions: IntArray,
        decision: IntArray,
        countries: Mapping[str, str],
    ) -> BoolArray:
        """bool[actions], where the condition holds.

        Parameters
        ----------
        batch
            n decisions.
        actions
            int64, positions of the actions in the batch.
        decision
            int64[actions], the decision of each.
        countries
            of routes, by name.
        """
        fits = np.ones(batch.n, np.bool_)
        for name in BY_TEXT:
            wanted = getattr(self, name)
            if wanted is not None:
                fits &= _is_one_of(batch.context.get(name), _all(wanted), batch.n)
        for name in BY_FLAG:
            wanted = getattr(self, name)
            column = batch.context.get(name)
            if wanted is not None:
                fits &= column == float(wanted) if isinstance(column, np.ndarray) else False
        found = fits[decision]
        if self.route is not None:
            named = np.array([route in _all(self.route) for route in batch.routes], np.bool_)
            found &= named[batch.action_route[actions]]
        if self.cross_border is not None:
            crossing = crosses_border(batch, actions, decision, countries)
            found &= crossing == float(self.cross_border)
        return np.asarray(found, np.bool_)


def crosses_border(
    batch: DecisionBatch, actions: IntArray, decision: IntArray, countries: Mapping[str, str]
) -> FloatArray:
    """float64[actions]: 1 where the issuer is of another country than the attempt is sent from.

    That is the country of the route, or of the merchant where the route has none. NaN where one of
    the two is not known. Arguments as of :meth:`Condition.holds`.
    """
    issuer = _texts(batch, "issuer_country")[decision]
    merchant = _texts(batch, "merchant_country")[decision]
    own = np.array([countries.get(route, "") for route in batch.routes], object)
    of_route = own[batch.action_route[actions]]
    here = np.where(of_route != "", of_route, merchant)
    known = (issuer != "") & (here != "")
    return np.where(known, (issuer != here).astype(np.float64), np.nan)


def _texts(batch: DecisionBatch, name: str) -> np.typing.NDArray[np.object_]:
    """object[n], the texts of a column of names; empty where missing."""
    column = batch.context.get(name)
    if not isinstance(column, Categorical):
        return np.full(batch.n, "", object)
    return np.array([*column.categories, ""], object)[column.codes]


def _is_one_of(column: object, wanted: tuple[str, ...], n: int) -> BoolArray:
    if not isinstance(column, Categorical):
        return np.zeros(n, np.bool_)
    fits = np.array([name in wanted for name in column.categories] + [False], np.bool_)
    return np.asarray(fits[column.codes], np.bool_)


def _all(values: Texts | None) -> tuple[str, ...]:
    if values is None:
        return ()
    return (values,) if isinstance(values, str) else values
