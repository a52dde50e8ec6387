"""``python -m benchmarks.psp_gate [LOG]``: learn on January, pass the gate, hold in February.

The log is that of ``benchmarks.psp_money``, the reward a tenth of the approved amount less fees. On
January policies are trained: the best single PSP, a logistic regression of approval for every
PSP, played greedily by the money that it expects, VW as ``authopt train`` makes it by default, and
``expected-money``. February is not looked at before: nothing is chosen on it. Propensities are
estimated on each month for itself.

- *February*: every policy is judged on the days from February 1 on; differences are paired.
- *The gate*: policies trained on the earlier part of January are judged on the rest of it, against
  the policy that made the log, and then again in February. Gate and February agree if both find a
  gain (the gate passes, and February's gain is above 0), or neither does, and the two estimates
  differ by no more than their errors allow (95%). A gate that cannot show a gain fails, so a small
  one may be there all the same.

Bar: in February ``expected-money`` earns more than the best single PSP and the logistic regression,
exploration included, by the estimates; and the gate on it agrees with February.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from authopt.batch import Categorical, DecisionBatch, FloatArray, LoggedBatch
from authopt.evaluation.engine import evaluate
from authopt.evaluation.quantities import Estimate
from authopt.evaluation.result import Evaluation
from authopt.learning.expected_money import fit_expected_money
from authopt.learning.gate.judge import judge
from authopt.learning.gate.settings import Gate
from authopt.learning.gate.verdict import GateVerdict
from authopt.learning.reward_model import fit_reward_model
from authopt.learning.route_rates import fit_best_route
from authopt.learning.train_vw import train_vw
from authopt.logs.files import AttemptLog, open_log, read_log, write_log
from authopt.logs.importing import import_file, load_mapping
from authopt.logs.propensity import estimate_propensities
from authopt.logs.rejects import Rejects
from authopt.logs.schema import PropensitySource
from authopt.logs.split import split_log
from authopt.policies.expected_money import reward_if
from authopt.policies.logged import LoggedPolicy
from authopt.policies.priority import first_of_each
from authopt.policies.protocol import Policy
from authopt.policies.vw import VwPolicy
from authopt.rewards import MoneyReward, parse_reward
from benchmarks.psp_money import LOG, MAPPING, REWARD

FEBRUARY = np.datetime64("2019-01-31T23:00:00", "us")
"""February 1 by the shop's clock."""

LEARN_SHARE = 0.7
"""Share of January that a policy is trained on before the gate judges it on the rest."""

OURS, REGRESSION, SINGLE, VW = "expected-money", "logistic regression", "best single PSP", "vw"

EUR = 0.01


@dataclass(frozen=True, slots=True, eq=False)
class GreedyRegression:
    """A logistic regression of approval for every PSP, and the PSP that it expects most money of.

    Features are those of the case study: amount, card network, country and 3-D Secure.
    """

    reward: MoneyReward
    models: dict[str, Any]
    levels: dict[str, tuple[str, ...]]
    name: str = REGRESSION

    @classmethod
    def fit(cls, log: LoggedBatch, reward: MoneyReward) -> GreedyRegression:
        """Fit on a log whose rewards are approvals."""
        from sklearn.linear_model import LogisticRegression

        levels = {}
        for name in ("network", "x_country"):
            column = log.context[name]
            assert isinstance(column, Categorical)
            levels[name] = column.categories
        matrix = _matrix(log, levels)
        taken = log.action_route[log.chosen_action]
        models = {}
        for code, route in enumerate(log.routes):
            rows = taken == code
            models[route] = LogisticRegression(max_iter=1000).fit(matrix[rows], log.reward[rows])
        return cls(reward, models, levels)

    def probabilities(self, batch: DecisionBatch) -> FloatArray:
        """float64[m], 1 on one action of each decision."""
        matrix = _matrix(batch, self.levels)
        by_route = np.stack(
            [self.models[route].predict_proba(matrix)[:, 1] for route in batch.routes], axis=1
        )
        p = by_route[batch.decision_of_action, batch.action_route]
        approved, declined = (reward_if(self.reward, batch, each) for each in (True, False))
        return first_of_each(batch, -(p * approved + (1.0 - p) * declined))


def _matrix(batch: DecisionBatch, levels: dict[str, tuple[str, ...]]) -> FloatArray:
    columns = [np.asarray(batch.context["amount_minor"]) / 10_000.0]
    columns.append(np.nan_to_num(np.asarray(batch.context["three_ds"], np.float64)))
    for name, values in levels.items():
        column = batch.context[name]
        assert isinstance(column, Categorical)
        codes = column.recode(values)
        columns += [(codes == code).astype(np.float64) for code in range(len(values))]
    return np.stack(columns, axis=1)


