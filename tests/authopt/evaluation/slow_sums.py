"""Sums that take their time, for tests that interrupt them: ``python -m`` adds up 40 spans."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from authopt.errors import UserError
from authopt.evaluation.parallel import add_up
from authopt.evaluation.sums_file import Checkpoint

SPANS = tuple(range(40))


@dataclass(frozen=True, slots=True, eq=False)
class Total:
    """Floats whose sum depends on the order in the last bit, and the spans in it."""

    value: npt.NDArray[np.float64]
    spans: npt.NDArray[np.int64]

    def __add__(self, other: Total) -> Total:
        return Total(self.value + other.value, np.concatenate([self.spans, other.spans]))

    def state(self) -> dict[str, npt.NDArray[Any]]:
        return {"value": self.value, "spans": self.spans}

    @classmethod
    def from_state(cls, state: Mapping[str, npt.NDArray[Any]]) -> Self:
        return cls(state["value"], state["spans"])


def total_of(span: int) -> Total:
    rng = np.random.default_rng(span)
    return Total(rng.normal(size=5) * 10.0 ** rng.integers(-8, 8, 5), np.array([span]))


def slowly(folder: Path, seconds: float, span: int) -> Total:
    """The total of a span, after a while; leaves the number of its process in the folder."""
    (folder / f"{os.getpid()}.process").touch()
    time.sleep(seconds)
    return total_of(span)


def failing(at: int, span: int) -> Total:
    if span >= at:
        raise UserError(f"span {span} is damaged")
    return total_of(span)


def dying(at: int, span: int) -> Total:
    if span == at:
        os.kill(os.getpid(), signal.SIGKILL)
    return total_of(span)


def given(sums_of: Callable[[int], Total]) -> Callable[[int], Total]:
    """Prepares nothing."""
    return sums_of


def checkpoint(path: Path, **fingerprint: str) -> Checkpoint[Total]:
    return Checkpoint(path, fingerprint, Total.from_state)


def main(folder: Path, workers: int, seconds: float) -> None:
    """Add up the spans slowly, with a checkpoint in the folder."""
    add_up(
        SPANS,
        partial(given, partial(slowly, folder, seconds)),
        workers=workers,
        checkpoint=checkpoint(folder / "sums.npz"),
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))
