"""A candidate that keeps to the live policy wherever the log hardly tried what it wants to do.

Safe policy improvement with baseline bootstrapping, policy-based (Pi_b-SPIBB): Laroche, Trichelair
& Tachet des Combes, 'Safe Policy Improvement with Baseline Bootstrapping', ICML 2019, algorithm 1.
An action is *uncertain* in a class of contexts if the log took it there fewer than ``least`` times.
Uncertain actions have the live policy's probability, whatever the candidate thinks of them; the
mass that is left goes to the other actions, here in the proportions of the candidate (the paper
gives all of it to the best one; the candidate's own exploration is kept this way). Where the
candidate gives none of these any probability, the live policy decides alone. Its floor can be as
low as the product of both policies' floors; ``epsilon`` in its spec sets one.

Classes are the values of a few context columns together.
Nadjahi, Laroche & Tachet des Combes ('Safe Policy Improvement with Soft Baseline Bootstrapping',
ECML 2019) let the trust in an action grow with its count; here it is there or not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec
import numpy as np

from authopt.batch import BoolArray, Categorical, DecisionBatch, FloatArray, IntArray
from authopt.errors import UserError
from authopt.policies.family import EPSILON, Family, Options, SpecError
from authopt.policies.protocol import Policy
from authopt.policies.state_file import read_state, write_state

LEAST = 50

MADE_BY = "authopt train LOG --policy spibb --candidate SPEC --live SPEC --out safe.json"

FOLDER = "{}"
"""Stands for the folder of the file in the specs that it names."""

ATTEMPT = "attempt"
"""Name of the class column that is not in the context."""

Key: TypeAlias = tuple[str | None, ...]
"""The value of every class column; None where it is missing."""


class CountRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How often the log took an action in a class of contexts."""

    values: Key
    route: str
    delay_s: int
    count: int


class SpibbFile(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="policy", tag="spibb"
):
    """The whole file. Files that the specs name are found as the specs are written.

    In them ``{}`` stands for the folder of the file itself, so that all may be moved together.
    ``last_payment`` is when the last payment that was counted began (UTC).
    """

    candidate: str
    live: str
    least: int
    columns: tuple[str, ...]
    counts: tuple[CountRecord, ...]
    last_payment: datetime | None = None
    version: Literal[1] = 1


@dataclass(frozen=True, slots=True, eq=False)
class Spibb:
    """The candidate where the log supports it, the live policy elsewhere.

    Attributes
    ----------
    candidate, live
        the policies.
    counts
        by class of context, route and delay: how often the log took the action.
    columns
        that classes are formed by: names of the context, or ``attempt``.
    least
        count from which on an action is certain, at least 1.
    specs
        of the candidate and of the live policy, for the file.
    last_payment
        when the last payment that was counted began, UTC.
    """

    candidate: Policy
    live: Policy
    counts: Mapping[tuple[Key, str, int], int]
    columns: tuple[str, ...]
    least: int = LEAST
    specs: tuple[str, str] = ("", "")
    last_payment: datetime | None = None
    name: str = "spibb"

    def __post_init__(self) -> None:
        if self.least < 1:
            raise UserError(f"least of spibb is {self.least}; expected 1 or more")

    def probabilities(self, batch: DecisionBatch) -> FloatArray:
        """float64[m]."""
        if not batch.n:
            return np.zeros(0)
        live = np.asarray(self.live.probabilities(batch), np.float64)
        wanted = np.asarray(self.candidate.probabilities(batch), np.float64)
        certain = self.is_certain(batch)
        wanted = np.where(certain, wanted, 0.0)
        kept = np.where(certain, 0.0, live)
        total = batch.sum_by_decision(wanted)
        free = 1.0 - batch.sum_by_decision(kept)
        share = np.divide(free, total, out=np.zeros_like(free), where=total > 0.0)
        mixed = kept + wanted * np.repeat(share, batch.counts)
        return np.where(np.repeat(total > 0.0, batch.counts), mixed, live)

    def is_certain(self, batch: DecisionBatch) -> BoolArray:
        """bool[m], which actions the log took often enough in their class of contexts."""
        keys, row = classes(batch, self.columns)
        actions, place = np.unique(
            np.stack([batch.action_route.astype(np.int64), batch.action_delay_s]),
            axis=1,
            return_inverse=True,
        )
        table = np.array(
            [
                [
                    self.counts.get((key, batch.routes[route], delay), 0) >= self.least
                    for route, delay in actions.T.tolist()
                ]
                for key in keys
            ],
            np.bool_,
        )
        return np.asarray(table[np.repeat(row, batch.counts), place.reshape(-1)])

    def save(self, path: Path) -> None:
        """Write the counts and the specs; :meth:`load` reads them.

        Raises
        ------
        UserError
            If the policies were not made from specs, or the file cannot be written.
        """
        if not all(self.specs):
            raise UserError(f"{path}: a spibb policy is kept by the specs of its two policies")
        counts = sorted(
            (CountRecord(key, route, delay, n) for (key, route, delay), n in self.counts.items()),
            key=lambda each: ([value or "" for value in each.values], each.route, each.delay_s),
        )
        state = SpibbFile(*self.specs, self.least, self.columns, tuple(counts), self.last_payment)
        write_state(path, state)

    @classmethod
    def load(cls, path: Path) -> Spibb:
        """Read the counts, and load the two policies.

        Raises
        ------
        UserError
            If a file is missing or holds something else.
        """
        from authopt.policies.spec import load_policy

        state = read_spibb(path)
        counts = {
            (record.values, record.route, record.delay_s): record.count for record in state.counts
        }
        if any(len(key) != len(state.columns) for key, _, _ in counts):
            raise UserError(
                f"{path}: a class has another number of values than there are columns "
                f"({', '.join(state.columns) or 'none'})"
            )
        return cls(
            load_policy(state.candidate),
            load_policy(state.live),
            counts,
            state.columns,
            state.least,
            (state.candidate, state.live),
            state.last_payment,
        )


