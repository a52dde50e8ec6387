"""Decisions as they are asked, and what the rules leave of them: ``stop``, where nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from authopt.actions import STOP_ROUTE
from authopt.batch import BoolArray, Categorical, Column, DecisionBatch, IntArray
from authopt.rules import Rules, apply_rules
from authopt.rules.apply import ReasonArray
from authopt.rules.tables import NO_REASON


class Asked(NamedTuple):
    """n decisions with m actions, and which of them may be taken.

    Attributes
    ----------
    batch
        the decisions; ``stop`` is added to one that the rules left without an action.
    keep
        bool[m], the rules left the action.
    reason, reasons
        int16[m] and the texts it indexes: why the rules removed the action; -1 where it was kept.
    eligible
        the decisions with the actions that were kept; ``batch`` itself where all were.
    """

    batch: DecisionBatch
    keep: BoolArray
    reason: ReasonArray
    reasons: tuple[str, ...]
    eligible: DecisionBatch


def asked(batch: DecisionBatch, rules: Rules) -> Asked:
    """Apply the rules."""
    allowed = apply_rules(batch, rules)
    return with_stop(batch, allowed.reason, allowed.reasons)


def with_stop(batch: DecisionBatch, reason: ReasonArray, reasons: tuple[str, ...]) -> Asked:
    """Add the action ``stop``, which no rule forbids, to decisions that have no action left."""
    keep = reason == NO_REASON
    if keep.all():
        return Asked(batch, keep, reason, reasons, batch)
    lacking = batch.sum_by_decision(keep.astype(np.float64)) == 0
    if lacking.any():
        routes = batch.routes if STOP_ROUTE in batch.routes else (*batch.routes, STOP_ROUTE)
        at = batch.offsets[1:][lacking]
        offsets = batch.offsets + np.concatenate([[0], np.cumsum(lacking)])
        batch = replace(
            batch,
            routes=routes,
            action_route=np.insert(batch.action_route, at, routes.index(STOP_ROUTE)),
            action_delay_s=np.insert(batch.action_delay_s, at, 0),
            offsets=offsets.astype(np.int64),
            action_features={
                name: with_missing(column, at) for name, column in batch.action_features.items()
            },
        )
        keep, reason = np.insert(keep, at, True), np.insert(reason, at, NO_REASON)
    return Asked(batch, keep, reason, reasons, batch.keep_actions(keep))


def with_missing(column: Column, at: IntArray) -> Column:
    """A column of length m with a missing value put in before each of the positions ``at``."""
    if isinstance(column, Categorical):
        return Categorical(np.insert(column.codes, at, -1), column.categories)
    if isinstance(column, pa.Array):
        position = np.insert(np.arange(len(column), dtype=np.int64), at, -1)
        return column.take(pa.array(position, mask=position < 0))
    missing = np.datetime64("NaT") if column.dtype.kind == "M" else np.nan
    return np.insert(column, at, missing)
