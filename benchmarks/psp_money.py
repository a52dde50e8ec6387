"""``python -m benchmarks.psp_money [LOG]``: what routing policies earn on a real log, in money.

The log is that of the IU case study "credit card routing for online purchase": card payments of an
online shop in Germany, Austria and Switzerland by four PSPs. It is imported, its propensities are
estimated, and it is cut by time. On the earlier part policies are trained, on the later one they
are judged, each by its value in EUR per attempt and per payment: a tenth of the approved amount
less the case study's fees (``data/rewards/psp-routing.toml``). The priority orders are by fee and,
as the earlier part has it, by approval.

Nothing is compared with a bar; the exit status is 0.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from rich.console import Console
from rich.table import Table

from authopt.batch import LoggedBatch
from authopt.evaluation.evaluate_log import evaluate_log
from authopt.evaluation.payments.result import APPROVALS, ATTEMPTS, COST_PER_ATTEMPT, PaymentResult
from authopt.evaluation.quantities import Estimate
from authopt.evaluation.report.wording import Scale
from authopt.evaluation.result import Evaluation
from authopt.learning.learners import replay_learner
from authopt.learning.reward_model import fit_reward_model
from authopt.learning.route_rates import fit_best_route, route_rates
from authopt.learning.train_vw import train_vw
from authopt.logs.files import AttemptLog, open_log, write_log
from authopt.logs.importing import import_file, load_mapping
from authopt.logs.propensity import estimate_propensities
from authopt.logs.rejects import Rejects
from authopt.logs.schema import PropensitySource
from authopt.logs.split import split_log
from authopt.policies.success_rate import SuccessRate
from authopt.rewards import Reward, parse_reward

DATA = Path(__file__).parents[1] / "data"
LOG = DATA.parents[1] / "shared" / "data" / "psp-routing" / "attempts.csv"
MAPPING = DATA / "mappings" / "psp-routing.toml"
REWARD = DATA / "rewards" / "psp-routing.toml"

CUT = 0.6
"""Share of the decisions that policies are trained on: the earliest."""

DIMENSIONS = ("network", "x_country")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A policy: what the table calls it, and its spec."""

    name: str
    spec: str


def prepared(source: Path, folder: Path) -> tuple[AttemptLog, AttemptLog]:
    """The log with estimated propensities, as an earlier and a later part."""
    plain, full = folder / "plain.parquet", folder / "log.parquet"
    with Rejects() as rejects:
        import_file(source, load_mapping(MAPPING), plain, rejects, _in_silence)
    log = open_log(plain)
    model = estimate_propensities(log.batches()).model
    write_log(full, map(model.fill, log.batches()), PropensitySource.ESTIMATED)
    earlier, later = folder / "earlier.parquet", folder / "later.parquet"
    split_log(open_log(full), CUT, earlier, later, lambda items, _: iter(items))
    return open_log(earlier), open_log(later)


def candidates(log: AttemptLog, reward: Reward, folder: Path) -> list[Candidate]:
    """The policies to judge, trained on the earlier part."""

    def rows(_: str = "") -> Iterable[LoggedBatch]:
        return log.batches(reward=reward)

    vw, rates, best = folder / "vw.vw", folder / "rates.json", folder / "best.json"
    train_vw(rows, vw, reward=reward, source=log.propensity_source)
    learner = SuccessRate(dimensions=DIMENSIONS)
    replay_learner(learner, rows(), log.path)
    learner.save(rates)
    fit_best_route(rows()).save(best)
    approval = route_rates(log.batches())
    return [
        Candidate("uniform", "uniform"),
        Candidate("cheapest first", _priority(cheapest_first())),
        Candidate("best approval first", _priority(sorted(approval, key=lambda r: -approval[r]))),
        Candidate("best route", f"best-route:{best}"),
        Candidate("success rate", f"success-rate:{rates}"),
        Candidate("vw", f"vw:{vw}"),
    ]