def read_spibb(path: Path) -> SpibbFile:
    """What a file says, with its folder in the specs.

    Raises
    ------
    UserError
        If the file is missing or holds something else.
    """
    state = read_state(path, SpibbFile, "a spibb policy", MADE_BY)
    folder = str(path.parent)
    return msgspec.structs.replace(
        state,
        candidate=state.candidate.replace(FOLDER, folder),
        live=state.live.replace(FOLDER, folder),
    )


def classes(batch: DecisionBatch, columns: Sequence[str]) -> tuple[list[Key], IntArray]:
    """The classes that occur, and int64[n], the one of each decision.

    A column that the batch lacks, or that holds other than names, flags or whole numbers, is
    missing in every decision.
    """
    coded = [_codes(batch, name) for name in columns]
    combined = np.zeros(batch.n, np.int64)
    for codes, labels in coded:
        combined = np.unique(combined * (len(labels) + 1) + codes + 1, return_inverse=True)[1]
    _, first, row = np.unique(combined, return_index=True, return_inverse=True)
    values = [
        [labels[code] if code >= 0 else None for code in codes[first]] for codes, labels in coded
    ]
    return list(zip(*values, strict=True)) if values else [()] * len(first), row.reshape(-1)


def _codes(batch: DecisionBatch, name: str) -> tuple[IntArray, Sequence[str]]:
    column = batch.attempt.astype(np.float64) if name == ATTEMPT else batch.context.get(name)
    if isinstance(column, Categorical):
        return column.codes.astype(np.int64), column.categories
    if isinstance(column, np.ndarray) and column.dtype.kind == "f":
        numbers = np.asarray(column, np.float64)
        known = np.isfinite(numbers)
        seen, codes = np.unique(numbers[known], return_inverse=True)
        place = np.full(batch.n, -1, np.int64)
        place[known] = codes
        return place, [f"{value:.12g}" for value in seen.tolist()]
    return np.full(batch.n, -1, np.int64), ()


def _make(file: Path | None, options: Options) -> Spibb:
    assert file is not None
    least = options.whole("least", 0)
    policy = Spibb.load(file)
    if not least:
        return policy
    if least < 1:
        raise SpecError(f"policy {options.spec!r}: least is {least}; expected 1 or more")
    return replace(policy, least=least)


FAMILY = Family(
    "spibb:FILE.json[,least=50][,epsilon=0.05]",
    _make,
    ("least", EPSILON),
    takes_file=True,
    needs_file=True,
)
