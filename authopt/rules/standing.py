"""What a batch says of its payments in the words of the tables: the ground of masks and fees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from authopt.batch import BoolArray, Categorical, CodeArray, DecisionBatch, FloatArray, IntArray
from authopt.rules.table_rows import NETWORKS
from authopt.rules.tables import NO_REASON, CodeTable, LimitTable, code_positions, positions

DAY_S = 86_400


class _Tables(Protocol):
    @property
    def response(self) -> CodeTable: ...

    @property
    def advice(self) -> CodeTable: ...


@dataclass(frozen=True, slots=True, eq=False)
class Standing:
    """Where n payments stand before their next attempt.

    Attributes
    ----------
    network
        int32[n], index into ``table_rows.NETWORKS``; -1 where not known.
    response, advice
        int32[n], the previous attempt's codes as positions in the tables; -1 where none or unknown.
    has_response, has_advice
        bool[n], the previous attempt came back with such a code.
    """

    network: CodeArray
    response: CodeArray
    advice: CodeArray
    has_response: BoolArray
    has_advice: BoolArray


def standing(batch: DecisionBatch, tables: _Tables) -> Standing:
    """Read the columns that every rule needs."""
    response, has_response = _previous(batch, "previous_response_code", tables.response)
    advice, has_advice = _previous(batch, "previous_advice_code", tables.advice)
    network = name_codes(batch, "network", NETWORKS)
    return Standing(network, response, advice, has_response, has_advice)


def _previous(batch: DecisionBatch, name: str, table: CodeTable) -> tuple[CodeArray, BoolArray]:
    column = batch.context.get(name)
    if not isinstance(column, Categorical):
        return np.full(batch.n, -1, np.int32), np.zeros(batch.n, np.bool_)
    return table.code_of(column), column.codes >= 0


def broken_limit(batch: DecisionBatch, network: CodeArray, limits: LimitTable) -> IntArray:
    """The limit that each action would or might break: a row of the table, or -1.

    The windows roll, and the context does not tell the time of every earlier attempt. So the
    largest number is taken that it admits. Of the payment itself, with ``k`` attempts before: all
    ``k`` while the first of them lies in the window at the time of the attempt, ``k - 1`` when the
    first has left it and the last has not. Of the card, where the columns are there:
    ``card_attempts_30d``, and for a window of a day or less ``card_declines_24h``, until the delay
    alone passes the window. Where such a count is known, the first attempt still in the window is
    all that counts of the payment beside it. Where several limits are broken, the last in the table
    stands.

    Parameters
    ----------
    batch
        n decisions, m actions.
    network
        int32[n], as in :class:`Standing`.

    Returns
    -------
    int64[m]
    """
    found = np.full(batch.m, NO_REASON, np.int64)
    of_card = counts_of_card(batch)
    counted = [(before >= limits.least).any() for before in of_card.values()]
    if int(batch.attempt.max(initial=0)) <= limits.least and not any(counted):
        return found
    country: CodeArray | int = -1
    if limits.countries:
        country = name_codes(batch, "merchant_country", limits.countries)
    attempts, window_s = limits.attempts[country, network], limits.window_s[country, network]
    rows = limits.row[country, network]
    of_decision = batch.decision_of_action
    delay_s = batch.action_delay_s
    first_s = known_seconds(batch, "seconds_since_first_attempt")[of_decision] + delay_s
    last_s = known_seconds(batch, "seconds_since_last_attempt")[of_decision] + delay_s
    for place in range(attempts.shape[1]):
        most, window = attempts[:, place], window_s[:, place]
        within = window[of_decision]
        without_first = batch.attempt - 1 > most
        broken = (batch.attempt > most)[of_decision] & (first_s <= within)
        for short, before in of_card.items():
            concerned = (window <= DAY_S) == short
            # A comparison with NaN, a count that is not known, is false.
            broken |= ((before >= most) & concerned)[of_decision] & (delay_s <= within)
            without_first &= ~concerned | np.isnan(before)
        broken |= without_first[of_decision] & (last_s <= within)
        found[broken] = rows[:, place][of_decision][broken]
    return found


def counts_of_card(batch: DecisionBatch) -> dict[bool, FloatArray]:
    """The counts of a card's earlier attempts that the batch has: for short windows, and others."""
    columns = {True: "card_declines_24h", False: "card_attempts_30d"}
    return {
        short: np.asarray(batch.context[name], np.float64)
        for short, name in columns.items()
        if name in batch.context
    }


def name_codes(batch: DecisionBatch, name: str, vocabulary: tuple[str, ...]) -> CodeArray:
    """int32[n], a context column in a vocabulary of plain names; -1 where missing or not in it."""
    column = batch.context.get(name)
    if not isinstance(column, Categorical):
        return np.full(batch.n, -1, np.int32)
    return positions(vocabulary, column.categories)[column.codes]


def number_column(batch: DecisionBatch, name: str) -> FloatArray | None:
    """float64[n], a context column of numbers; None where the batch lacks it."""
    column = batch.context.get(name)
    return None if column is None else np.asarray(column, np.float64)


def known_seconds(batch: DecisionBatch, name: str) -> FloatArray:
    """float64[n], a context column of seconds; 0 where not known."""
    column = number_column(batch, name)
    return np.zeros(batch.n) if column is None else np.where(np.isnan(column), 0.0, column)


def code_column(batch: DecisionBatch, name: str, codes: tuple[str, ...]) -> CodeArray:
    """int32[n], a context column of codes in a table's vocabulary; -1 where missing or unknown."""
    column = batch.context.get(name)
    if not isinstance(column, Categorical):
        return np.full(batch.n, -1, np.int32)
    return code_positions(codes, column.categories)[column.codes]
