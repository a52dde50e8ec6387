"""Every card's own numbers, drawn from the world's seed: arrays over cards.

Cards of a country stand together, so that a customer from a country is one uniform draw.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from authopt.batch import BoolArray, FloatArray, IntArray
from authopt.hashing import UIntArray
from simulator.world.cast_issuers import Issuers, Products, apportion
from simulator.world.clocks import (
    BIWEEKLY_KINDS,
    MONTH_DAYS,
    PAYDAY_KINDS,
    WEEKLY_KINDS,
    Float32Array,
)
from simulator.world.countries import COUNTRIES
from simulator.world.keyed import drawn, drawn_normal, mixed

CREDIT, DEBIT, PREPAID = range(3)

STRETCHED = (0.074, 0.142, 0.200)
"""Share of credit, debit and prepaid cards whose money runs out before the next payday. Invented,
so that a lack of funds makes up about 44% of declines (Ethoca)."""

EMPTY = (0.014, 0.027, 0.038)
"""Share of cards that no payday fills. Invented, so that recoveries stay below those published."""

RENEWAL_DAYS = 4 * 365
LOSS_DAYS = 8 * 365
"""A card expires every four years and is lost, stolen or closed every eight."""


@dataclass(frozen=True, slots=True, eq=False)
class Cards:
    """Arrays over cards.

    Attributes
    ----------
    first, number
        int64[countries], where a country's cards begin and how many they are.
    product
        int32, place in the products.
    payday
        int16, kind of payday (``clocks.PAYDAY_KINDS``).
    log_income
        float32, log of the balance after a payday, US dollars.
    slope
        float32, how much of the log of the balance is gone before the next payday.
    renewal_s, loss_s
        int32, when in its cycle of ``RENEWAL_DAYS`` or ``LOSS_DAYS`` a card is replaced, seconds.
    key
        uint64, of all else that is drawn for a card.
    """

    first: IntArray
    number: IntArray
    product: npt.NDArray[np.int32]
    payday: npt.NDArray[np.int16]
    log_income: Float32Array
    slope: Float32Array
    renewal_s: npt.NDArray[np.int32]
    loss_s: npt.NDArray[np.int32]
    key: UIntArray


def make_cards(seed: int, number: int, issuers: Issuers, products: Products) -> Cards:
    """Draw the cards."""
    counts = apportion(np.array([each.cards for each in COUNTRIES], np.float64), number)
    country = np.repeat(np.arange(len(COUNTRIES)), counts)
    product = _products(drawn(seed, "card product", number), counts, issuers, products)
    funding = products.funding[product]
    payday = _paydays(drawn(seed, "payday kind", number), drawn(seed, "payday", number), country)
    income = np.array([each.income for each in COUNTRIES])[country]
    stretched = drawn(seed, "stretched", number) < np.array(STRETCHED)[funding]
    log_income = (
        np.log(income)
        + np.array([0.9, 0.0, -1.6])[funding]
        + 0.6 * drawn_normal(seed, "income", number)
        + issuers.funds[products.issuer[product]]
    )
    log_income -= 6.0 * (drawn(seed, "empty", number) < np.array(EMPTY)[funding])
    where = drawn(seed, "slope", number)
    slope = np.where(stretched, 4.7 + 9.3 * where, 0.2 + 1.3 * where)
    return Cards(
        first=np.cumsum(counts) - counts,
        number=counts,
        product=product.astype(np.int32),
        payday=payday.astype(np.int16),
        log_income=log_income.astype(np.float32),
        slope=slope.astype(np.float32),
        renewal_s=(drawn(seed, "renewal", number) * RENEWAL_DAYS * 86_400).astype(np.int32),
        loss_s=(drawn(seed, "loss", number) * LOSS_DAYS * 86_400).astype(np.int32),
        key=mixed(np.arange(number, dtype=np.uint64), f"card:{seed}"),
    )


def _products(
    uniform: FloatArray, counts: IntArray, issuers: Issuers, products: Products
) -> IntArray:
    """A product for each card: by the size of its issuer, then its share there."""
    within = np.bincount(products.issuer, products.share, len(issuers.names))
    weight = issuers.size[products.issuer] * products.share / within[products.issuer]
    chosen = []
    ends = np.cumsum(counts)
    for country, (end, count) in enumerate(zip(ends.tolist(), counts.tolist(), strict=True)):
        places = np.flatnonzero(products.country == country)
        edges = np.cumsum(weight[places]) / weight[places].sum()
        at = np.searchsorted(edges, uniform[end - count : end], side="right")
        chosen.append(places[np.minimum(at, len(places) - 1)])
    return np.concatenate(chosen)


def _paydays(kind: FloatArray, which: FloatArray, country: IntArray) -> IntArray:
    """A kind of payday for each card."""
    weights = np.array([each.paydays for each in COUNTRIES])
    edges = (np.cumsum(weights, axis=1) / weights.sum(axis=1, keepdims=True))[country]
    habit = np.minimum((kind[:, None] >= edges).sum(axis=1), weights.shape[1] - 1)
    weekly = np.floor(which * WEEKLY_KINDS)
    biweekly = WEEKLY_KINDS + np.floor(which * BIWEEKLY_KINDS)
    monthly = PAYDAY_KINDS - len(MONTH_DAYS) + habit - 2
    found: IntArray = np.where(habit == 0, weekly, np.where(habit == 1, biweekly, monthly))
    return found.astype(np.int64)


def in_window(
    seconds: IntArray, phase_s: npt.NDArray[np.int32], cycle_days: int, days: int
) -> BoolArray:
    """bool[n], whether less than ``days`` have gone since a card was last replaced."""
    return np.asarray((seconds - phase_s) % (cycle_days * 86_400) < days * 86_400)
