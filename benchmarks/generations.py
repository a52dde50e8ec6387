"""``python -m benchmarks.generations [--quick]``: retrain on one's own log, again and again.

Each generation of a policy makes a log in the simulator, and the next one is trained on it. The
first is a static order of routes with some exploration. A learner may forget what it no longer
tries, or believe the little that it tried: then its value rises and falls from one generation to
the next, as was found for contextual bandits in payments that gather their data by inverse gap
weighting over a regression oracle (arXiv 2412.00569). Shown are

- ``goes on``: ``authopt train LOG --from MODEL`` with its defaults: every generation goes on from
  the model before and learns the log that this one made, and nothing else; always deployed;
- ``whole log``: ``authopt train`` with its defaults, from nothing, on the log as it has grown by
  then: that of the generation before, and of those before it;
- ``gated``: the same, deployed only if the gate of ``authopt gate`` passes it on the end of the log
  (with the bound for a fixed log), else the live policy stays;
- ``last log, from nothing``: the same options, trained from nothing on the log of the generation
  before;
- ``squarecb, short``: SquareCB with large steps, from nothing on the last log alone, logs of a
  fifth the size.

The value of a generation is the share of payments paid in the end, with expectations in the place
of luck wherever the world knows them, over the same payments for all. Two generations are compared
on them pair by pair. A generation *falls* if it is shown to be below an earlier one: the upper
limit of the difference, with 95% for all pairs of the run together (Bonferroni), is below 0.

Bar: no generation of ``goes on`` falls.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
from rich.console import Console
from rich.table import Table
from scipy.special import ndtri

from authopt.batch import FloatArray, LoggedBatch, concat
from authopt.hashing import hash_strings
from authopt.learning.gate.judge import judge
from authopt.learning.gate.settings import Gate
from authopt.learning.going_on import read_parent
from authopt.learning.train_vw import train_vw
from authopt.policies.mixed import mixed
from authopt.policies.priority import Priority
from authopt.policies.protocol import Policy
from authopt.policies.vw import VwPolicy
from authopt.policies.vw_options import VwOptions
from simulator.simulate import simulate
from simulator.traffic import Traffic
from simulator.worlds import NamedWorld, named_world

GENERATIONS = 8
GROUPS = 4_096
FIRST_EPSILON = 0.2
JUDGED_FROM = 0.7
"""Share of a log that a gated candidate is trained on; the gate judges on the rest."""

DAYS = 30.0


@dataclass(frozen=True, slots=True)
class Line:
    """One way to retrain.

    Attributes
    ----------
    name
        for the table.
    options
        of VW.
    size
        of a generation's log, as a share of the others'.
    gated
        whether the gate decides on the next generation.
    reward_to_go
        as of ``train_vw``.
    whole
        whether the logs of all generations so far are learned from, or the last alone.
    goes_on
        whether a generation goes on from the model before, or begins from nothing.
    """

    name: str
    options: VwOptions
    size: float = 1.0
    gated: bool = False
    reward_to_go: bool | None = None
    whole: bool = True
    goes_on: bool = False


LINES = (
    Line("goes on", VwOptions(), whole=False, goes_on=True),
    Line("whole log", VwOptions()),
    Line("gated", VwOptions(), gated=True),
    Line("last log, from nothing", VwOptions(), whole=False),
    Line(
        "squarecb, short",
        VwOptions(explorer="squarecb", gamma_scale=1000.0, learning_rate=0.5, epsilon=0.005),
        size=0.2,
        whole=False,
        reward_to_go=False,
    ),
)


@dataclass(frozen=True, slots=True)
class Generation:
    """A policy that was live: its paid payments and payments by group, and what the gate said."""

    sums: FloatArray
    deployed: bool

    @property
    def value(self) -> float:
        """Share of payments paid."""
        return float(self.sums[0].sum() / self.sums[1].sum())


def value_sums(world: NamedWorld, policy: Policy, traffic: Traffic) -> FloatArray:
    """float64[2, GROUPS]: expected payments paid, and payments, by group of payments."""
    sums = np.zeros((2, GROUPS))
    for batch in simulate(world.world, traffic, policy):
        group = (hash_strings(batch.payment_id) % np.uint64(GROUPS)).astype(np.int64)
        assert batch.probability is not None
        chance = world.world.approval_probability(batch.decisions())
        sums[0] += np.bincount(group, batch.sum_by_decision(batch.probability * chance), GROUPS)
        sums[1] += np.bincount(group, batch.attempt == 1, GROUPS)
    return sums


def difference(one: FloatArray, other: FloatArray) -> tuple[float, float]:
    """The first value less the second, over the same payments, and its standard error."""
    gap, payments = one[0] - other[0], one[1]
    mean = float(gap.sum() / payments.sum())
    residual = gap - mean * payments
    return mean, float(np.sqrt(np.square(residual).sum()) / payments.sum())


def run(
    world: NamedWorld, line: Line, payments: int, judged: Traffic, generations: int, folder: Path
) -> Iterator[Generation]:
    """The generations of one line, the first one included."""
    live: Policy = mixed(Priority(world.order), FIRST_EPSILON)
    sums = value_sums(world, live, judged)
    yield Generation(sums, True)
    traffic = Traffic(int(payments * line.size), days=DAYS, seed=100)
    logs: list[LoggedBatch] = []
    for number in range(1, generations):
        start = traffic.start + np.timedelta64(round(DAYS), "D") * number
        made = simulate(world.world, replace(traffic, seed=100 + number, start=start), live)
        logs = [*(logs if line.whole else ()), _named(concat(list(made)), number)]
        log = concat(logs)
        before = folder / f"{number - 1}.vw" if line.goes_on and number > 1 else None
        live, deployed = _next(live, log, line, folder / f"{number}.vw", before)
        if deployed:
            sums = value_sums(world, live, judged)
        yield Generation(sums, deployed)


def _next(
    live: Policy, log: LoggedBatch, line: Line, out: Path, before: Path | None
) -> tuple[Policy, bool]:
    cut = int(log.n * JUDGED_FROM) if line.gated else log.n
    first = log.payment_id.take(np.flatnonzero(log.attempt[:cut] == 1))
    late = ~np.isin(hash_strings(log.payment_id), hash_strings(first))
    early = log.take(np.flatnonzero(~late))
    parent = None if before is None else read_parent(before)
    rows = partial(_once, early)
    train_vw(rows, out, line.options, reward_to_go=line.reward_to_go, parent=parent)
    candidate = VwPolicy.load(out)
    if not line.gated:
        return candidate, True
    verdict = judge([log.take(np.flatnonzero(late))], candidate, live, GATE)
    return (candidate, True) if verdict.passed else (live, False)


GATE = Gate(bound="fixed", unit="decision", segments=("network",))


def _once(log: LoggedBatch, _: str) -> list[LoggedBatch]:
    return [log]


def _named(log: LoggedBatch, number: int) -> LoggedBatch:
    """The log with ids of its own: every generation's payments are numbered from 0."""
    ids = (f"{number}-{each}" for each in log.payment_id.to_pylist())
    return replace(log, payment_id=pa.array(list(ids)))