def months(source: Path, folder: Path) -> tuple[AttemptLog, AttemptLog]:
    """January and February, each with propensities that were estimated on it alone."""
    plain = folder / "plain.parquet"
    with Rejects() as rejects:
        import_file(source, load_mapping(MAPPING), plain, rejects, iter)
    paths = folder / "january-plain.parquet", folder / "february-plain.parquet"
    split_log(open_log(plain), FEBRUARY, *paths, lambda items, _: iter(items))
    logs = []
    for path in paths:
        log = open_log(path)
        model = estimate_propensities(log.batches()).model
        full = path.with_name(path.name.replace("-plain", ""))
        write_log(full, map(model.fill, log.batches()), PropensitySource.ESTIMATED)
        logs.append(open_log(full))
    return logs[0], logs[1]


def policies(log: AttemptLog, reward: MoneyReward, out: Path) -> dict[str, Policy]:
    """The policies, trained on a log; ``out`` is where VW's model goes."""

    def rows(_: str = "") -> Iterator[LoggedBatch]:
        return log.batches(reward=reward)

    train_vw(rows, out, reward=reward, source=log.propensity_source)
    approvals = read_log(log.path)
    return {
        SINGLE: fit_best_route(rows()),
        REGRESSION: GreedyRegression.fit(approvals, reward),
        VW: VwPolicy.load(out),
        OURS: fit_expected_money(lambda _: log.batches(), reward, log=log.path),
    }


def judged(log: AttemptLog, found: dict[str, Policy], reward: MoneyReward) -> Evaluation:
    """All policies on one log."""
    model = fit_reward_model(log.batches(reward=reward))
    return evaluate(
        log.batches(reward=reward),
        list(found.values()),
        reward_model=model,
        reward=reward,
        bootstrap=0,
        learn_every=None,
        payments=False,
        specs=list(found),
        propensity_source=log.propensity_source,
    )


def gain(evaluation: Evaluation, first: str, second: str) -> Estimate:
    """The difference between two policies by their specs."""
    names = {each.spec: each.name for each in evaluation.policies}
    for each in evaluation.comparisons:
        if (each.first, each.second) == (names[second], names[first]):
            other = each.difference
            assert other.value is not None
            return _turned(other)
        if (each.first, each.second) == (names[first], names[second]):
            return each.difference
    raise KeyError((first, second))


def _turned(estimate: Estimate) -> Estimate:
    return replace(
        estimate,
        value=None if estimate.value is None else -estimate.value,
        intervals=tuple(
            replace(each, lower=-each.upper, upper=-each.lower) for each in estimate.intervals
        ),
    )


