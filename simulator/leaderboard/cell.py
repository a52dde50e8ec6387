"""One cell of the leaderboard: a policy at a place with a seed, and the file of its result."""

from __future__ import annotations

import hashlib
import re
import time
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np

from authopt.errors import UserError
from authopt.policies.exploration_budget import BudgetReport
from authopt.policies.spec import FAMILIES, WRAPPERS
from authopt.whole_file import write_whole
from simulator.leaderboard.fingerprint import code_hash
from simulator.leaderboard.makers import MAKERS, make_policy
from simulator.leaderboard.places import place_named
from simulator.leaderboard.play import played
from simulator.leaderboard.tally import Blocks, tallied


@dataclass(frozen=True, slots=True, order=True)
class Cell:
    """A policy (spec) at a place, with so many payments, and the seed of the traffic."""

    place: str
    spec: str
    payments: int
    seed: int

    def path(self, folder: Path) -> Path:
        """The file of the result within a folder."""
        words = re.sub(r"[^a-z0-9]+", "-", self.spec.lower()).strip("-")[:40]
        mark = hashlib.sha256(self.spec.encode()).hexdigest()[:8]
        name = f"{words}-{mark}-{self.payments}-seed-{self.seed}.json"
        return folder / "cells" / self.place / name

    def fingerprint(self) -> str:
        """A hash of all that the result depends on: the cell, files that it names, and the code."""
        place = place_named(self.place)
        modules = {"simulator.leaderboard.play", "simulator.leaderboard.tally"}
        modules |= {place.module, *_modules(self.spec)}
        parts = [self.place, place.constants, self.spec, str(self.payments), str(self.seed)]
        parts += [_digest(path) for path in _files(self.spec)]
        parts.append(code_hash(tuple(sorted(modules))))
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()


class CellFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is known of a cell; ``blocks`` holds the columns of :class:`tally.Blocks` by name."""

    place: str
    spec: str
    payments: int
    seed: int
    fingerprint: str
    policy: str
    seconds: float
    blocks: dict[str, list[float]]
    reported: dict[str, float]
    version: Literal[1] = 1


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """What came out of a cell.

    Attributes
    ----------
    cell
        whose result it is.
    policy
        the policy's own name.
    seconds
        of the processor that the run took.
    blocks
        sums by block of payments.
    reported
        numbers that the policy gives of itself, by name.
    """

    cell: Cell
    policy: str
    seconds: float
    blocks: Blocks
    reported: dict[str, float]


def run_cell(cell: Cell) -> Result:
    """Play it.

    Raises
    ------
    UserError
        If the place is not known, or the spec not understood.
    """
    setting = place_named(cell.place).setting(cell.payments, cell.seed)
    policy = make_policy(cell.spec, setting)
    # Of the processor: the same whatever else the machine does.
    start = time.process_time()
    blocks = tallied(setting, played(setting, policy))
    seconds = time.process_time() - start
    return Result(cell, policy.name, seconds, blocks, reported_by(policy))


def reported_by(policy: object) -> dict[str, float]:
    """What a policy, or one that it wraps, reports of its exploration; empty where none does.

    ``lost_per_day`` is its budget in approvals, ``lost`` what it estimates to have spent.
    """
    while policy is not None:
        report = getattr(policy, "budget_report", None)
        if isinstance(report, BudgetReport):
            spent = sum(lost for _, _, lost in report.days)
            return {
                "lost_per_day": report.lost_per_day,
                "lost": spent,
                "over_days": float(report.over_days),
                "epsilon": report.epsilon,
            }
        policy = getattr(policy, "policy", None)
    return {}


def write_result(result: Result, folder: Path, fingerprint: str) -> None:
    """Keep a result, whole or not at all, with what it depends on (:meth:`Cell.fingerprint`).

    Raises
    ------
    UserError
        If the file cannot be written.
    """
    path = result.cell.path(folder)
    columns = {each.name: getattr(result.blocks, each.name).tolist() for each in fields(Blocks)}
    cell = result.cell
    kept = CellFile(
        cell.place, cell.spec, cell.payments, cell.seed, fingerprint, result.policy,
        result.seconds, columns, result.reported,
    )  # fmt: skip
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, msgspec.json.encode(kept) + b"\n")
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror}") from None


def read_result(cell: Cell, folder: Path, fingerprint: str) -> Result | None:
    """The result that a folder holds for a cell; None where there is none that fits.

    A file with another fingerprint, such as one of another version of the code, or one that is
    damaged, does not fit: the cell is to be run again.
    """
    try:
        kept = msgspec.json.decode(cell.path(folder).read_bytes(), type=CellFile)
        if kept.fingerprint != fingerprint:
            return None
        blocks = Blocks(**{name: np.array(column) for name, column in kept.blocks.items()})
    except (OSError, msgspec.DecodeError, TypeError):
        return None
    return Result(cell, kept.policy, kept.seconds, blocks, kept.reported)


def _modules(spec: str) -> set[str]:
    """The modules that the families and wrappers of a spec are in."""
    words = set(re.findall(r"[a-z][a-z-]*", spec))
    named = {**FAMILIES, **WRAPPERS, **MAKERS}
    return {named[word] for word in words if word in named}


def _files(spec: str) -> list[Path]:
    """The files that a spec names."""
    pieces = [Path(piece.strip()) for piece in re.split(r"[:,]", spec) if piece.strip()]
    return [path for path in pieces if path.is_file()]


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
