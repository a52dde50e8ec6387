"""``python -m benchmarks.experiments [--quick]``: experiments that are looked at all the time.

A/A: both arms are the same, and the limits of their difference are looked at after every batch;
how often they exclude 0 at any look is held against 5%. Beside them the usual test at 5%, looked at
as often. A/B: payments until a difference is found, beside the test with one look at a number of
payments that was fixed beforehand for a power of 80%.
"""

from __future__ import annotations

import argparse
import sys
import time

import numpy as np
from rich.console import Console
from rich.table import Table

from authopt.experiments.planning import plan
from benchmarks._experiment_runs import NEVER, Setting, cards, decided, excluded, fees

BAR = 0.05
RUNS = 1_000

EQUAL = (
    Setting(rate=0.9, effect=0.0, share=0.5, batch=500, looks=200),
    Setting(rate=0.9, effect=0.0, share=0.05, batch=500, looks=200),
    Setting(rate=0.5, effect=0.0, share=0.5, batch=500, looks=200),
    Setting(rate=0.99, effect=0.0, share=0.5, batch=500, looks=200),
)
DIFFERENT = ((0.9, 0.02, 0.5), (0.9, 0.01, 0.5), (0.9, -0.02, 0.05), (0.6, 0.02, 0.5))
"""Rate, effect, share of the second arm."""

LOOKS_BEFORE = 50
"""Looks until the fixed test's payments are reached."""

LONGER = 6
"""Times the fixed test's payments, until which an experiment goes on."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer experiments")
    quick = parser.parse_args().quick
    started = time.process_time()
    screen = Console(width=110, highlight=False)
    worst = equal_arms(screen, runs_one_by_one=100 if quick else RUNS)
    different_arms(screen)
    screen.print(f"{time.process_time() - started:.0f} s of one core")
    print(f"experiments: {worst:.1%} of A/A experiments told apart at worst (bar {BAR:.0%})")
    return 0 if worst <= BAR else 1


def equal_arms(screen: Console, runs_one_by_one: int) -> float:
    """The largest share of false positives."""
    table = Table(title="A/A: arms that are the same, told apart at some look")
    for name in ("values", "second arm", "experiments", "looks", "limits", "usual test"):
        table.add_column(name, justify="left" if name == "values" else "right")
    shares = []
    for number, each in enumerate(EQUAL):
        found = decided(each, RUNS, seed=number)
        shares.append(float((found.payments < NEVER).mean()))
        table.add_row(
            f"paid, {each.rate:.0%}",
            f"{each.share:.0%}",
            f"{RUNS:,}",
            f"{each.looks:,}",
            f"{shares[-1]:.1%}",
            f"{found.fixed.any(axis=0).mean():.1%}",
        )
    for name, start in (("paid, by card", cards(500)), ("fees", fees(500))):
        shares.append(excluded(start, 40, runs_one_by_one, seed=7) / runs_one_by_one)
        table.add_row(name, "50%", f"{runs_one_by_one:,}", "40", f"{shares[-1]:.1%}", "")
    screen.print(table)
    return max(shares)


def different_arms(screen: Console) -> None:
    """Print how long it takes to find a difference."""
    table = Table(title="A/B: payments until a difference is found")
    for name in (
        "rate",
        "effect",
        "second arm",
        "fixed test",
        "its power",
        "median",
        "mean",
        "80%",
        "found by the fixed test's end",
        "in the end",
        "wrong sign",
    ):
        table.add_column(name, justify="right")
    for number, (rate, effect, share) in enumerate(DIFFERENT):
        planned = plan(
            mean=rate,
            variance=rate * (1.0 - rate),
            payments_per_day=1.0,
            effect=abs(effect),
            of_arm=share,
        )
        batch = max(planned.fixed // LOOKS_BEFORE, 200)
        looks = LONGER * planned.fixed // batch
        found = decided(
            Setting(rate, effect, share, batch, looks, planned.sequential_median),
            RUNS,
            seed=100 + number,
        )
        last = min(round(planned.fixed / batch), looks) - 1
        ended = np.minimum(found.payments, batch * looks)
        table.add_row(
            f"{rate:.0%}",
            f"{effect:+.1%}",
            f"{share:.0%}",
            f"{planned.fixed:,}",
            f"{found.fixed[last].mean():.0%}",
            *(f"{each:,.0f}" for each in (np.median(ended), ended.mean(), np.quantile(ended, 0.8))),
            f"{(found.payments <= planned.fixed).mean():.0%}",
            f"{(found.payments < NEVER).mean():.1%}",
            f"{(found.sign == -np.sign(effect)).mean():.1%}",
        )
    screen.print(table)


if __name__ == "__main__":
    sys.exit(main())
