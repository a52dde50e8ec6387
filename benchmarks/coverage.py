"""``python -m benchmarks.coverage [--quick]``: do 95% intervals cover, and how wide are they?

From each of five worlds whose values are known, 1,000 logs are drawn, and every method's interval
is compared with the value. The default interval must cover at least 94% in every world and be at
most 1.1 times as wide as the Cressie-Read interval of vw-estimators 0.2.2 that is given the true
largest weight. The anytime-valid one must be no wider than the betting interval of the research
that the four bandit worlds are from, and may miss the value at any time of a log in at most 5% of
logs (a binomial test at 1%). Asymptotic intervals are reported with what they cover, and with the
share of logs in which the diagnostics veto them.

Widths are of the part within 0 and 1. ``benchmarks/_coverage_regimes.py`` says how the worlds were
chosen.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy.stats import binom

from benchmarks._coverage_methods import (
    ANYTIME,
    ASYMPTOTIC,
    DEFAULT,
    VW,
    crossing,
    limits_of,
)
from benchmarks._coverage_regimes import REGIMES

LEAST_COVERAGE = 0.94
MOST_WIDTH = 1.1
MOST_CROSSING = 0.05
SEED = 20_000

BETTING_WIDTHS = (0.157, 0.496, 0.313, 0.857)
"""Mean widths of the betting mixture on w r and w (1 - r) in the four bandit worlds."""

LOGS, QUICK_LOGS = 1_000, 40
TIMES = 12
"""At which the anytime interval is looked at in each log, evenly by the logarithm of the rows."""


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """Of some logs of one regime: limits float64[methods, logs, 2], and what the logs say."""

    methods: tuple[str, ...]
    limits: np.ndarray
    values: np.ndarray
    rows: np.ndarray
    vetoed: np.ndarray
    crossed: np.ndarray


def work(task: tuple[str, Sequence[int], bool]) -> Drawn:
    """All intervals of the logs with these seeds."""
    name, seeds, looks = task
    regime = REGIMES[name]
    limits, values, rows, vetoed, crossed = [], [], [], [], []
    for seed in seeds:
        log = regime.draw(seed)
        found = limits_of(log, seed)
        limits.append([found.limits[method] for method in found.limits])
        values.append(log.value)
        rows.append(log.arrays.n)
        vetoed.append(found.vetoed)
        if looks:
            crossed.append(crossing(log, TIMES))
    methods = tuple(found.limits)
    return Drawn(
        methods,
        np.array(limits).transpose(1, 0, 2),
        *(np.array(each) for each in (values, rows, vetoed, crossed)),
    )


def together(parts: Sequence[Drawn]) -> Drawn:
    """Parts of one regime as a whole."""
    return Drawn(
        parts[0].methods,
        np.concatenate([part.limits for part in parts], axis=1),
        *(
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("values", "rows", "vetoed", "crossed")
        ),
    )


@dataclass(frozen=True, slots=True)
class Regime:
    """What came of one regime: coverage and mean width by method."""

    coverage: dict[str, float]
    width: dict[str, float]
    vetoed: float
    crossings: int
    looked_at: int

    @property
    def ratio(self) -> float:
        """Width of the default interval in widths of vw-estimators'."""
        return self.width[DEFAULT] / self.width[VW]

    @property
    def crosses(self) -> bool:
        """Whether more logs were crossed than chance allows at a rate of 5%."""
        return self.crossings > binom.ppf(0.99, self.looked_at, MOST_CROSSING)


def regime_of(drawn: Drawn) -> Regime:
    """The figures of one regime."""
    value = float((drawn.values * drawn.rows).sum() / drawn.rows.sum())
    lower, upper = drawn.limits[..., 0], drawn.limits[..., 1]
    held = ((lower <= value) & (value <= upper)).mean(axis=1)
    width = (upper - lower).mean(axis=1)
    return Regime(
        dict(zip(drawn.methods, held.tolist(), strict=True)),
        dict(zip(drawn.methods, width.tolist(), strict=True)),
        float(drawn.vetoed.mean()),
        int(drawn.crossed.sum()),
        len(drawn.crossed),
    )


def measure(logs: int, step: int) -> dict[str, Regime]:
    """Draw the logs of all regimes, on all cores."""
    tasks: list[tuple[str, Sequence[int], bool]] = []
    for name in REGIMES:
        for start in range(0, logs, step):
            seeds = range(SEED + start, SEED + min(start + step, logs))
            tasks.append((name, seeds, name != list(REGIMES)[-1]))
    # The slow ones first, so that no process is left with one at the end.
    tasks.reverse()
    with multiprocessing.Pool(os.cpu_count()) as pool:
        parts = pool.map(work, tasks, chunksize=1)
    return {
        name: regime_of(
            together([part for task, part in zip(tasks, parts, strict=True) if task[0] == name])
        )
        for name in REGIMES
    }


def print_table(console: Console, found: dict[str, Regime], logs: int) -> None:
    """Methods by regimes."""
    table = Table(title=f"95% intervals in {logs:,} logs per world: coverage / mean width")
    table.add_column("")
    for name in found:
        table.add_column(name, justify="right")
    for method in next(iter(found.values())).coverage:
        table.add_row(
            method,
            *(f"{each.coverage[method]:.1%} / {each.width[method]:.3f}" for each in found.values()),
        )
        if method == ASYMPTOTIC[-1]:
            table.add_row(
                "  these four are vetoed in", *(f"{each.vetoed:.1%}" for each in found.values())
            )
    table.add_section()
    table.add_row(
        "default / vw-estimators', widths", *(f"{each.ratio:.3f}" for each in found.values())
    )
    table.add_row(
        "anytime: logs that it ever misses",
        *(
            f"{each.crossings / each.looked_at:.1%}" if each.looked_at else ""
            for each in found.values()
        ),
    )
    console.print(table)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="40 logs per world instead of 1,000")
    options = parser.parse_args()
    logs = QUICK_LOGS if options.quick else LOGS
    console = Console(highlight=False, width=150)
    start = time.perf_counter()
    found = measure(logs, step=10)
    print_table(console, found, logs)
    console.print(f"{time.perf_counter() - start:.0f} seconds")
    least = min(each.coverage[DEFAULT] for each in found.values())
    most = max(each.ratio for each in found.values())
    bandits = list(found.values())[: len(BETTING_WIDTHS)]
    anytime = max(
        each.width[ANYTIME] / bar for each, bar in zip(bandits, BETTING_WIDTHS, strict=True)
    )
    crossings = max(each.crossings / each.looked_at for each in bandits)
    console.print(
        f"coverage: {least:.1%} at least, {most:.3f} of the width; anytime ever missed in "
        f"{crossings:.1%}, {anytime:.3f} of the width (bar {LEAST_COVERAGE:.0%}, {MOST_WIDTH}; "
        f"{MOST_CROSSING:.0%}, 1)",
        soft_wrap=True,
    )
    # Of few logs, one more or less is chance.
    enough = binom.ppf(0.01, logs, LEAST_COVERAGE) / logs if options.quick else LEAST_COVERAGE
    held = least >= enough and most <= MOST_WIDTH
    return 0 if held and anytime <= 1.0 and not any(each.crosses for each in bandits) else 1


if __name__ == "__main__":
    sys.exit(main())
