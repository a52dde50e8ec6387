"""Amounts in minor units of their currency (ISO 4217)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from authopt.batch import FloatArray

_EXPONENTS = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
EXPONENT = {code: exponent for exponent, codes in _EXPONENTS.items() for code in codes.split()}
"""Decimal places of the currencies that do not have two (ISO 4217, list one)."""


def minor_factors(currencies: Sequence[str | None]) -> FloatArray:
    """float64[k], minor units in one major unit of each currency; NaN where it is missing."""
    return np.array(
        [np.nan if code is None else 10.0 ** EXPONENT.get(code, 2) for code in currencies],
        np.float64,
    )
