"""``python -m benchmarks.evaluate_vs_obp [--quick]``: time and added memory against obp.

Both judge the same policy on the same arrays in memory, by every estimator that both have, each
with a 95% interval: IPS, SNIPS, DM, DR and self-normalised DR; and, each with its hyperparameter
chosen by SLOPE from the same grid, clipped IPS, sub-Gaussian IPS and DR, Switch-DR and DR with
optimistic shrinkage. obp resamples rows 100 times for its interval; authopt draws 1,000 replicates,
and gives the covering interval, the normal one, the jackknife, the paired gains and the diagnostics
too. Each runs in a process of its own, after a warm-up on a few rows.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks._measure import MEBIBYTE, measure, measured_process, print_cost

FASTER = 30.0
MEMORY = 0.1
ACTIONS = 8
OBP_REPLICATES, OUR_REPLICATES = 100, 1000

Arrays = dict[str, np.ndarray]
Estimates = dict[str, tuple[float, float | None]]

PLAIN = {
    "ips": ("InverseProbabilityWeighting", "log"),
    "snips": ("SelfNormalizedInverseProbabilityWeighting", "log"),
    "dm": ("DirectMethod", "model"),
    "dr": ("DoublyRobust", "log and model"),
    "sndr": ("SelfNormalizedDoublyRobust", "log and model"),
}
"""By authopt's name of an estimator: obp's class and what it takes."""

TUNED = {
    "clipped-ips": ("InverseProbabilityWeighting", "log"),
    "sg-ips": ("SubGaussianInverseProbabilityWeighting", "log"),
    "sg-dr": ("SubGaussianDoublyRobust", "log and model"),
    "switch-dr": ("SwitchDoublyRobust", "log and model"),
    "dr-os": ("DoublyRobustWithShrinkage", "log and model"),
}
"""The same of those whose hyperparameter is chosen from a grid; obp's classes end in Tuning."""


def draw(n: int, seed: int = 0) -> Arrays:
    """A log of n decisions with 8 actions: probabilities of both policies, predictions, rewards."""
    rng = np.random.default_rng(seed)
    logging = 0.9 * rng.dirichlet(np.ones(ACTIONS), n) + 0.1 / ACTIONS
    chosen = (rng.random(n)[:, None] > logging.cumsum(1)).sum(1).clip(0, ACTIONS - 1)
    q = rng.uniform(0.7, 0.95, (n, ACTIONS))
    return {
        "logging": logging,
        "evaluation": rng.dirichlet(np.ones(ACTIONS), n),
        "chosen": chosen,
        "reward": (rng.random(n) < q[np.arange(n), chosen]).astype(np.float64),
        "q": q,
    }


def with_authopt(arrays: Arrays) -> Estimates:
    """Estimates by authopt, and the parameters that it chose."""
    from authopt.evaluation.arrays import evaluate_arrays

    policy = arrays["evaluation"]
    others: dict[str, Any] = {name: array for name, array in arrays.items() if name != "evaluation"}
    result = evaluate_arrays(**others, evaluation={"new": policy}, bootstrap=OUR_REPLICATES)
    return {
        each.estimator: (each.value or 0.0, each.parameter)
        for each in result.policy("new").estimates
        if each.estimator in (*PLAIN, *TUNED)
    }


def with_obp(arrays: Arrays) -> Estimates:
    """Estimates by obp, and the parameters that it chose."""
    from authopt.evaluation.estimator import Family
    from authopt.evaluation.estimators import ESTIMATORS
    from tests.obp_oracle import module

    grids = {
        family.name: [float(member.parameter or 0.0) for member in family.members]
        for family in ESTIMATORS
        if isinstance(family, Family)
    }
    interval = {"alpha": 0.05, "n_bootstrap_samples": OBP_REPLICATES, "random_state": 0}
    values: Estimates = {}
    for name, (kind, wanted) in PLAIN.items():
        estimator, given = getattr(module("estimators"), kind)(), obp_inputs(arrays, wanted)
        values[name] = (float(estimator.estimate_policy_value(**given)), None)
        estimator.estimate_interval(**given, **interval)
    for name, (kind, wanted) in TUNED.items():
        tuned = getattr(module("estimators_tuning"), kind + "Tuning")
        estimator, given = tuned(lambdas=grids[name]), obp_inputs(arrays, wanted)
        value = float(estimator.estimate_policy_value_with_tuning(**given))
        values[name] = (value, estimator.best_hyperparam)
        estimator.estimate_interval_with_tuning(**given, **interval)
    return values


