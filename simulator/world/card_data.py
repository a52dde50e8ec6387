"""Mandates and card data that are not good (any more), and who corrects them.

All shares are invented, set so that 20-40% of the declines of bills are hard (rechurn.io, finsi.ai)
and network tokens and updaters bring what ``cast_issuers`` names.
"""

from __future__ import annotations

import numpy as np

from authopt.batch import BoolArray, CodeArray, FloatArray, IntArray
from authopt.hashing import UIntArray
from simulator.world.cast import Cast
from simulator.world.keyed import lower, mixed, upper

CANCELLED = 0.014
"""Share of bills whose mandate the cardholder has revoked."""
WRONG_NUMBER, WRONG_CVV = 0.0030, 0.0040
"""Shares of checkouts with a mistyped number and security code."""
TYPED_AGAIN = 0.65
"""Share of mistyped or outdated card data that the cardholder corrects after a decline."""
OLD_CARD = 0.06
"""Share of cardholders who still type a card that was replaced."""
NETWORK_KEEPS_TOKEN = 0.85
"""Share of replaced cards whose network token stays good."""
TOLD_BEFORE = 0.15
"""Share of replaced cards whose new data the merchant has before the bill."""


def card_data(
    cast: Cast,
    attempt: CodeArray,
    key: UIntArray,
    issuer: IntArray,
    is_mit: BoolArray,
    token: FloatArray,
) -> tuple[BoolArray, BoolArray, BoolArray]:
    """What is wrong with mandates and card data at attempts; bool[n] each.

    Parameters
    ----------
    cast
        who takes part.
    attempt
        int32[n], from 1.
    key, issuer, is_mit, token
        of the payment.

    Returns
    -------
    refuses
        the mandate is revoked or the data are mistyped.
    stored_old
        an expired and replaced card would be met with its old data.
    stored_gone
        a lost, stolen or closed card would be met.
    """
    data = data_keys(key)
    wrong = np.where(is_mit, upper(data) < CANCELLED, mistyped(data))
    stored_old = stored_as_old(data, is_mit, token)
    stored_gone = is_mit | (lower(data) < OLD_CARD)
    again = np.flatnonzero(attempt > 1)
    if len(again):
        fixed = data_corrected(cast, key[again], issuer[again], is_mit[again])
        stored_old[again] &= ~fixed
        wrong[again] &= ~fixed | is_mit[again]
    return wrong, stored_old, stored_gone


def data_keys(key: UIntArray) -> UIntArray:
    """uint64[n], of what is drawn for the card data of payments."""
    return mixed(key, "card data")


def mistyped(data: UIntArray) -> BoolArray:
    """bool[k], a checkout's number or security code is mistyped."""
    return np.asarray(upper(data) < WRONG_NUMBER + WRONG_CVV)


def stored_as_old(data: UIntArray, is_mit: BoolArray, token: FloatArray) -> BoolArray:
    """bool[k], once the card is replaced, the first attempt comes with the data of the old one."""
    stored = np.where(token == 1, 1.0 - NETWORK_KEEPS_TOKEN, 1.0 - TOLD_BEFORE)
    return np.asarray(lower(data) < np.where(is_mit, stored, OLD_CARD))


def data_corrected(cast: Cast, key: UIntArray, issuer: IntArray, is_mit: BoolArray) -> BoolArray:
    """bool[k], card data that a first attempt found bad are good from the second on."""
    share = np.where(is_mit, cast.issuers.updater[issuer], TYPED_AGAIN)
    return np.asarray(upper(mixed(key, "corrected")) < share)
