"""A log as the minutes that alarms judge, with the outcomes that were known by then."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from authopt.alarms.counts import ALL, Counts, Minute, Stream
from authopt.batch import BoolArray, Categorical, IntArray, LoggedBatch
from authopt.policies.guard.signs import Sign, answered_us, answers_of

MINUTE_US = 60_000_000
SETTLE_US = MINUTE_US
"""A minute is judged this long after its end."""

LATE_MS = 20_000.0
DIMENSIONS = ("issuer", "issuer_country", "network")
NAMED = {"issuer_country": "country"}


def minutes_of(batches: Iterable[LoggedBatch]) -> Iterator[Minute]:
    """The minutes from the first decision to the last, those without decisions too.

    Attempts that networks charge for are not looked for: the simulated policies make none.
    """
    sums: dict[int, dict[Stream, np.ndarray]] = {}
    last = None
    for batch in batches:
        if not batch.n:
            continue
        minute = batch.decided_at.astype("M8[us]").astype(np.int64) // MINUTE_US
        _add(batch, minute, sums)
        first = int(minute[0])
        # Batches come in the order of time: what is before this one is complete.
        for at in range(first if last is None else last, first):
            yield _minute(at, sums.pop(at, {}))
        last = first
    for at in range(min(sums, default=0), max(sums, default=-1) + 1):
        yield _minute(at, sums.pop(at, {}))


def _minute(at: int, sums: dict[Stream, np.ndarray]) -> Minute:
    found = {stream: Counts(*values.tolist()) for stream, values in sums.items()}
    found.setdefault(ALL, Counts())
    return Minute(at * MINUTE_US, found)


def _add(batch: LoggedBatch, minute: IntArray, sums: dict[int, dict[Stream, np.ndarray]]) -> None:
    made = ~batch.is_stop[batch.chosen_action]
    now = batch.action_delay_s[batch.chosen_action] == 0
    first = made & (batch.attempt == 1) & now
    known = np.zeros(batch.n, np.bool_)
    failed = np.zeros(batch.n, np.bool_)
    answers = answers_of(batch, LATE_MS)
    in_time = answered_us(batch)[answers.row] <= (minute[answers.row] + 1) * MINUTE_US + SETTLE_US
    rows, sign = answers.row[in_time], answers.sign[in_time]
    known[rows] = True
    failed[rows] = sign == int(Sign.FAILED)
    approved = np.nan_to_num(np.asarray(batch.outcome["approved"], np.float64)) > 0.0
    columns = np.stack(
        [
            np.ones(batch.n),
            made,
            first,
            first & known,
            first & known & approved,
            known,
            failed,
            np.zeros(batch.n),
            batch.propensity,
            np.zeros(batch.n),
            np.zeros(batch.n),
            first,
            first & ~known,
        ]
    ).astype(np.float64)
    everything = np.ones(batch.n, np.bool_)
    _group(columns, minute, np.zeros(batch.n, np.int64), ("",), "all", everything, sums)
    route = batch.action_route[batch.chosen_action].astype(np.int64)
    _group(columns, minute, route, batch.routes, "route", made, sums)
    for name in DIMENSIONS:
        column = batch.context[name]
        assert isinstance(column, Categorical)
        codes = np.asarray(column.codes, np.int64)
        _group(columns, minute, codes, column.categories, NAMED.get(name, name), codes >= 0, sums)


def _group(
    columns: np.ndarray,
    minute: IntArray,
    codes: IntArray,
    names: tuple[str, ...],
    dimension: str,
    rows: BoolArray,
    sums: dict[int, dict[Stream, np.ndarray]],
) -> None:
    size = max(len(names), 1)
    keys, place = np.unique((minute * size + codes)[rows], return_inverse=True)
    added = np.stack([np.bincount(place, each, len(keys)) for each in columns[:, rows]], axis=1)
    for key, values in zip(keys.tolist(), added, strict=True):
        at, code = divmod(key, size)
        stream = (dimension, names[code])
        of = sums.setdefault(at, {})
        of[stream] = of[stream] + values if stream in of else values