def furthest_apart(arrays: Arrays) -> float:
    """Largest difference between the estimates of both, at the parameters that authopt chose."""
    from tests.obp_oracle import module

    furthest = 0.0
    for name, (value, parameter) in with_authopt(arrays).items():
        kind, wanted = (PLAIN | TUNED)[name]
        made = getattr(module("estimators"), kind)
        estimator = made() if parameter is None else made(lambda_=parameter)
        theirs = float(estimator.estimate_policy_value(**obp_inputs(arrays, wanted)))
        furthest = max(furthest, abs(value - theirs))
    return furthest


def obp_inputs(arrays: Arrays, wanted: str) -> Arrays:
    """What an estimator of obp takes: the log, the policy, the model's predictions."""
    chosen = arrays["chosen"]
    given: Arrays = {"action_dist": arrays["evaluation"][:, :, None]}
    if "log" in wanted:
        given["reward"], given["action"] = arrays["reward"], chosen
        given["pscore"] = arrays["logging"][np.arange(len(chosen)), chosen]
        # Without it, the tuning of sub-Gaussian DR fails on the shapes of its own arrays.
        given["position"] = np.zeros(len(chosen), np.int64)
    if "model" in wanted:
        given["estimated_rewards_by_reg_model"] = arrays["q"][:, :, None]
    return given


SIDES: dict[str, Callable[[Arrays], Estimates]] = {"authopt": with_authopt, "obp": with_obp}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one run each instead of three")
    parser.add_argument("--side", choices=sorted(SIDES), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--runs", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        run_side(SIDES[options.side], options.folder, options.runs)
        return 0
    return compare(n=1_000_000, runs=1 if options.quick else 3)


def run_side(work: Callable[[Arrays], object], folder: Path, runs: int) -> None:
    """Measure one side on the arrays in a folder."""
    work(draw(64))
    arrays = {path.stem: np.load(path) for path in sorted(folder.glob("*.npy"))}
    print_cost(measure(lambda: work(arrays), runs))


def compare(n: int, runs: int) -> int:
    """Measure both sides, print the table and the verdict, return the exit status."""
    console = Console(highlight=False)
    arrays = draw(n)
    small = {name: array[:20_000] for name, array in arrays.items()}
    furthest = furthest_apart(small)
    if furthest > 1e-9:
        console.print(f"the estimates differ by up to {furthest:.2g}: this compares nothing")
        return 1
    with tempfile.TemporaryDirectory() as folder:
        for name, array in arrays.items():
            np.save(Path(folder) / f"{name}.npy", array)
        del arrays, small
        costs = {
            side: measured_process(
                "benchmarks.evaluate_vs_obp",
                f"--side={side}",
                f"--folder={folder}",
                f"--runs={runs}",
            )
            for side in SIDES
        }
    names = len(PLAIN) + len(TUNED)
    table = Table(title=f"{n:,} decisions x {ACTIONS} actions: {names} estimators with intervals")
    for heading in ("", "replicates", "seconds", "added memory, MiB"):
        table.add_column(heading, justify="right" if heading else "left")
    for side, replicates in (("authopt", OUR_REPLICATES), ("obp", OBP_REPLICATES)):
        cost = costs[side]
        memory = f"{cost.added_bytes / MEBIBYTE:.1f}"
        table.add_row(side, f"{replicates:,}", f"{cost.seconds:.3f}", memory)
    console.print(table)
    console.print(f"estimates agree to {furthest:.1g}")
    faster = costs["obp"].seconds / costs["authopt"].seconds
    share = costs["authopt"].added_bytes / max(costs["obp"].added_bytes, 1)
    console.print(
        f"evaluate_vs_obp: {faster:.1f}x faster, {share:.3f} of the memory "
        f"(bar {FASTER:.0f}x faster, 1/10 memory)",
        soft_wrap=True,
    )
    return 0 if faster >= FASTER and share <= MEMORY else 1


if __name__ == "__main__":
    sys.exit(main())
