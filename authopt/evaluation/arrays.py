"""Evaluation of plain NumPy arrays, for notebooks and for data that is not an attempt log."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from authopt.batch import FloatArray
from authopt.errors import UserError
from authopt.evaluation.block import Block
from authopt.evaluation.buckets import bucket_of, integer_hashes
from authopt.evaluation.freed_memory import keep_freed_memory
from authopt.evaluation.judged import Named
from authopt.evaluation.logged_arrays import LoggedArrays
from authopt.evaluation.result import Evaluation
from authopt.evaluation.settings import Settings
from authopt.evaluation.summary import summarise
from authopt.evaluation.sums import EvaluationSums
from authopt.evaluation.terms import BadProbabilities, check_probabilities, logging_terms, terms_of
from authopt.evaluation.wanted import Wanted

CHUNK = 16_384
"""Decisions at a time: with 8 actions, an array over the actions is 1 MB and stays in cache."""

Array = npt.NDArray[np.generic]


def evaluate_arrays(
    *,
    chosen: Array,
    reward: Array,
    evaluation: Mapping[str, Array],
    logging: Array | None = None,
    propensity: Array | None = None,
    q: Array | None = None,
    offsets: Array | None = None,
    cluster: npt.NDArray[np.integer] | None = None,
    reward_bounds: tuple[float, float] = (0.0, 1.0),
    confidence: float = 0.95,
    bootstrap: int = 1000,
    max_weight: float | None = None,
    anytime: bool = True,
    likelihood: bool = True,
    seed: int = 0,
) -> Evaluation:
    """Judge policies by arrays of logged decisions.

    Arrays over actions are float[n, K] where all n decisions have the same K actions, else
    float[m] with ``offsets``. Nothing is copied as a whole: the arrays are gone through in chunks.

    Parameters
    ----------
    chosen
        int[n], position of the logged action among its decision's actions.
    reward
        float[n], finite and within ``reward_bounds``.
    evaluation
        by name of the policy: the probability of every action.
    logging
        the logging policy's probability of every action.
    propensity
        float[n], its probability of the logged action; by default taken from ``logging``. One of
        the two is needed.
    q
        predicted reward of every action; without it there is no DM and no DR.
    offsets
        int[n + 1]: the actions of decision ``i`` are ``offsets[i]:offsets[i + 1]``.
    cluster
        int[n], rows with the same number are not independent; by default every row is.
    anytime, likelihood
        whether to make the anytime-valid intervals and those by empirical likelihood; they take
        longer than all others. In the former ``q`` takes part: it must not have been learnt from
        these rows or later ones.
    reward_bounds, confidence, bootstrap, max_weight, seed
        as in :func:`authopt.evaluation.engine.evaluate`.

    Raises
    ------
    UserError
        If arrays do not fit together or hold impossible values.
    """
    n = len(reward)
    if logging is None and propensity is None:
        raise UserError("give the logging policy's probabilities (logging) or its propensity")
    over_actions = [*evaluation.values(), *([] if logging is None else [logging])]
    over_actions += [] if q is None else [q]
    bounds = _offsets(n, over_actions, offsets)
    m = int(bounds[-1])
    for name, array in (
        ("chosen", chosen),
        ("propensity", propensity),
        ("cluster", cluster),
    ):
        if array is not None and len(array) != n:
            raise UserError(f"array {name!r} has {len(array)} rows; 'reward' has {n}")
    settings = Settings(
        reward_low=reward_bounds[0],
        reward_high=reward_bounds[1],
        cluster="row" if cluster is None else "cluster",
        confidence=confidence,
        bootstrap=bootstrap,
        max_weight=max_weight,
        seed=seed,
        reward_model=None if q is None else "given",
    )
    flat = {name: _flat(array, m, name) for name, array in evaluation.items()}
    logging_flat = None if logging is None else _flat(logging, m, "logging")
    q_flat = None if q is None else _flat(q, m, "q")
    keep_freed_memory()
    wanted = Wanted(
        model=q is not None,
        reward_low=reward_bounds[0],
        reward_high=reward_bounds[1],
        anytime=anytime,
        model_bets=True,
        likelihood=likelihood,
    )
    sums = EvaluationSums.empty(len(evaluation), wanted)
    for start in range(0, n, CHUNK):
        rows = slice(start, min(start + CHUNK, n))
        actions = slice(int(bounds[rows.start]), int(bounds[rows.stop]))
        part = _part(bounds, rows, actions, chosen, reward, propensity, logging_flat, q_flat)
        _check(part, start, reward_bounds)
        _check_actions(part, start)
        rank = np.arange(rows.start, rows.stop, dtype=np.int64)
        hashes = integer_hashes(rank if cluster is None else cluster[rows])
        block = Block(arrays=part, hashes=hashes, bucket=bucket_of(hashes), own=logging_terms(part))
        terms, given = [], [_floats(array[actions]) for array in flat.values()]
        for name, probabilities in zip(flat, given, strict=True):
            try:
                terms.append(terms_of(part, probabilities))
            except BadProbabilities as error:
                row = None if error.decision is None else str(start + error.decision)
                raise error.as_user_error(name, row) from error
        sums.add(block, terms, given)
    return summarise(sums, [Named(name, name) for name in evaluation], settings)


def _part(
    bounds: npt.NDArray[np.int64],
    rows: slice,
    actions: slice,
    chosen: Array,
    reward: Array,
    propensity: Array | None,
    logging: Array | None,
    q: Array | None,
) -> LoggedArrays:
    offsets = bounds[rows.start : rows.stop + 1] - bounds[rows.start]
    taken = chosen[rows].astype(np.int64)
    outside = np.flatnonzero((taken < 0) | (taken >= np.diff(offsets)))
    if len(outside):
        raise UserError(
            f"row {rows.start + int(outside[0])}: the logged action {taken[outside[0]]} is not "
            "among its decision's actions"
        )
    probability = None if logging is None else _floats(logging[actions])
    known = None if propensity is None else _floats(propensity[rows])
    if known is None:
        assert probability is not None
        known = probability[offsets[:-1] + taken]
    return LoggedArrays(
        offsets=offsets,
        chosen=taken,
        reward=_floats(reward[rows]),
        propensity=known,
        probability=probability,
        q=None if q is None else _floats(q[actions]),
    )


def _check(part: LoggedArrays, start: int, reward_bounds: tuple[float, float]) -> None:
    low, high = reward_bounds
    reward, propensity = part.reward, part.propensity
    for name, array, sound, expected in (
        ("reward", reward, (reward >= low) & (reward <= high), f"{low:g} to {high:g}"),
        ("propensity", propensity, (propensity > 0.0) & (propensity <= 1.0), "above 0, at most 1"),
    ):
        wrong = np.flatnonzero(~sound)
        if len(wrong):
            row = int(wrong[0])
            raise UserError(f"row {start + row}: {name} is {array[row]:g}; expected {expected}")


def _check_actions(part: LoggedArrays, start: int) -> None:
    if part.probability is not None:
        try:
            check_probabilities(part, part.probability)
        except BadProbabilities as error:
            row = None if error.decision is None else str(start + error.decision)
            raise error.as_user_error("logging", row) from error
    if part.q is not None and not np.isfinite(part.q).all():
        action = int(np.flatnonzero(~np.isfinite(part.q))[0])
        row = str(start + int(np.searchsorted(part.offsets, action, side="right")) - 1)
        raise UserError(f"row {row}: q is {part.q[action]:g}; expected finite predictions")


def _offsets(n: int, arrays: list[Array], offsets: Array | None) -> npt.NDArray[np.int64]:
    if offsets is not None:
        bounds = offsets.astype(np.int64)
        if len(bounds) != n + 1 or bounds[0] != 0 or (n and int(np.diff(bounds).min()) < 1):
            raise UserError(f"offsets must rise from 0 in {n} steps of at least 1")
        return bounds
    widths = {array.shape[1] for array in arrays if array.ndim == 2}
    tables = all(array.ndim == 2 and len(array) == n for array in arrays)
    if not tables or len(widths) != 1 or 0 in widths:
        shapes = ", ".join(str(array.shape) for array in arrays)
        raise UserError(
            f"arrays over actions have shapes {shapes}; expected ({n}, K) for all, or flat arrays "
            "with offsets"
        )
    width: int = widths.pop()
    return np.arange(0, (n + 1) * width, width, dtype=np.int64)


def _flat(array: Array, m: int, name: str) -> Array:
    if array.size != m:
        raise UserError(f"array {name!r} has {array.size} actions; expected {m}")
    return array.reshape(m)


def _floats(array: Array) -> FloatArray:
    return np.ascontiguousarray(array, np.float64)
