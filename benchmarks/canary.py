"""``python -m benchmarks.canary [--quick]``: harm at 5% of the traffic is found, and nothing else.

In each world the live policy takes the best action of the moment, with 5% of exploration. The
harmful canary gives payments up, or takes the worst action, in a share of decisions that makes its
true value 2 points lower, in payments paid; that share is searched for by ``simulator.truth``, and
checked on payments of another seed. The harmless canary is the live policy itself, so that every
rollback is a false alarm.

A run is a stream of payments of which 5% go to the canary. It is judged after every thousand, by
:func:`authopt.rollout.canary.judge_canary`'s test of harm and that of the arms' sizes, until it is
rolled back or 200,000 payments are through. Simulating 1,000 such streams would take days: every
policy meets the same pool of payments in the simulator once, and the payments of a run are drawn
from the pool with replacement, each with the outcome of the arm that it falls to. What is expected
of a payment is the rate of its issuer and currency among payments of another seed, from before.

Lost are payments that the canary's share lost by the true difference, until it was rolled back.

Bars, in every world: the harmful canary is rolled back in at least 95% of runs, the harmless one in
at most 5%.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table

from authopt.batch import BoolArray, Categorical, DecisionBatch, FloatArray, IntArray, LoggedBatch
from authopt.experiments.sample_ratio import log_bayes_factor
from authopt.hashing import hash_text
from authopt.policies.mixed import Mixed
from authopt.policies.priority import first_of_each
from authopt.policies.protocol import Policy
from authopt.rollout.canary import DEFAULT_RULES, CanaryState, judge_canary
from authopt.rollout.expected import expected_rates
from authopt.rollout.harm import NOTHING_EXPECTED, Tallies, log_wealth_along
from simulator.protocol import World
from simulator.simulate import simulate
from simulator.traffic import Traffic
from simulator.truth import OraclePolicy, true_value
from simulator.worlds import named_world

SHARE = 0.05
WORSE = 0.02
EXPLORATION = 0.05
FOUND_BAR, FALSE_BAR = 0.95, 0.05
LONGEST = 200_000
LOOK = 1_000


@dataclass(frozen=True, slots=True)
class Spoiled:
    """A policy that, in some share of decisions, gives the payment up or takes the worst action."""

    policy: Policy
    world: World
    spoiled: float
    name: str = "spoiled"

    def probabilities(self, batch: DecisionBatch) -> FloatArray:
        """float64[m]."""
        chance = np.where(batch.is_stop, -1.0, self.world.approval_probability(batch))
        own = self.policy.probabilities(batch)
        return (1.0 - self.spoiled) * own + self.spoiled * first_of_each(batch, chance)


@dataclass(frozen=True, slots=True, eq=False)
class Pool:
    """n payments: the stratum of each (int64[n]) and whether it is paid (int64[n])."""

    stratum: IntArray
    paid: IntArray


@dataclass(frozen=True, slots=True, eq=False)
class Canary:
    """A canary, its live policy, and the true difference between them."""

    live: Pool
    canary: Pool
    expected: FloatArray
    difference: float


@dataclass(frozen=True, slots=True)
class Run:
    """How a run ended: payments until the rollback (None: there was none), and what for."""

    payments: int | None
    lost: float


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="200 runs in the small world")
    options = parser.parse_args()
    worlds, runs, payments = (
        (("small",), 200, 50_000) if options.quick else (("small", "cards"), 1_000, 200_000)
    )
    out = Console(width=110)
    table = Table(
        title=f"{runs} runs of up to {LONGEST:,} payments, {SHARE:.0%} of them the canary's"
    )
    for column in ("world", "canary", "what is expected", "difference", "rolled back"):
        table.add_column(column)
    table.add_column("payments until then\n(median, 95%)", justify="right")
    table.add_column("lost until then\n(median, 95%)", justify="right")
    found: list[float] = []
    false: list[float] = []
    for name in worlds:
        world = named_world(name).world
        live = Mixed(OraclePolicy(world), EXPLORATION)
        harmful, harmless = canaries(world, live, payments)
        nothing = np.full(len(harmful.expected), NOTHING_EXPECTED)
        for title, canary, expected, rates in (
            ("harmful", harmful, harmful.expected, found),
            ("harmful", harmful, nothing, None),
            ("harmless", harmless, harmless.expected, false),
            ("harmless", harmless, nothing, None),
        ):
            made = [run(canary, expected, f"{name}:{each}") for each in range(runs)]
            rate = sum(each.payments is not None for each in made) / runs
            if rates is not None:
                rates.append(rate)
            known = "nothing" if expected is nothing else "by issuer and currency"
            table.add_row(
                name, title, known, f"{100 * canary.difference:+.2f}", f"{rate:.1%}", *spread(made)
            )
    out.print(table)
    met = min(found) >= FOUND_BAR and max(false) <= FALSE_BAR
    print(
        f"canary: harmful rolled back in {min(found):.1%} (bar {FOUND_BAR:.0%}), harmless in "
        f"{max(false):.1%} (bar {FALSE_BAR:.0%})"
    )
    return 0 if met else 1


def canaries(world: World, live: Policy, payments: int) -> tuple[Canary, Canary]:
    """The harmful one and the harmless one."""
    spoiled = Spoiled(live, world, spoiled_share(world, live, payments))
    strata: dict[str, int] = {}
    before = pool(world, live, payments, 11, strata)
    ours = pool(world, live, payments, 12, strata)
    theirs = pool(world, spoiled, payments, 12, strata)
    counts = np.zeros((len(strata), 2))
    np.add.at(counts, (before.stratum, before.paid), 1.0)
    # Strata of which the same is expected need not be told apart.
    expected, level = np.unique(expected_rates(counts).round(2), return_inverse=True)
    ours, theirs = (Pool(level[each.stratum], each.paid) for each in (ours, theirs))
    # The truth by payments that nothing was chosen on.
    truth = [
        true_value(world, each, Traffic(payments, seed=13)).per_payment for each in (live, spoiled)
    ]
    return Canary(ours, theirs, expected, truth[1] - truth[0]), Canary(ours, ours, expected, 0.0)


def spoiled_share(world: World, live: Policy, payments: int) -> float:
    """How much must be spoiled to make a policy worse by ``WORSE``: by false position."""
    traffic = Traffic(payments, seed=10)

    def value(spoiled: float) -> float:
        return true_value(world, Spoiled(live, world, spoiled), traffic).per_payment

    wanted = value(0.0) - WORSE
    low, high = (0.0, WORSE), (1.0, value(1.0) - wanted)
    for _ in range(3):
        guess = low[0] + (high[0] - low[0]) * low[1] / (low[1] - high[1])
        beyond = value(guess) - wanted
        low, high = ((guess, beyond), high) if beyond > 0.0 else (low, (guess, beyond))
    return guess


def pool(world: World, policy: Policy, payments: int, seed: int, strata: dict[str, int]) -> Pool:
    """What becomes of payments under a policy, in the order of their ids."""
    ids, names, paid_ids = [], [], []
    for batch in simulate(world, Traffic(payments, seed=seed), policy):
        every = np.array(batch.payment_id.to_pylist())
        first = batch.attempt == 1
        ids.append(every[first])
        names.append(stratum_names(batch, first))
        paid_ids.append(every[batch.reward == 1.0])
    order = np.argsort(np.concatenate(ids), kind="stable")
    there = np.concatenate(ids)[order]
    named = np.concatenate(names)[order]
    stratum = np.array([strata.setdefault(each, len(strata)) for each in named.tolist()])
    return Pool(stratum, np.isin(there, np.concatenate(paid_ids)).astype(np.int64))


def stratum_names(batch: LoggedBatch, rows: BoolArray) -> npt.NDArray[np.str_]:
    """Issuer and currency of some decisions, as one text each."""
    texts = []
    for name in ("issuer", "currency"):
        column = batch.context[name]
        assert isinstance(column, Categorical)
        texts.append(np.array([*column.categories, ""])[column.codes[rows]])
    return np.char.add(np.char.add(texts[0], " "), texts[1])


def run(canary: Canary, expected: FloatArray, key: str) -> Run:
    """One stream of payments, until the canary is rolled back."""
    random = np.random.default_rng(hash_text(f"canary:{key}"))
    drawn = random.integers(0, len(canary.live.paid), LONGEST)
    given = random.random(LONGEST) < SHARE
    paid = np.where(given, canary.canary.paid[drawn], canary.live.paid[drawn])
    strata = len(expected)
    cell = (given * strata + canary.live.stratum[drawn]) * 2 + paid
    looks = LONGEST // LOOK
    place = np.repeat(np.arange(looks), LOOK) * (4 * strata) + cell
    counts = np.bincount(place, minlength=looks * 4 * strata).reshape(looks, 2, strata, 2)
    every = counts.cumsum(axis=0).astype(np.float64)
    kinds = Tallies.of_payments(SHARE, every[-1, 0], every[-1, 1], expected)
    live, theirs = (every[:, arm].reshape(looks, -1) for arm in (0, 1))
    harm = log_wealth_along(kinds, live, theirs, 0.0, -1.0)
    sizes = log_bayes_factor(every.sum(axis=(2, 3)), np.array([1.0 - SHARE, SHARE]))
    # Whether it is rolled back is known from these two; the verdict's limits take longer.
    over = (harm >= -np.log(DEFAULT_RULES.harm_alpha)) | (
        sizes >= -np.log(DEFAULT_RULES.ratio_alpha)
    )
    if not over.any():
        return Run(None, 0.0)
    look = int(over.argmax())
    verdict = judge_canary(Tallies.of_payments(SHARE, every[look, 0], every[look, 1], expected))
    assert verdict.state is CanaryState.ROLLED_BACK, verdict.why
    # Not the negative zero of a harmless one.
    return Run((look + 1) * LOOK, 0.0 - canary.difference * verdict.canary_units)


def spread(runs: Sequence[Run]) -> tuple[str, str]:
    """Payments until the rollback and those lost, of the runs that had one."""
    over = [each for each in runs if each.payments is not None]
    if not over:
        return "", ""
    payments = np.quantile([each.payments or 0 for each in over], (0.5, 0.95))
    lost = np.quantile([each.lost for each in over], (0.5, 0.95))
    return f"{payments[0]:,.0f}, {payments[1]:,.0f}", f"{lost[0]:.0f}, {lost[1]:.0f}"


if __name__ == "__main__":
    sys.exit(main())