def print_february(console: Console, evaluation: Evaluation) -> None:
    """One table: a policy a row."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("February", no_wrap=True)
    headings = ["EUR per attempt", "95%"]
    headings += [f"{OURS} less it", "95%", "normal"]
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    for policy in evaluation.policies:
        value = policy.value
        assert value.value is not None
        row = [policy.spec, f"{value.value * EUR:.2f}", _limits(value, "cressie-read")]
        if policy.spec != OURS:
            own = evaluation.policies[-1].gain
            found = own if policy.is_logging_policy else gain(evaluation, OURS, policy.spec)
            assert found is not None
            assert found.value is not None
            row += [f"{found.value * EUR:+.2f}", *(_limits(found, m) for m in METHODS)]
        table.add_row(*row)
    console.print(table)


METHODS = ("cressie-read", "normal")


def _limits(estimate: Estimate, method: str) -> str:
    found = estimate.by(method)
    if found is None:
        return "—"
    sign = "" if found.lower >= 0.0 and estimate.value and estimate.value > 200 else "+"
    return f"{found.lower * EUR:{sign}.2f} to {found.upper * EUR:{sign}.2f}"


@dataclass(frozen=True, slots=True)
class Agreement:
    """The gate's verdict on a policy at the end of January, and what February says of it.

    Attributes
    ----------
    name
        the policy's.
    verdict
        of the gate.
    gate, february
        gains over the policy that made the log, minor units per attempt, with standard errors.
    """

    name: str
    verdict: GateVerdict
    gate: tuple[float, float]
    february: tuple[float, float]

    @property
    def apart(self) -> float:
        """How many standard errors the two estimates are apart."""
        (one, error), (other, more) = self.gate, self.february
        return abs(one - other) / float(np.hypot(error, more))

    @property
    def holds(self) -> bool:
        """Whether gate and February agree."""
        return self.verdict.passed == (self.february[0] > 0.0) and self.apart < 1.96


def agreements(
    january: AttemptLog, february: AttemptLog, reward: MoneyReward, folder: Path
) -> list[Agreement]:
    """Of the policies that are no baseline, trained on the earlier part of January."""
    early, late = folder / "early.parquet", folder / "late.parquet"
    split_log(january, LEARN_SHARE, early, late, lambda items, _: iter(items))
    trained = policies(open_log(early), reward, folder / "early.vw")
    chosen = {name: trained[name] for name in (VW, OURS)}
    judging = open_log(late)
    at_the_gate = judged(judging, chosen, reward)
    later = judged(february, chosen, reward)
    found = []
    for place, (name, policy) in enumerate(chosen.items(), start=1):
        verdict = judge(
            judging.batches(reward=reward),
            policy,
            LoggedPolicy(),
            Gate(),
            columns=judging.columns,
            reward=reward,
            specs=(name, "logged"),
            propensity_source=judging.propensity_source,
            path=judging.path,
        )
        gains = [_with_error(each.policies[place].gain) for each in (at_the_gate, later)]
        found.append(Agreement(name, verdict, gains[0], gains[1]))
    return found


def _with_error(gain: Estimate | None) -> tuple[float, float]:
    assert gain is not None
    assert gain.value is not None
    normal = gain.by("normal")
    assert normal is not None
    return gain.value, normal.width / (2.0 * 1.96)


def print_agreements(console: Console, found: list[Agreement]) -> None:
    """One table: a policy a row."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("trained on early January", no_wrap=True)
    for heading in (
        "gate", "lower bound", "gain at the gate", "gain in February", "apart", "agree",
    ):  # fmt: skip
        table.add_column(heading, justify="right", no_wrap=True)
    for each in found:
        figures = (
            f"{value * EUR:+.2f} ± {1.96 * error * EUR:.2f}"
            for value, error in (each.gate, each.february)
        )
        table.add_row(
            each.name,
            each.verdict.word,
            f"{each.verdict.lower * EUR:+.2f}",
            *figures,
            f"{each.apart:.1f} s.e.",
            "yes" if each.holds else "no",
        )
    console.print(table)
    for each in found:
        for check in each.verdict.failed:
            console.print(f"{each.name}: {check.title}: {check.reason}", soft_wrap=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("log", nargs="?", type=Path, default=LOG, help="the log as a CSV file")
    parser.add_argument("--quick", action="store_true", help="the same: it takes about a minute")
    options = parser.parse_args()
    console = Console(highlight=False, width=130)
    if not options.log.is_file():
        console.print(f"{options.log}: no such file; give the path of the log", soft_wrap=True)
        return 2
    start = time.perf_counter()
    reward = parse_reward(f"money:{REWARD}")
    assert isinstance(reward, MoneyReward)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        january, february = months(options.log, folder)
        evaluation = judged(february, policies(january, reward, folder / "vw.vw"), reward)
        agreed = agreements(january, february, reward, folder)
    facts = evaluation.log
    console.print(
        f"trained on {january.num_rows:,} attempts of January; judged on {facts.rows:,} attempts, "
        f"{facts.first:%Y-%m-%d} to {facts.last:%Y-%m-%d}. Propensities are ESTIMATED, and no "
        "interval covers their error.",
        soft_wrap=True,
    )
    console.print()
    print_february(console, evaluation)
    console.print()
    print_agreements(console, agreed)
    console.print()
    ahead = {name: gain(evaluation, OURS, name).value or 0.0 for name in (SINGLE, REGRESSION)}
    holds = next(each for each in agreed if each.name == OURS).holds
    console.print(
        f"{OURS}: {ahead[SINGLE] * EUR:+.2f} EUR an attempt against the best single PSP, "
        f"{ahead[REGRESSION] * EUR:+.2f} against the regression; its gate "
        f"{'agrees' if holds else 'does not agree'} with February; "
        f"{time.perf_counter() - start:.0f} seconds",
        soft_wrap=True,
    )
    figure = min(ahead.values()) * EUR
    console.print(f"psp_gate: {figure:+.2f} EUR an attempt (bar above 0, and the gate agrees)")
    return 0 if figure > 0.0 and holds else 1


if __name__ == "__main__":
    sys.exit(main())
