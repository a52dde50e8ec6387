"""Who takes part in a world, as the payments of a log meet them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from authopt.batch import BoolArray, Categorical, IntArray, LoggedBatch, concat
from simulator.calibration.schedule import RetrySchedule
from simulator.simulate import simulate
from simulator.traffic import Traffic
from simulator.worlds import NamedWorld

MERCHANT_COLUMNS = ("merchant_country", "currency", "mcc", "initiator")
ISSUER_COLUMNS = ("issuer_country", "network", "funding")


@dataclass(frozen=True, slots=True)
class Member:
    """A route, a merchant or an issuer.

    Attributes
    ----------
    name
        as in logs.
    share
        of the first attempts of all payments.
    approved
        share approved of these.
    what
        the values that most of its payments have, and how many have them.
    """

    name: str
    share: float
    approved: float
    what: str


@dataclass(frozen=True, slots=True)
class Cast:
    """Everyone that some payments meet, the largest first."""

    routes: list[Member]
    merchants: list[Member]
    issuers: list[Member]


def cast_of(named: NamedWorld, payments: int, seed: int) -> Cast:
    """The cast, read off a log of a merchant with a fixed retry schedule."""
    traffic = Traffic(payments, seed=seed)
    log = concat(list(simulate(named.world, traffic, RetrySchedule(named.order))))
    first = log.take(np.flatnonzero(log.attempt == 1))
    route = Categorical(first.action_route[first.chosen_action], first.routes)
    approved = first.reward == 1.0
    return Cast(
        _members(first, approved, route, ("currency",)),
        _members(first, approved, _names(first, "merchant_id"), MERCHANT_COLUMNS),
        _members(first, approved, _names(first, "issuer"), ISSUER_COLUMNS),
    )


def _members(
    log: LoggedBatch, approved: BoolArray, who: Categorical, columns: Sequence[str]
) -> list[Member]:
    number = np.bincount(who.codes, minlength=len(who.categories))
    paid = np.bincount(who.codes, approved, len(who.categories))
    members = []
    for code in np.argsort(-number, kind="stable"):
        if not number[code]:
            break
        rows = np.flatnonzero(who.codes == code)
        what = " | ".join(_most_frequent(_names(log, name)[rows]) for name in columns)
        share, rate = number[code] / log.n, paid[code] / number[code]
        members.append(Member(who.categories[code], float(share), float(rate), what))
    return members


def _most_frequent(column: Categorical, most: int = 3) -> str:
    """The most frequent values with their shares; the shares are left out where there is one."""
    number: IntArray = np.bincount(column.codes, minlength=len(column.categories))
    order = np.argsort(-number, kind="stable")[:most]
    known = [place for place in order.tolist() if number[place]]
    if len(known) == 1:
        return str(column.categories[known[0]])
    return ", ".join(
        f"{column.categories[place]} {number[place] / len(column):.0%}" for place in known
    )


def _names(log: LoggedBatch, name: str) -> Categorical:
    column = log.context[name]
    assert isinstance(column, Categorical)
    return column
