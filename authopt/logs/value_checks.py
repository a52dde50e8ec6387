"""What single values of a column may be, whatever the rest of their row says."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from authopt.card_numbers import contains_card_number
from authopt.logs.card_scan import card_numbers_in
from authopt.logs.conform import EARLIEST, LATEST, NOT_A_SANE_TIME, floats_of
from authopt.logs.schema import PROPENSITY, is_custom
from authopt.payments import CONTEXT_BY_NAME, OUTCOME_BY_NAME

Positions = npt.NDArray[np.intp]

RANGES: dict[str, tuple[int, int | None]] = {
    "attempt": (1, None),
    "amount_minor": (0, None),
    "local_hour": (0, 23),
    "local_day": (1, 7),
    "seconds_since_first_attempt": (0, None),
    "seconds_since_last_attempt": (0, None),
    "card_declines_24h": (0, None),
    "card_attempts_30d": (0, None),
    "fraud_score": (0, 1),
    "churn_value_minor": (0, None),
    "refunded_minor": (0, None),
    "latency_ms": (0, None),
}
"""Smallest and largest value of columns that have one."""

PATTERNS = {
    "currency": (re.compile(r"[A-Z]{3}"), "expected an ISO 4217 code such as EUR"),
    "bin": (re.compile(r"[0-9]{6,8}"), "expected the first 6 to 8 digits of a card number"),
}

CARD_NUMBER = (
    "looks like a card number; a log may hold only its first 6 to 8 digits and an opaque reference"
)

_SHORTEST_CARD_NUMBER = 10**12


def faults(values: pa.Array, name: str) -> Iterator[tuple[Positions, str]]:
    """What is wrong with the values of one column, each for itself: indices and the reason."""
    if pa.types.is_dictionary(values.type):
        codes = values.indices.fill_null(-1).to_numpy(zero_copy_only=False)
        yield from (
            (np.flatnonzero(np.isin(codes, wrong)), reason)
            for wrong, reason in _text_faults(values.dictionary, name)
            if len(wrong)
        )
    elif pa.types.is_string(values.type):
        yield from _text_faults(values, name)
    elif pa.types.is_timestamp(values.type):
        times = values.cast(pa.timestamp("us")).to_numpy(zero_copy_only=False)
        yield np.flatnonzero((times < EARLIEST) | (times >= LATEST)), NOT_A_SANE_TIME
    elif pa.types.is_floating(values.type) and name not in PROPENSITY:
        yield np.flatnonzero(np.isinf(floats_of(values))), "expected a finite number"
    elif pa.types.is_integer(values.type) and is_custom(name):
        yield _integer_card_numbers(values), CARD_NUMBER
    if name in RANGES and len(values) > values.null_count:
        lowest, highest = RANGES[name]
        least_most = pc.min_max(values)
        if least_most["min"].as_py() < lowest or (
            highest is not None and least_most["max"].as_py() > highest
        ):
            numbers = floats_of(values)
            bad = numbers < lowest
            expected = f"expected at least {lowest}"
            if highest is not None:
                bad |= numbers > highest
                expected = f"expected {lowest} to {highest}"
            yield np.flatnonzero(bad), expected


def _text_faults(texts: pa.StringArray, name: str) -> Iterator[tuple[Positions, str]]:
    yield card_numbers_in(texts), CARD_NUMBER
    field = CONTEXT_BY_NAME.get(name) or OUTCOME_BY_NAME.get(name)
    if field is not None and field.values is not None:
        allowed = field.values
        yield _failing(texts, lambda text: text in allowed), f"expected {', '.join(allowed)}"
    if name in PATTERNS:
        pattern, expected = PATTERNS[name]
        yield _failing(texts, lambda text: pattern.fullmatch(text) is not None), expected


def _failing(texts: pa.StringArray, passes: Callable[[str], bool]) -> Positions:
    """Indices of vocabulary entries that do not pass."""
    return np.array([i for i, text in enumerate(texts.to_pylist()) if not passes(text)], np.intp)


def _integer_card_numbers(values: pa.Array) -> Positions:
    if len(values) == values.null_count or pc.max(values).as_py() < _SHORTEST_CARD_NUMBER:
        return np.empty(0, np.intp)
    numbers = values.fill_null(0).to_numpy(zero_copy_only=False)
    candidates = np.flatnonzero(numbers >= _SHORTEST_CARD_NUMBER)
    found = [index for index in candidates if contains_card_number(str(numbers[index]))]
    return np.array(found, np.intp)