def falls(generations: list[Generation]) -> list[str]:
    """Of each generation: how far it is below the best before it, where that is shown."""
    pairs = len(generations) * (len(generations) - 1) / 2
    z = float(ndtri(1.0 - 0.025 / pairs))
    said = [""]
    for number in range(1, len(generations)):
        worst = ""
        lowest = 0.0
        for earlier in range(number):
            mean, error = difference(generations[number].sums, generations[earlier].sums)
            upper = mean + z * error
            if upper < 0.0 and mean < lowest:
                lowest, worst = mean, f"{100 * mean:+.2f} against {earlier}"
        said.append(worst)
    return said


def print_line(
    console: Console, line: Line, generations: list[Generation], said: list[str]
) -> None:
    """One table: a generation a row."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column(line.name, no_wrap=True)
    for heading in ("paid", "95%", "to the one before", "95%", "below the best before by"):
        table.add_column(heading, justify="right", no_wrap=True)
    for number, each in enumerate(generations):
        mean, error = difference(each.sums, np.stack([np.zeros(GROUPS), each.sums[1]]))
        row = [f"{100 * mean:.2f}%", _between(mean, error, ".2f"), "", ""]
        if number:
            step, error = difference(each.sums, generations[number - 1].sums)
            row[2:] = [f"{100 * step:+.2f}", _between(step, error, "+.2f")]
        word = "" if each.deployed else " (live one stays)"
        table.add_row(f"{number}{word}", *row, said[number])
    console.print(table)
    console.print()


def _between(mean: float, error: float, form: str) -> str:
    low, high = mean - 1.96 * error, mean + 1.96 * error
    return f"{100 * low:{form}} to {100 * high:{form}}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="smaller logs, within a minute")
    parser.add_argument("--world", choices=["small", "cards"], default="small")
    parser.add_argument("--payments", type=int, help="of a generation's log")
    parser.add_argument("--only", choices=[line.name for line in LINES], help="one line alone")
    options = parser.parse_args()
    console = Console(highlight=False, width=120)
    start = time.perf_counter()
    payments = options.payments or (3_000 if options.quick else 20_000)
    world = named_world(options.world)
    judged = Traffic(3_000 if options.quick else 20_000, days=DAYS, seed=7)
    generations = 7 if options.quick else GENERATIONS
    console.print(
        f"world {options.world}; {payments:,} payments a generation, values over the same "
        f"{judged.payments:,} payments; generation 0 is a static order with "
        f"{FIRST_EPSILON:.0%} exploration"
    )
    console.print()
    fallen: dict[str, int] = {}
    for line in LINES:
        if options.only not in (None, line.name):
            continue
        with tempfile.TemporaryDirectory() as name:
            found = list(run(world, line, payments, judged, generations, Path(name)))
        said = falls(found)
        fallen[line.name] = sum(bool(each) for each in said)
        print_line(console, line, found, said)
    others = ", ".join(f"{name} {count}" for name, count in fallen.items())
    console.print(f"generations that fall: {others}; {time.perf_counter() - start:.0f} seconds")
    first = next(iter(fallen.values()))
    console.print(f"generations: {first} of {generations - 1} fall (bar 0)")
    return 0 if first == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
