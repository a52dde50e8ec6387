"""``python -m benchmarks.payments_vs_trajectory [--quick]``: sequential doubly robust against IPS.

Many logs of the simulator's payments, retries included, are made by one policy and judged for
others. The truth is that of the other policies' own payments, many times as many. Every estimator's
error per log is added up; the bar is on the mean squared error of sequential doubly robust divided
by that of trajectory IPS (whole payments weighted by the product of their weights), for the policy
where it is worst.

The logging policy spreads three tenths of the traffic evenly. With the tenth that is the
simulator's default, one or two payments of a huge weight make nearly all of the squared error of a
hundred logs, and ratios of a quarter and of more than two were seen: such errors cannot be
compared.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from authopt.batch import LoggedBatch
from authopt.evaluation.blocks import block_of
from authopt.evaluation.payments.rows import PaymentSums, stopping_mass
from authopt.evaluation.payments.summary import payment_result
from authopt.evaluation.settings import Settings
from authopt.evaluation.terms import terms_of
from authopt.learning.reward_model import fit_reward_model
from authopt.policies.protocol import Policy
from authopt.policies.spec import load_policy
from authopt.rewards import DEFAULT_REWARD
from simulator.logging_policy import DEFAULT_ORDER, MerchantRouter
from simulator.simulate import simulate
from simulator.small.world import SmallWorld, small_world
from simulator.traffic import Traffic
from simulator.truth import TrueValue, true_value

BAR = 0.5
EXPLORATION = 0.3
ROUTES = "atlas,borealis,cordillera,delta,everywhere"
POLICIES = (
    "uniform",
    f"priority:routes={ROUTES},epsilon=0.5",
    f"priority:routes={ROUTES},epsilon=0.2",
)
PAYMENTS = 5_000

TRUE_PAYMENTS = 1_000_000
JUDGED, YARDSTICK = "dr", "ips"

Values = dict[str, float]


def estimates(log: Sequence[LoggedBatch], policies: Sequence[Policy]) -> list[Values]:
    """The value per payment by every estimator, of every policy."""
    model = fit_reward_model(log)
    sums = [PaymentSums() for _ in policies]
    for batch in log:
        block = block_of(
            batch,
            Counter(),
            reward=DEFAULT_REWARD,
            reward_model=model,
            cluster="payment_id",
            path=None,
        )
        assert block is not None
        for policy, each in zip(policies, sums, strict=True):
            probabilities = policy.probabilities(batch.decisions())
            terms = terms_of(block.arrays, probabilities)
            each.add(block, replace(terms, stopping=stopping_mass(batch, probabilities)))
    return [
        {each.estimator: each.value or 0.0 for each in result.value.estimates}
        for result in (payment_result(each, Settings(bootstrap=0)) for each in sums)
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="30 logs instead of 100")
    options = parser.parse_args()
    return compare(logs=30 if options.quick else 100)


def compare(logs: int) -> int:
    """Judge the policies on the logs, print the tables and the verdict, return the exit status."""
    console = Console(highlight=False)
    notes = Console(stderr=True)
    world = small_world()
    policies = [load_policy(spec) for spec in POLICIES]
    found: list[list[Values]] = [[] for _ in policies]
    for seed in track(range(1, logs + 1), "judging logs", console=notes, transient=True):
        log = list(
            simulate(
                world, Traffic(PAYMENTS, seed=seed), MerchantRouter(DEFAULT_ORDER, EXPLORATION)
            )
        )
        for values, each in zip(found, estimates(log, policies), strict=True):
            values.append(each)
    ratios = []
    for spec, policy, values in zip(POLICIES, policies, found, strict=True):
        ratios.append(_print(console, spec, _truth(world, policy), values))
    ratio = max(ratios)
    console.print(f"payments_vs_trajectory: {ratio:.2f} (bar {BAR})", soft_wrap=True)
    return 0 if ratio <= BAR else 1


def _truth(world: SmallWorld, policy: Policy) -> TrueValue:
    return true_value(world, policy, Traffic(TRUE_PAYMENTS, seed=0))


def _print(console: Console, spec: str, truth: TrueValue, values: list[Values]) -> float:
    table = Table(
        title=f"{spec}: {truth.per_payment:.2%} ± {truth.per_payment_se:.2%} of payments paid; "
        f"{len(values)} logs of {PAYMENTS:,} payments"
    )
    for heading in (
        "",
        "bias",
        "standard deviation",
        "root mean squared error",
        "squared, of IPS's",
    ):
        table.add_column(heading, justify="right" if heading else "left")
    errors = {
        name: np.array([each[name] for each in values]) - truth.per_payment for name in values[0]
    }
    squared = {name: float((error**2).mean()) for name, error in errors.items()}
    for name, error in errors.items():
        share = squared[name] / squared[YARDSTICK]
        table.add_row(
            name,
            f"{error.mean():+.3%}",
            f"{error.std():.3%}",
            f"{squared[name] ** 0.5:.3%}",
            f"{share:.2f}",
        )
    console.print(table)
    return squared[JUDGED] / squared[YARDSTICK]


if __name__ == "__main__":
    sys.exit(main())
