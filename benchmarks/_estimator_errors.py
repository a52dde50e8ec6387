"""Errors of every estimator in many logs of every case."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from authopt.evaluation import intervals
from authopt.evaluation.buckets import BucketTable
from authopt.evaluation.columns import Columns
from authopt.evaluation.estimator import Estimator, Family
from authopt.evaluation.estimators import ESTIMATORS, available
from authopt.evaluation.selection import Facts, Method, settle
from authopt.evaluation.terms import terms_of
from benchmarks._estimator_cases import OWN_WORLD, ROWS, Case, Log, logs_of, worlds

SEED = 30_000
STEP = 5

COMPARED = available(ESTIMATORS, True)
_COLUMNS = tuple(
    dict.fromkeys(["one", "r", "w", "w*w", *(name for each in COMPARED for name in each.columns)])
)


def name_of(estimator: Estimator | Family, method: Method) -> str:
    """Name of a choice: of a family, with the way its member is chosen."""
    return f"{estimator.name} by {method}" if isinstance(estimator, Family) else estimator.name


CHOICES = tuple(dict.fromkeys(name_of(each, method) for each in COMPARED for method in Method))
WITHOUT_MODEL = frozenset(
    name_of(each, method) for each in COMPARED if not each.needs_model for method in Method
)


@dataclass(frozen=True, slots=True, eq=False)
class Errors:
    """Of some logs of a case: errors of the value and of the gain, float64[2, logs, choices]."""

    errors: np.ndarray
    unanswered: np.ndarray

    @property
    def rmse(self) -> np.ndarray:
        """float64[2, choices]."""
        return np.asarray(np.sqrt((self.errors**2).mean(1)))

    @property
    def bias(self) -> np.ndarray:
        """float64[2, choices]."""
        return np.asarray(self.errors.mean(1))

    @property
    def deviation(self) -> np.ndarray:
        """float64[2, choices], the standard deviation."""
        return np.asarray(self.errors.std(1))


def estimates_of(log: Log) -> np.ndarray:
    """float64[choices], NaN where there is no answer."""
    terms = terms_of(log.arrays, log.evaluation)
    columns = Columns(terms)
    table = BucketTable.of(log.bucket, {name: columns[name] for name in _COLUMNS})
    facts = Facts(columns.largest_weight, 0.0, 1.0, terms.q_low, terms.q_high)
    found: dict[str, float | None] = {}
    for method in Method:
        settled, _ = settle(table, COMPARED, method, facts=facts)
        for each, chosen in zip(COMPARED, settled, strict=True):
            name = name_of(each, method)
            if name not in found:
                quantity = [intervals.Ratio(*ratio) for ratio in chosen.ratios]
                found[name] = intervals.estimate(table, quantity)
    return np.array([found[name] for name in CHOICES], np.float64)


Task = tuple[str, str, int, Sequence[int]]


def work(task: Task) -> dict[Case, Errors]:
    """Errors in the logs of one world and size with these seeds."""
    world, what, rows, seeds = task
    errors: dict[Case, list[np.ndarray]] = {}
    unanswered: dict[Case, list[np.ndarray]] = {}
    for seed in seeds:
        for case, log in logs_of(world, what, rows, seed):
            found, mean = estimates_of(log), float(log.arrays.reward.mean())
            missing = np.isnan(found)
            value = np.where(missing, mean, found) - log.value
            errors.setdefault(case, []).append(
                np.stack([value, value - (mean - log.logging_value)])
            )
            unanswered.setdefault(case, []).append(missing)
    return {
        case: Errors(np.stack(each, axis=1), np.stack(unanswered[case]))
        for case, each in errors.items()
    }


def measure(logs: Mapping[int, int], own_logs: Mapping[int, int]) -> dict[Case, Errors]:
    """Errors of all cases, on all cores."""
    tasks: list[Task] = []
    # The slow ones first, so that no process is left with one at the end.
    for rows in reversed(ROWS):
        for world, what in reversed(worlds()):
            wanted = (own_logs if world == OWN_WORLD else logs)[rows]
            for start in range(0, wanted, STEP):
                seeds = range(SEED + start, SEED + min(start + STEP, wanted))
                tasks.append((world, what, rows, seeds))
    with multiprocessing.Pool(os.cpu_count()) as pool:
        parts = pool.map(work, tasks, chunksize=1)
    found: dict[Case, list[Errors]] = {}
    for part in parts:
        for case, errors in part.items():
            found.setdefault(case, []).append(errors)
    return {
        case: Errors(
            np.concatenate([each.errors for each in errors], axis=1),
            np.concatenate([each.unanswered for each in errors]),
        )
        for case, errors in found.items()
    }