def cheapest_first() -> list[str]:
    """The routes by the fee of a declined attempt, then of an approved one."""
    fees = tomllib.loads(MAPPING.read_text("utf-8"))["fees"]
    return sorted(fees, key=lambda route: (fees[route]["declined"], fees[route]["approved"]))


def _priority(routes: list[str]) -> str:
    return f"priority:routes={','.join(routes)}"


def print_answer(console: Console, evaluation: Evaluation, found: list[Candidate]) -> None:
    """One table: a policy a row."""
    scale = Scale.of(evaluation)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("policy", no_wrap=True)
    for heading in (
        f"{scale.currency} per attempt", "95%", f"{scale.currency} per payment", "95%", "normal",
        "fees", "approved", "attempts",
    ):  # fmt: skip
        table.add_column(heading, justify="right")
    names = {"logged": "as logged"} | {
        policy.name: each.name for policy, each in zip(evaluation.policies[1:], found, strict=True)
    }
    for policy in evaluation.policies:
        payments = policy.payments
        assert payments is not None
        fees = measure(payments, COST_PER_ATTEMPT).value
        table.add_row(
            names[policy.name],
            *_value(policy.value, scale),
            *_value(payments.value.estimate, scale),
            _normal(payments.value.estimate, scale),
            "—" if fees is None else f"{fees * scale.factor:.2f}",
            _share(measure(payments, APPROVALS)),
            _number(measure(payments, ATTEMPTS)),
        )
    console.print(table)
    console.print(
        "95%: covers with few rows and heavy weights, whatever the path of a payment. normal: "
        "holds in the limit; in brackets where it must not be relied on. fees: of an attempt, by "
        "the log, in EUR. approved: share of the payments. attempts: of a payment.",
        soft_wrap=True,
    )


def measure(payments: PaymentResult, name: str) -> Estimate:
    """The quoted estimate of a measure per payment."""
    return next(each for each in payments.measures if each.name == name).estimate


def _value(estimate: Estimate, scale: Scale) -> Iterator[str]:
    yield "—" if estimate.value is None else f"{estimate.value * scale.factor:.2f}"
    limits = estimate.interval
    yield f"{limits.lower * scale.factor:.2f} to {limits.upper * scale.factor:.2f}"


def _normal(estimate: Estimate, scale: Scale) -> str:
    """The normal interval, in brackets where it must not be relied on."""
    limits = estimate.by("normal")
    if limits is None:
        return "—"
    said = f"{limits.lower * scale.factor:.2f} to {limits.upper * scale.factor:.2f}"
    return f"({said})" if limits.vetoed else said


def _share(estimate: Estimate) -> str:
    return "—" if estimate.value is None else f"{estimate.value:.1%}"


def _number(estimate: Estimate) -> str:
    return "—" if estimate.value is None else f"{estimate.value:.2f}"


def _in_silence(items: Iterable[T]) -> Iterable[T]:
    return items


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("log", nargs="?", type=Path, default=LOG, help="the log as a CSV file")
    options = parser.parse_args()
    console = Console(highlight=False, width=140)
    if not options.log.is_file():
        console.print(f"{options.log}: no such file; give the path of the log", soft_wrap=True)
        return 2
    start = time.perf_counter()
    reward = parse_reward(f"money:{REWARD}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        earlier, later = prepared(options.log, folder)
        found = candidates(earlier, reward, folder)
        evaluation = evaluate_log(
            later.path,
            [each.spec for each in found],
            reward_model=fit_reward_model(later.batches(reward=reward)),
            reward=reward,
            learn_every=None,
        )
    facts = evaluation.log
    console.print(
        f"{facts.rows:,} attempts of {facts.clusters:,} payments, {facts.first:%Y-%m-%d} to "
        f"{facts.last:%Y-%m-%d}; policies trained on the {earlier.num_rows:,} attempts before"
    )
    console.print(
        "Propensities are ESTIMATED: every figure rests on that model, and no interval covers its "
        "error."
    )
    console.print()
    print_answer(console, evaluation, found)
    console.print()
    console.print(f"{time.perf_counter() - start:.0f} seconds")
    return 0


if __name__ == "__main__":
    sys.exit(main())
