"""What is kept beside a Vowpal Wabbit model: how it was made, and how to tell that it is whole."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec
import numpy as np
import pyarrow as pa

from authopt.batch import Categorical, Column, DecisionBatch, FloatArray, utc_datetime
from authopt.errors import UserError
from authopt.features.vw_features import READ_BESIDE, VwFeatures
from authopt.policies.state_file import read_state
from authopt.policies.vw_options import CbType, Explorer, Weighting

SUFFIX = ".json"
WHAT = "a model's manifest"
MADE_BY = "authopt train LOG --out model.vw"

PlainValue: TypeAlias = str | float | None
"""A cell: a name, a number, or missing."""


class ProbeAction(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One eligible action of a probe."""

    route: str
    delay_s: int
    features: dict[str, PlainValue] = {}


class Probe(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A decision and the probabilities that the model gave it when it was made."""

    attempt: int
    context: dict[str, PlainValue]
    actions: tuple[ProbeAction, ...]
    probabilities: tuple[float, ...]
    decided_at: datetime = datetime(1970, 1, 1, tzinfo=UTC)

    def batch(self) -> DecisionBatch:
        """The decision as a batch of one."""
        at = np.array([self.decided_at.astimezone(UTC).replace(tzinfo=None)], "datetime64[us]")
        routes = Categorical.from_values(action.route for action in self.actions)
        names = dict.fromkeys(name for action in self.actions for name in action.features)
        return DecisionBatch(
            decision_id=pa.array(["probe"]),
            payment_id=pa.array(["probe"]),
            attempt=np.array([self.attempt], np.int32),
            decided_at=at,
            context={name: plain_column([value]) for name, value in self.context.items()},
            routes=routes.categories,
            action_route=routes.codes,
            action_delay_s=np.array([action.delay_s for action in self.actions], np.int64),
            offsets=np.array([0, len(self.actions)], np.int64),
            action_features={
                name: plain_column([action.features.get(name) for action in self.actions])
                for name in names
            },
        )


def plain_column(values: list[PlainValue]) -> Column:
    """Cells as a column: of names if one is a name, else of numbers."""
    if any(isinstance(value, str) for value in values):
        return Categorical.from_values(
            value if isinstance(value, str) else None for value in values
        )
    return np.array([np.nan if value is None else value for value in values], np.float64)


def plain_cells(column: Column) -> list[PlainValue]:
    """A column of names or numbers as cells; :func:`plain_column` is the way back."""
    if isinstance(column, Categorical):
        return list(column.values())
    numbers = np.asarray(column, np.float64)
    return [value if np.isfinite(value) else None for value in numbers.tolist()]


def probes_of(
    batch: DecisionBatch, features: VwFeatures, probabilities: FloatArray
) -> tuple[Probe, ...]:
    """Every decision of a (small) batch as a probe, with only the columns that the model reads."""
    used = {column.name for column in (*features.context, *features.action)} | READ_BESIDE
    context = {
        name: plain_cells(column)
        for name, column in batch.context.items()
        if name in used and isinstance(column, Categorical | np.ndarray)
    }
    of_action = {
        name: plain_cells(column)
        for name, column in batch.action_features.items()
        if name in used and isinstance(column, Categorical | np.ndarray)
    }
    probes: list[Probe] = []
    for row in range(batch.n):
        rows = range(int(batch.offsets[row]), int(batch.offsets[row + 1]))
        actions = tuple(
            ProbeAction(
                action.route, action.delay_s, {name: of_action[name][at] for name in of_action}
            )
            for at, action in zip(rows, batch.actions(row), strict=True)
        )
        probes.append(
            Probe(
                int(batch.attempt[row]),
                {name: cells[row] for name, cells in context.items()},
                actions,
                tuple(probabilities[rows.start : rows.stop].tolist()),
                utc_datetime(batch.decided_at[row]) or datetime.fromtimestamp(0, UTC),
            )
        )
    return tuple(probes)


class LogRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The log that a model learned from.

    Attributes
    ----------
    name, size_bytes, sha256
        of its file.
    propensity_source
        where its propensities come from.
    first, last
        of the decisions, UTC.
    last_payment
        when the last payment that it learned from began, UTC: its first attempt. A log that was
        split by payments holds later retries of earlier payments.
    """

    name: str | None
    size_bytes: int | None
    sha256: str | None
    propensity_source: str
    first: datetime | None
    last: datetime | None
    last_payment: datetime | None = None


class Ancestor(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A model that another one went on from.

    Attributes
    ----------
    sha256
        of its bytes.
    rows, targets, log
        as its manifest had them.
    """

    sha256: str
    rows: int
    targets: str
    log: LogRecord


class LeftOut(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Rows that the training could not use, and why."""

    reason: str
    rows: int


class _Told(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    tag_field="policy",
    tag="vw",
):
    """What both versions of the manifest say."""

    sha256: str
    vw_version: str
    authopt_version: str
    vw_arguments: tuple[str, ...]
    explorer: Explorer
    epsilon: float
    features: VwFeatures
    routes: dict[str, int]
    rows: int
    left_out: tuple[LeftOut, ...]
    reward: str
    reward_to_go: bool
    mean_reward: float
    progressive_value: float | None
    log: LogRecord
    probes: tuple[Probe, ...]


class VwManifest(_Told, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="vw"):
    """The manifest of a model, in ``MODEL.json`` beside ``MODEL``.

    Attributes
    ----------
    sha256
        of the model's bytes.
    vw_version, authopt_version
        what made it.
    vw_arguments
        VW's command line, without files; of a model that went on from another, the one that would
        make it from nothing.
    explorer, cb_type, weighting
        as in :class:`authopt.policies.vw_options.VwOptions`.
    parameters
        the explorer's own arguments, as VW takes them.
    epsilon
        what VW itself was told.
    floor
        each of k eligible actions gets at least ``floor / k``; with 0 the model may be judged, but
        may not decide what is logged.
    cost_scale
        what rewards were divided by; None where version 1 does not say.
    targets
        what was regressed: the rewards as they were ``observed``, or what was made of them, see
        :func:`authopt.learning.train_vw.train_vw`.
    progressive_interval
        95% interval of ``progressive_value``.
    features
        the declaration of the features.
    routes
        times that each route was taken in training, in that of its ancestors too.
    rows, left_out
        decisions of the log that it learned from, and those that it could not learn from.
    reward
        name of the reward.
    reward_to_go
        whether later attempts of the payment count for a decision's reward.
    mean_reward
        mean of the rewards it learned from: what the logging policy got.
    progressive_value
        value of the policy while it learned, estimated off-policy from decisions before they were
        learned; None where that is not defined.
    log
        the log. Its ``last_payment`` is never earlier than those of the ancestors' logs.
    probes
        decisions, and the probabilities that the model must give them.
    ancestors
        the model that it went on from, the one that that went on from, and so on.
    """

    cb_type: CbType
    weighting: Weighting
    parameters: tuple[str, ...]
    floor: float
    cost_scale: float | None
    targets: str = "observed"
    progressive_interval: tuple[float, float] | None = None
    ancestors: tuple[Ancestor, ...] = ()
    version: Literal[2] = 2


class _VwManifest1(_Told, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="vw"):
    """Version 1: of the explorers ``epsilon`` and ``squarecb`` alone, both with ``mtr``."""

    version: Literal[1] = 1

    def renewed(self) -> VwManifest:
        """As version 2 says it; by what rewards were divided is not known."""
        kept = {name: getattr(self, name) for name in _Told.__struct_fields__}
        return VwManifest(
            **kept,
            cb_type="mtr",
            weighting="ips" if self.explorer == "epsilon" else "regression",
            parameters=(),
            floor=self.epsilon,
            cost_scale=None,
        )


class _AnyVersion(msgspec.Struct):
    version: int | None = None


def manifest_path(model: Path) -> Path:
    """Where the manifest of a model lies."""
    return model.with_name(model.name + SUFFIX)


def read_manifest(model: Path) -> VwManifest:
    """The manifest of a model, after the model's bytes were checked against it.

    Raises
    ------
    UserError
        If a file is missing or unsound, or the model is not the one that the manifest describes.
    """
    if not model.is_file():
        raise UserError(f"{model}: no such model. Make one with: {MADE_BY}")
    path = manifest_path(model)
    version = read_state(path, _AnyVersion, WHAT, MADE_BY).version
    if version == 1:
        manifest = read_state(path, _VwManifest1, WHAT, MADE_BY).renewed()
    else:
        manifest = read_state(path, VwManifest, WHAT, MADE_BY)
    with model.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != manifest.sha256:
        raise UserError(
            f"{model}: not the model that {path.name} describes, or a damaged copy of it (sha256 "
            f"{found[:12]}..., expected {manifest.sha256[:12]}...). Copy both files again, or "
            f"train again: {MADE_BY}"
        )
    return manifest
